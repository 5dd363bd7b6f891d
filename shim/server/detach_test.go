package server

import (
	"strings"
	"testing"
)

func TestMatcher(t *testing.T) {
	for _, c := range []struct {
		keys, in, out string
		detached      bool
	}{
		{"\x10\x11", "plain", "plain", false},
		{"\x10\x11", "a\x10b", "a\x10b", false},
		{"\x10\x11", "a\x10", "a", false}, // held back
		{"\x10\x11", "a\x10\x11b", "a", true},
		{"\x10\x11", "\x10\x10\x11", "\x10", true},
		{"aab", "aaab", "a", true},
		{"abac", "ababac", "ab", true},
		{"abac", "abab", "ab", false},
		{"x", "ax", "a", true},
		{"", "ax", "ax", false},
	} {
		// However the input is cut into pieces.
		for size := 1; size <= len(c.in); size++ {
			m := matcher{keys: []byte(c.keys)}
			var out strings.Builder
			detached := false
			for rest := c.in; len(rest) > 0 && !detached; rest = rest[min(size, len(rest)):] {
				var b []byte
				b, detached = m.filter([]byte(rest[:min(size, len(rest))]))
				out.Write(b)
			}
			if out.String() != c.out || detached != c.detached {
				t.Errorf("keys %q, input %q in pieces of %d: %q %v, want %q %v", c.keys, c.in, size, out.String(), detached, c.out, c.detached)
			}
		}
	}
}

// Nothing of the input is lost or invented, but for the keys at the end and what is
// held back.
func FuzzMatcher(f *testing.F) {
	f.Add("\x10\x11", "a\x10b\x10\x10\x11c")
	f.Add("aab", "aaaaaab")
	f.Fuzz(func(t *testing.T, keys, in string) {
		if keys == "" {
			return
		}
		m := matcher{keys: []byte(keys)}
		var out strings.Builder
		for i := range len(in) {
			b, detached := m.filter([]byte{in[i]})
			out.Write(b)
			if detached {
				if at := strings.Index(in, keys); at+len(keys) != i+1 || out.String() != in[:at] {
					t.Fatalf("keys %q found in %q after byte %d, passed on %q", keys, in, i, out.String())
				}
				return
			}
		}
		if strings.Contains(in, keys) {
			t.Fatalf("keys %q not found in %q", keys, in)
		}
		if got := out.String() + keys[:m.held]; got != in {
			t.Fatalf("keys %q: %q became %q", keys, in, got)
		}
	})
}
