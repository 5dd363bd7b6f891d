package systemd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/errdefs"
)

// The types of messages (D-Bus specification, "Message Format").
const (
	methodCall = 1

	failure = 3
	signal  = 4
)

// The header's fields.
const (
	fieldPath = 1 + iota
	fieldInterface
	fieldMember
	fieldError
	fieldAnswers
	fieldTo
	fieldFrom
	fieldSignature
)

// longest is the longest message that the specification allows.
const longest = 128 << 20

// message is one message of the bus.
type message struct {
	kind            byte
	serial, answers uint32
	path, face      string
	member, to      string
	failure         string
	signature       string
	body            []byte
	big             bool
}

func (m *message) marshal() []byte {
	var fields encoder
	add := func(code byte, signature, value string) {
		if value == "" {
			return
		}
		fields.align(8)
		fields.b = append(fields.b, code)
		fields.signature(signature)
		if signature == "g" {
			fields.signature(value)
		} else {
			fields.text(value)
		}
	}
	add(fieldPath, "o", m.path)
	add(fieldInterface, "s", m.face)
	add(fieldMember, "s", m.member)
	add(fieldTo, "s", m.to)
	add(fieldSignature, "g", m.signature)
	e := encoder{b: []byte{'l', m.kind, 0, 1}}
	e.uint32(uint32(len(m.body)))
	e.uint32(m.serial)
	e.uint32(uint32(len(fields.b)))
	e.b = append(e.b, fields.b...)
	e.align(8)
	return append(e.b, m.body...)
}

// read reads a message.
func read(r *bufio.Reader) (message, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return message{}, err
	}
	m := message{kind: head[1], big: head[0] == 'B'}
	order := m.order()
	body, fields := order.Uint32(head[4:]), order.Uint32(head[12:])
	m.serial = order.Uint32(head[8:])
	if head[3] != 1 || body > longest || fields > longest {
		return m, errors.New("what came is no message of D-Bus")
	}
	rest := make([]byte, (int(fields)+7)&^7+int(body))
	if _, err := io.ReadFull(r, rest); err != nil {
		return m, err
	}
	m.body = rest[len(rest)-int(body):]
	return m, m.header(decoder{b: rest[:fields], order: order})
}

func (m *message) order() binary.ByteOrder {
	if m.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (m *message) header(d decoder) error {
	for d.at < len(d.b) && d.err == nil {
		d.align(8)
		code := d.byte()
		switch signature := d.signature(); signature {
		case "u":
			if n := d.uint32(); code == fieldAnswers {
				m.answers = n
			}
		case "g":
			if s := d.signature(); code == fieldSignature {
				m.signature = s
			}
		case "s", "o":
			s := d.text()
			switch code {
			case fieldPath:
				m.path = s
			case fieldInterface:
				m.face = s
			case fieldMember:
				m.member = s
			case fieldError:
				m.failure = s
			}
		default:
			return fmt.Errorf("a header with a value of type %q", signature)
		}
	}
	return d.err
}

// texts decodes a body of numbers, texts and texts in variants, and gives the
// texts. Such are all answers and signals that are read here.
func (m *message) texts() ([]string, error) {
	d := decoder{b: m.body, order: m.order()}
	var list []string
	for _, c := range m.signature {
		if c == 'v' {
			if s := d.signature(); s != "s" && s != "o" {
				return list, fmt.Errorf("a variant of type %q", s)
			}
			c = 's'
		}
		switch c {
		case 'u':
			d.uint32()
		case 's', 'o':
			list = append(list, d.text())
		default:
			return list, fmt.Errorf("a body of type %q", m.signature)
		}
	}
	return list, d.err
}

type decoder struct {
	b     []byte
	at    int
	order binary.ByteOrder
	err   error
}

// take gives the next n bytes; zeros when there are not so many.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b)-d.at {
		d.err = errors.New("a message is cut off")
		return make([]byte, max(min(n, 8), 0))
	}
	d.at += n
	return d.b[d.at-n : d.at]
}

func (d *decoder) align(n int)    { d.take(min((n-d.at%n)%n, len(d.b)-d.at)) }
func (d *decoder) byte() byte     { return d.take(1)[0] }
func (d *decoder) uint32() uint32 { d.align(4); return d.order.Uint32(d.take(4)) }

func (d *decoder) text() string {
	s := d.take(int(d.uint32()))
	d.take(1)
	return string(s)
}

func (d *decoder) signature() string {
	s := d.take(int(d.byte()))
	d.take(1)
	return string(s)
}

// encoder writes values, each at a multiple of its alignment.
type encoder struct{ b []byte }

func (e *encoder) align(n int) {
	for len(e.b)%n != 0 {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) uint32(n uint32) {
	e.align(4)
	e.b = binary.LittleEndian.AppendUint32(e.b, n)
}

func (e *encoder) text(s string) {
	e.uint32(uint32(len(s)))
	e.b = append(append(e.b, s...), 0)
}

func (e *encoder) signature(s string) {
	e.b = append(append(append(e.b, byte(len(s))), s...), 0)
}

// array writes what fill does as an array of elements with an alignment, whose
// length does not count the gap before the first.
func (e *encoder) array(alignment int, fill func()) {
	e.uint32(0)
	length := len(e.b) - 4
	e.align(alignment)
	start := len(e.b)
	fill()
	binary.LittleEndian.PutUint32(e.b[length:], uint32(len(e.b)-start))
}

// Property is a property of a unit. Its value is a string, bool, uint64, []byte,
// []uint32, or [][2]string for a(ss).
type Property struct {
	Name  string
	Value any
}

func (e *encoder) variant(v any) error {
	switch v := v.(type) {
	case string:
		e.signature("s")
		e.text(v)
	case bool:
		e.signature("b")
		n := uint32(0)
		if v {
			n = 1
		}
		e.uint32(n)
	case uint64:
		e.signature("t")
		e.align(8)
		e.b = binary.LittleEndian.AppendUint64(e.b, v)
	case []byte:
		e.signature("ay")
		e.array(1, func() { e.b = append(e.b, v...) })
	case []uint32:
		e.signature("au")
		e.array(4, func() {
			for _, n := range v {
				e.uint32(n)
			}
		})
	case [][2]string:
		e.signature("a(ss)")
		e.array(8, func() {
			for _, pair := range v {
				e.align(8)
				e.text(pair[0])
				e.text(pair[1])
			}
		})
	default:
		return fmt.Errorf("a property of type %T: %w", v, errdefs.ErrInvalidArgument)
	}
	return nil
}

// encode writes a body. The signatures known are those of the methods called: s,
// b, and a(sv) from []Property; a(sa(sv)) is always empty.
func encode(signature string, args ...any) ([]byte, error) {
	var e encoder
	var err error
	for _, arg := range args {
		switch arg := arg.(type) {
		case string:
			e.text(arg)
		case bool:
			n := uint32(0)
			if arg {
				n = 1
			}
			e.uint32(n)
		case []Property:
			e.array(8, func() {
				for _, p := range arg {
					e.align(8)
					e.text(p.Name)
					err = errors.Join(err, e.variant(p.Value))
				}
			})
		default:
			return nil, fmt.Errorf("an argument of type %T: %w", arg, errdefs.ErrInvalidArgument)
		}
	}
	if strings.HasSuffix(signature, "a(sa(sv))") {
		e.array(8, func() {})
	}
	return e.b, err
}
