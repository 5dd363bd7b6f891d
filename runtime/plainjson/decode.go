package plainjson

import (
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxDepth bounds how deep values are nested; deeper ones are left to encoding/json.
const maxDepth = 64

// decoder reads a document. Its methods return false for all that is left to
// encoding/json, and then nothing about the target is certain.
type decoder struct {
	data   []byte
	at     int
	depth  int
	shapes shapes
}

func (d *decoder) space() {
	for d.at < len(d.data) {
		switch d.data[d.at] {
		case ' ', '\t', '\r', '\n':
			d.at++
		default:
			return
		}
	}
}

// next gives the next byte that is no space, 0 at the end.
func (d *decoder) next() byte {
	if d.space(); d.at < len(d.data) {
		return d.data[d.at]
	}
	return 0
}

// end tells whether nothing follows.
func (d *decoder) end() bool { d.space(); return d.at == len(d.data) }

// literal reads a word such as null.
func (d *decoder) literal(word string) bool {
	if len(d.data)-d.at < len(word) || string(d.data[d.at:d.at+len(word)]) != word {
		return false
	}
	d.at += len(word)
	return true
}

// value reads any value into v.
func (d *decoder) value(v reflect.Value) bool {
	if d.next() == 'n' { // a null leaves things as they are: zero
		return d.literal("null") && v.Kind() != reflect.Interface
	}
	t := v.Type()
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		return d.value(v.Elem())
	case reflect.Struct:
		if t == timeType {
			return d.time(v)
		}
		return d.object(v)
	}
	if hasMethods(t) {
		return false
	}
	switch v.Kind() {
	case reflect.String:
		s, ok := d.string()
		v.SetString(s)
		return ok
	case reflect.Bool:
		v.SetBool(d.next() == 't')
		return d.literal("true") || d.literal("false")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(d.integer(), 10, t.Bits())
		v.SetInt(n)
		return err == nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(d.integer(), 10, t.Bits())
		v.SetUint(n)
		return err == nil
	case reflect.Slice:
		return t.Elem().Kind() != reflect.Uint8 && d.slice(v)
	case reflect.Map:
		return t.Key().Kind() == reflect.String && !hasMethods(t.Key()) && d.stringMap(v)
	}
	return false
}

// items reads what stands between two brackets, separated by commas.
func (d *decoder) items(open, close byte, item func() bool) bool {
	if d.next() != open || d.depth == maxDepth {
		return false
	}
	d.depth++
	d.at++
	if d.next() == close {
		d.depth--
		d.at++
		return true
	}
	for item() {
		c := d.next()
		d.at++
		if c == close {
			d.depth--
			return true
		}
		if c != ',' {
			return false
		}
	}
	return false
}

// key reads the name of a member with the colon after it.
func (d *decoder) key() (string, bool) {
	if d.next() != '"' {
		return "", false
	}
	name, ok := d.string()
	if !ok || d.next() != ':' {
		return "", false
	}
	d.at++
	return name, true
}

func (d *decoder) object(v reflect.Value) bool {
	fields, ok := d.shapes.of(v.Type())
	if !ok {
		return false
	}
	var seen uint64
	return d.items('{', '}', func() bool {
		name, ok := d.key()
		if !ok {
			return false
		}
		for i := range fields {
			if fields[i].name == name {
				again := seen&(1<<i) != 0
				seen |= 1 << i
				return !again && d.value(v.FieldByIndex(fields[i].index))
			}
		}
		for i := range fields {
			if strings.EqualFold(fields[i].name, name) {
				return false
			}
		}
		return d.skip()
	})
}

func (d *decoder) slice(v reflect.Value) bool {
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	n := 0
	return d.items('[', ']', func() bool {
		if n == v.Cap() {
			v.Grow(max(4, n))
		}
		n++
		v.SetLen(n)
		return d.value(v.Index(n - 1))
	})
}

func (d *decoder) stringMap(v reflect.Value) bool {
	t := v.Type()
	v.Set(reflect.MakeMap(t))
	return d.items('{', '}', func() bool {
		name, ok := d.key()
		if !ok {
			return false
		}
		item := reflect.New(t.Elem()).Elem()
		if !d.value(item) {
			return false
		}
		v.SetMapIndex(reflect.ValueOf(name).Convert(t.Key()), item)
		return true
	})
}

func (d *decoder) time(v reflect.Value) bool {
	s, ok := d.string()
	if !ok {
		return false
	}
	// Strict where time.Parse is lenient: encoding/json decides about the rest.
	when, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || when.Format(time.RFC3339Nano) != s {
		return false
	}
	v.Set(reflect.ValueOf(when))
	return true
}

// integer reads a number that has neither fraction nor exponent; "" is none.
func (d *decoder) integer() string {
	d.space()
	start := d.at
	if d.at < len(d.data) && d.data[d.at] == '-' {
		d.at++
	}
	digits := d.at
	for d.at < len(d.data) && d.data[d.at] >= '0' && d.data[d.at] <= '9' {
		d.at++
	}
	if d.at == digits || d.data[digits] == '0' && d.at > digits+1 {
		return ""
	}
	return string(d.data[start:d.at])
}

// string reads a string.
func (d *decoder) string() (string, bool) {
	if d.next() != '"' {
		return "", false
	}
	d.at++
	start := d.at
	for d.at < len(d.data) {
		switch c := d.data[d.at]; {
		case c == '"':
			s := d.data[start:d.at]
			d.at++
			return string(s), utf8.Valid(s)
		case c == '\\':
			return d.escaped(append(make([]byte, 0, 2*(d.at-start)+16), d.data[start:d.at]...))
		case c < ' ':
			return "", false
		}
		d.at++
	}
	return "", false
}

// escapes are the escapes of one letter.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped reads on a string that has escapes in it, from the first; s is what stands
// before.
func (d *decoder) escaped(s []byte) (string, bool) {
	for d.at+1 < len(d.data) {
		c := d.data[d.at]
		switch {
		case c == '"':
			d.at++
			return string(s), utf8.Valid(s)
		case c < ' ':
			return "", false
		case c != '\\':
			s = append(s, c)
			d.at++
			continue
		}
		if e := escapes[d.data[d.at+1]]; e != 0 {
			s = append(s, e)
			d.at += 2
			continue
		}
		if d.data[d.at+1] != 'u' || d.at+6 > len(d.data) {
			return "", false
		}
		r, err := strconv.ParseUint(string(d.data[d.at+2:d.at+6]), 16, 16)
		if err != nil || !utf8.ValidRune(rune(r)) { // half of a pair
			return "", false
		}
		s = utf8.AppendRune(s, rune(r))
		d.at += 6
	}
	if d.at < len(d.data) && d.data[d.at] == '"' {
		d.at++
		return string(s), utf8.Valid(s)
	}
	return "", false
}

// skip reads a value that nobody wants.
func (d *decoder) skip() bool {
	switch d.next() {
	case '{':
		return d.items('{', '}', func() bool { _, ok := d.key(); return ok && d.skip() })
	case '[':
		return d.items('[', ']', d.skip)
	case '"':
		_, ok := d.string()
		return ok
	case 't':
		return d.literal("true")
	case 'f':
		return d.literal("false")
	case 'n':
		return d.literal("null")
	}
	return d.integer() != ""
}
