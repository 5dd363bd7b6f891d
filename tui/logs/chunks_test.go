package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"berth/tui/theme"
)

// A stream may be cut anywhere on its way; the lines are the same.
func TestLinesDoNotDependOnChunks(t *testing.T) {
	var stream []byte
	rnd := rand.New(rand.NewPCG(1, 2))
	var want []string
	for i := range 300 {
		line := fmt.Sprintf("line %d %s", i, strings.Repeat("日x", rnd.IntN(40)))
		body := at + " " + line + "\n"
		kind := byte(1 + rnd.IntN(2))
		if cut := rnd.IntN(len(body)); rnd.IntN(3) == 0 { // one line in two frames
			stream = append(stream, frame(kind, body[:cut])...)
			body = body[cut:]
		}
		stream = append(stream, frame(kind, body)...)
		want = append(want, fmt.Sprint(kind == frameStderr, line))
	}
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "bytes": iotest.OneByteReader(bytes.NewReader(stream)),
		"halves": iotest.HalfReader(bytes.NewReader(stream)), "data with end": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		var got []string
		if err := Read(r, true, func(l Line) { got = append(got, fmt.Sprint(l.Stderr, l.Text)) }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: %d lines, want %d", name, len(got), len(want))
		}
	}
}

func TestABrokenStreamSaysSoAndKeepsWhatCame(t *testing.T) {
	broken := errors.New("connection reset")
	for _, mux := range []bool{true, false} {
		body := []byte("one\ntwo")
		if mux {
			body = append(frame(1, "one\n"), frame(1, "two")...)
		}
		var got []string
		err := Read(io.MultiReader(bytes.NewReader(body), iotest.ErrReader(broken)), mux, func(l Line) { got = append(got, l.Text) })
		if !errors.Is(err, broken) || strings.Join(got, " ") != "one two" {
			t.Errorf("framed %v: %v, %v", mux, got, err)
		}
	}
}

func TestWhatIsNoTimeStaysText(t *testing.T) {
	for _, line := range []string{"", " ", "word", "2026-11-23 09:14:02 local time", strings.Repeat("x", 25) + " y", "日本語日本語日本語日本 x"} {
		got, err := read(t, []byte(line+"\n"), false)
		if err != nil || len(got) != 1 || got[0].Time != "" || got[0].Text != line {
			t.Errorf("%q became %+v, %v", line, got, err)
		}
	}
}

func TestTimesThatAreShort(t *testing.T) {
	b := NewBuffer(theme.Theme{})
	b.times = true
	b.Append([]Line{{Time: "2026-11-23T09:14:02Z", Text: "no fraction"}, {Time: "short", Text: "odd"}}, false)
	if b.Line(0) != "11-23 09:14:02 no fraction" || b.Line(1) != "odd" {
		t.Errorf("%q %q", b.Line(0), b.Line(1))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(frame(1, at+" hello\n"), true)
	f.Add([]byte("raw\nlines"), false)
	f.Fuzz(func(t *testing.T, stream []byte, mux bool) {
		n := 0
		_ = Read(bytes.NewReader(stream), mux, func(l Line) {
			n += len(l.Text)
			if strings.Contains(l.Text, "\n") {
				t.Fatalf("a line holds a line end: %q", l.Text)
			}
		})
		if n > len(stream) {
			t.Fatalf("%d bytes of text from %d", n, len(stream))
		}
	})
}
