package main

import (
	"strings"
	"testing"
)

// A terminal's log comes without frames: a line of several pieces has a time before each,
// which is not for the user, and what looks like a time within is.
func TestTimesOfALongLineAreTakenOut(t *testing.T) {
	const stamp, later = "2026-01-02T03:04:05.000000006Z ", "2026-01-02T03:04:06.000000007Z "
	a, b := strings.Repeat("a", pieceSize), strings.Repeat("b", pieceSize-len(stamp))+stamp
	in := stamp + a + stamp + b + stamp + "end\r\n" + later + "short " + later + "\r\n" + later + "no end"
	for _, size := range []int{1, 1000, len(in)} {
		var out strings.Builder
		w := &stampedLines{stampedWriter{&stamped{}, &out}, nil}
		for rest := in; rest != ""; {
			n := min(size, len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.flush(); err != nil {
			t.Fatal(err)
		}
		if want := a + b + "end\r\nshort " + later + "\r\nno end"; out.String() != want {
			t.Errorf("in writes of %d: %d bytes, want %d", size, out.Len(), len(want))
		}
		if got := w.last.Second(); got != 6 {
			t.Errorf("the last line's time ends in %d seconds", got)
		}
	}
}
