package container

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"reflect"
	"strings"

	"berth/runtime/plainfile"
	"berth/runtime/plainjson"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// LoadSpec reads the config.json of a bundle.
func LoadSpec(bundle string) (*specs.Spec, error) {
	name := path.Join(bundle, "config.json")
	var spec specs.Spec
	err := DecodeFile(name, &spec)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("JSON specification file %s not found: %w", name, errdefs.ErrNotFound)
	}
	return &spec, err
}

// DecodeFile reads a JSON file into what into points to. Errors in it say where
// and what was wanted there.
func DecodeFile(name string, into any) error {
	b, err := plainfile.Read(name)
	if err != nil {
		return fmt.Errorf("read the spec: %w", err)
	}
	if err := plainjson.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s:%s: %w", name, explainJSON(b, err), errdefs.ErrInvalidArgument)
	}
	return nil
}

// explainJSON gives the line of an error of package json, and the error in words of
// the specification instead of Go's.
func explainJSON(b []byte, err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	at := int64(len(b))
	text := err.Error()
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
		if strings.HasPrefix(text, "unexpected end") {
			text = fmt.Sprintf("the file is cut off after %d bytes", len(b))
		}
	case errors.As(err, &kind):
		at = kind.Offset
		field := kind.Field
		if field == "" {
			field = "the file"
		}
		text = fmt.Sprintf("%s: want %s, have %s", field, wanted(kind.Type), kind.Value)
	}
	line := 1 + bytes.Count(b[:min(at, int64(len(b)))], []byte("\n"))
	return fmt.Sprintf("%d: %s", line, text)
}

// wanted names a JSON type by the Go type that takes it.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Pointer:
		return wanted(t.Elem())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprintf("a whole number of at most %d bits without sign", t.Bits())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprintf("a whole number of at most %d bits", t.Bits())
	}
	return t.String()
}
