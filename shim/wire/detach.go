package wire

import (
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
)

// DefaultDetachKeys is ctrl-p, ctrl-q.
var DefaultDetachKeys = []byte{16, 17}

// ParseDetachKeys turns docker's notation (`ctrl-p,ctrl-q`, `ctrl-\`, `a,b`) into the
// bytes a terminal sends. Empty means the default.
func ParseDetachKeys(s string) ([]byte, error) {
	if s == "" {
		return DefaultDetachKeys, nil
	}
	var keys []byte
	for key := range strings.SplitSeq(s, ",") {
		b, ok := keyByte(key)
		if !ok {
			return nil, fmt.Errorf("parse detach keys %q: unknown key %q: %w", s, key, errdefs.ErrInvalidArgument)
		}
		keys = append(keys, b)
	}
	return keys, nil
}

// keyByte is what a terminal sends for one key.
func keyByte(key string) (byte, bool) {
	if len(key) == 1 {
		return key[0], true
	}
	if key == "DEL" {
		return 127, true
	}
	rest, ok := strings.CutPrefix(key, "ctrl-")
	if !ok || len(rest) != 1 {
		return 0, false
	}
	switch c := rest[0]; {
	case c >= 'a' && c <= 'z':
		return c - 'a' + 1, true
	case c == '@' || c >= '[' && c <= '_':
		return c - '@', true
	}
	return 0, false
}
