package jsonlog

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                    `""`,
		"plain":               `"plain"`,
		"q\"b\\n\nr\rt\t":     `"q\"b\\n\nr\rt\u0009"`,
		"<a> & b":             `"\u003ca\u003e \u0026 b"`,
		"\x00\x1b[1m\x7f":     "\"\\u0000\\u001b[1m\x7f\"",
		"é € 𝄞":               `"é € 𝄞"`,
		"a\xffb\xc3":          `"a\ufffdb\ufffd"`,
		"\u2028\u2029\ufffd.": "\"\\u2028\\u2029\ufffd.\"",
	} {
		if got := string(AppendString(nil, in)); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
		if got := string(AppendString(nil, []byte(in))); got != want {
			t.Errorf("%q as bytes is %s, want %s", in, got, want)
		}
	}
}

// Whatever the bytes, a JSON reader gets them back, with U+FFFD for what is no UTF-8.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\xff\xfe", "\u2028", "a\x00\"\\<>&\r\n", "\xe2\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := AppendString(nil, s)
		var got string
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%q became %q: %v", s, b, err)
		}
		want := ""
		for _, r := range s {
			want += string(r)
		}
		if got != want {
			t.Errorf("%q came back as %q", s, got)
		}
	})
}

func TestClockIsRFC3339Nano(t *testing.T) {
	var c clock
	for _, at := range []time.Time{
		time.Unix(0, 0), time.Unix(1700000000, 1), time.Unix(1700000000, 120000000), time.Unix(1700000001, 999999999), time.Unix(1700000001, 100),
		time.Date(2026, 2, 28, 23, 59, 59, 500, time.FixedZone("x", 3600)),
	} {
		if got, want := string(c.append(nil, at)), at.UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("%v is %s, want %s", at, got, want)
		}
	}
}

func TestAttrs(t *testing.T) {
	got := string(encodeAttrs(map[string]string{"tag": "b", "label": "<a>"}))
	if want := `"attrs":{"label":"\u003ca\u003e","tag":"b"},`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if encodeAttrs(nil) != nil {
		t.Error("no attributes are something")
	}
}

func BenchmarkWrite(b *testing.B) {
	w, err := Open(Options{Path: b.TempDir() + "/log"})
	if err != nil {
		b.Fatal(err)
	}
	chunk := []byte(strings.Repeat(strings.Repeat("x", 99)+"\n", 320))
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		w.Write(Stdout, chunk)
	}
}
