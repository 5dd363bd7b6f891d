package plainjson

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// encoder writes a document. Its methods return false for all that is left to
// encoding/json.
type encoder struct {
	out    []byte
	shapes shapes
}

func (e *encoder) value(v reflect.Value) bool {
	if !v.IsValid() {
		return false
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return e.null(v)
		}
		return e.value(v.Elem())
	case reflect.Struct:
		if v.Type() == timeType {
			return e.time(v.Interface().(time.Time))
		}
		return e.object(v)
	}
	if hasMethods(v.Type()) {
		return false
	}
	switch v.Kind() {
	case reflect.String:
		return e.string(v.String())
	case reflect.Bool:
		e.out = strconv.AppendBool(e.out, v.Bool())
		return true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.out = strconv.AppendInt(e.out, v.Int(), 10)
		return true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.out = strconv.AppendUint(e.out, v.Uint(), 10)
		return true
	case reflect.Slice:
		return e.slice(v)
	case reflect.Map:
		return e.stringMap(v)
	}
	return false
}

// null writes null for a type that may have more to say about it.
func (e *encoder) null(v reflect.Value) bool {
	if hasMethods(v.Type().Elem()) && v.Type().Elem() != timeType {
		return false
	}
	e.out = append(e.out, "null"...)
	return true
}

func (e *encoder) object(v reflect.Value) bool {
	fields, ok := e.shapes.of(v.Type())
	if !ok {
		return false
	}
	e.out = append(e.out, '{')
	for _, f := range fields {
		item := v.FieldByIndex(f.index)
		if f.omitEmpty && empty(item) {
			continue
		}
		e.comma('{')
		e.out = append(append(append(e.out, '"'), f.name...), '"', ':')
		if !e.value(item) {
			return false
		}
	}
	e.out = append(e.out, '}')
	return true
}

// comma separates from what is written already, which began with open.
func (e *encoder) comma(open byte) {
	if e.out[len(e.out)-1] != open {
		e.out = append(e.out, ',')
	}
}

// empty is what omitempty means by it.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Struct:
		return false
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

func (e *encoder) slice(v reflect.Value) bool {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return false
	}
	if v.IsNil() {
		return e.null(v)
	}
	e.out = append(e.out, '[')
	for i := range v.Len() {
		e.comma('[')
		if !e.value(v.Index(i)) {
			return false
		}
	}
	e.out = append(e.out, ']')
	return true
}

func (e *encoder) stringMap(v reflect.Value) bool {
	if v.Type().Key().Kind() != reflect.String || hasMethods(v.Type().Key()) {
		return false
	}
	if v.IsNil() {
		return e.null(v)
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		switch x, y := a.String(), b.String(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	e.out = append(e.out, '{')
	for _, k := range keys {
		e.comma('{')
		if !e.string(k.String()) {
			return false
		}
		e.out = append(e.out, ':')
		if !e.value(v.MapIndex(k)) {
			return false
		}
	}
	e.out = append(e.out, '}')
	return true
}

// string writes a string that needs no escape, or the frequent ones only.
func (e *encoder) string(s string) bool {
	e.out = append(e.out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			e.out = append(e.out, '\\', c)
		case c == '\n':
			e.out = append(e.out, '\\', 'n')
		case c < ' ' || c == '<' || c == '>' || c == '&' || c == 0x7f || c >= utf8.RuneSelf:
			return false
		default:
			e.out = append(e.out, c)
		}
	}
	e.out = append(e.out, '"')
	return true
}

func (e *encoder) time(t time.Time) bool {
	if year := t.Year(); year < 0 || year > 9999 {
		return false
	}
	if _, offset := t.Zone(); math.Abs(float64(offset)) > 12*3600 || offset%60 != 0 {
		return false
	}
	e.out = append(e.out, '"')
	e.out = t.AppendFormat(e.out, time.RFC3339Nano)
	e.out = append(e.out, '"')
	return true
}
