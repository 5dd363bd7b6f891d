// Package plainjson reads and writes JSON documents of plain Go types without what
// encoding/json costs a process that does it once.
//
// Before encoding/json decodes the first byte it makes an encoder for every type that
// can be reached from the wanted one, which for a specs.Spec, with its Windows and
// its virtual machines, takes 0.6 ms: longer than the kernel takes for the namespaces
// of a container. This package looks at the types that stand in the document only.
//
// It gives what encoding/json gives, in every case: it understands the plain part of
// JSON and of Go's types, and whatever else it meets (an error above all, but
// also a name in other letters, a field given twice, an embedded struct, a type with
// methods of its own) it leaves to encoding/json, from the start. The fuzz tests hold
// that against the types of the runtime specification.
package plainjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"time"
)

// Unmarshal is json.Unmarshal into what v points to, which must be its type's zero
// value.
func Unmarshal(data []byte, v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return json.Unmarshal(data, v)
	}
	d := decoder{data: data}
	if d.value(target.Elem()) && d.end() {
		return nil
	}
	target.Elem().SetZero()
	return json.Unmarshal(data, v)
}

// Marshal is json.Marshal.
func Marshal(v any) ([]byte, error) {
	if b, ok := Append(make([]byte, 0, 1024), v); ok {
		return b, nil
	}
	return json.Marshal(v)
}

// Append appends what Marshal gives to b. It is false for what is not plain.
func Append(b []byte, v any) ([]byte, bool) {
	e := encoder{out: b}
	ok := e.value(reflect.ValueOf(v))
	return e.out, ok
}

// field is a field of a struct that has a name in JSON.
type field struct {
	name      string
	index     []int
	omitEmpty bool
}

// shapes are the structs met so far.
type shapes []shape

type shape struct {
	of     reflect.Type
	fields []field
}

// of gives the fields of a struct. It is false for what this package leaves to
// encoding/json.
func (s *shapes) of(t reflect.Type) ([]field, bool) {
	for i := range *s {
		if (*s)[i].of == t {
			return (*s)[i].fields, true
		}
	}
	fields, ok := appendFields(make([]field, 0, t.NumField()), t, nil)
	if !ok || len(fields) > 64 { // one bit for each in the decoder
		return nil, false
	}
	*s = append(*s, shape{t, fields})
	return fields, true
}

// appendFields adds the fields of a struct that is at the index in another.
func appendFields(fields []field, t reflect.Type, at []int) ([]field, bool) {
	if hasMethods(t) {
		return nil, false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		index := append(at[:len(at):len(at)], i)
		if f.Anonymous {
			if tag != "" || f.Type.Kind() != reflect.Struct {
				return nil, false
			}
			var ok bool
			if fields, ok = appendFields(fields, f.Type, index); !ok {
				return nil, false
			}
			continue
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, options := tag, ""
		for j := range len(tag) {
			if tag[j] == ',' {
				name, options = tag[:j], tag[j:]
				break
			}
		}
		if options != "" && options != ",omitempty" {
			return nil, false
		}
		if name == "" {
			name = f.Name
		}
		for _, c := range name {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') { // encoding/json has rules for others
				return nil, false
			}
		}
		for _, other := range fields {
			if other.name == name {
				return nil, false
			}
		}
		fields = append(fields, field{name, index, options != ""})
	}
	return fields, true
}

var (
	timeType = reflect.TypeFor[time.Time]()
	custom   = []reflect.Type{reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[json.Marshaler](),
		reflect.TypeFor[encoding.TextUnmarshaler](), reflect.TypeFor[encoding.TextMarshaler]()}
)

// hasMethods tells whether a type has methods by which it makes its JSON itself.
func hasMethods(t reflect.Type) bool {
	if t.PkgPath() == "" { // a type without a name has no methods
		return false
	}
	p := reflect.PointerTo(t)
	if p.NumMethod() == 0 {
		return false
	}
	for _, c := range custom {
		if p.Implements(c) {
			return true
		}
	}
	return false
}
