package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// errShort says that a body ended before its message did.
var errShort = errors.New("message is cut short")

// encoder appends the fields of a message to a body.
type encoder []byte

func (e *encoder) u8(v uint8)   { *e = append(*e, v) }
func (e *encoder) u32(v uint32) { *e = binary.BigEndian.AppendUint32(*e, v) }
func (e *encoder) i32(v int)    { e.u32(uint32(int32(v))) }
func (e *encoder) i64(v int64)  { *e = binary.BigEndian.AppendUint64(*e, uint64(v)) }

func (e *encoder) bool(v bool) {
	if v {
		e.u8(1)
	} else {
		e.u8(0)
	}
}

func (e *encoder) str(v string) {
	e.u32(uint32(len(v)))
	*e = append(*e, v...)
}

func (e *encoder) bytes(v []byte) {
	e.u32(uint32(len(v)))
	*e = append(*e, v...)
}

func (e *encoder) strs(v []string) {
	e.u32(uint32(len(v)))
	for _, s := range v {
		e.str(s)
	}
}

func (e *encoder) pairs(v map[string]string) {
	e.u32(uint32(len(v)))
	for k, s := range v {
		e.str(k)
		e.str(s)
	}
}

// time is sent as nanoseconds since 1970; zero stands for the zero time.
func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.i64(0)
		return
	}
	e.i64(t.UnixNano())
}

// decoder takes the fields of a message from a body. The first failure sticks; what is
// read after it is zero.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > len(d.rest) {
		d.err = errShort
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) u8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) i32() int { return int(int32(d.u32())) }

func (d *decoder) i64() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) bool() bool {
	v := d.u8()
	if v > 1 && d.err == nil {
		d.err = fmt.Errorf("%d is not a truth value", v)
	}
	return v == 1
}

// bytes returns a slice of the body itself.
func (d *decoder) bytes() []byte {
	n := d.u32()
	if d.err == nil && uint64(n) > uint64(len(d.rest)) {
		d.err = errShort
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) str() string { return string(d.bytes()) }

// count reads the length of a list whose elements take at least size bytes each, so
// that a lie about it cannot make the reader allocate more than the body is long.
func (d *decoder) count(size int) int {
	n := d.u32()
	if d.err == nil && uint64(n)*uint64(size) > uint64(len(d.rest)) {
		d.err = errShort
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

func (d *decoder) strs() []string {
	n := d.count(4)
	if n == 0 {
		return nil
	}
	v := make([]string, 0, n)
	for range n {
		v = append(v, d.str())
	}
	return v
}

// pairs returns nil for an empty map.
func (d *decoder) pairs() map[string]string {
	n := d.count(8)
	if n == 0 {
		return nil
	}
	v := make(map[string]string, n)
	for range n {
		k := d.str()
		v[k] = d.str()
	}
	return v
}

func (d *decoder) time() time.Time {
	if n := d.i64(); n != 0 {
		return time.Unix(0, n).UTC()
	}
	return time.Time{}
}

// end returns the first failure, or an error if anything is left over.
func (d *decoder) end(what string) error {
	if d.err == nil && len(d.rest) > 0 {
		d.err = fmt.Errorf("%d bytes too many", len(d.rest))
	}
	if d.err != nil {
		return fmt.Errorf("decode %s: %w", what, d.err)
	}
	return nil
}
