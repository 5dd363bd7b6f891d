package text

import (
	"strings"
	"testing"
)

func FuzzWrap(f *testing.F) {
	f.Add("a\x1b[31m日本語 text\x1b[m and more", 5)
	f.Fuzz(func(t *testing.T, s string, width int) {
		if width < 2 || width > 200 {
			return
		}
		line := CleanSGR(s)
		rows := Wrap(line, width)
		var joined strings.Builder
		for _, r := range rows {
			if Width(r) > width {
				t.Fatalf("row %q of %q is %d wide, not %d", r, line, Width(r), width)
			}
			joined.WriteString(Strip(r))
		}
		if joined.String() != Strip(line) {
			t.Fatalf("%q became %q", Strip(line), joined.String())
		}
	})
}

func TestEveryWrappedRowStandsAlone(t *testing.T) {
	for _, row := range Wrap(CleanSGR("\x1b[1;31mred and \x1b[44mblue and so on\x1b[0m plain"), 6) {
		if strings.Contains(row, "\x1b[") && !strings.HasSuffix(row, "\x1b[m") && strings.LastIndex(row, "\x1b[m") < strings.LastIndex(row, "m") && !strings.Contains(row, "\x1b[0m") {
			t.Errorf("%q leaves its colour on", row)
		}
	}
}

func TestCutting(t *testing.T) {
	for _, c := range []struct {
		s        string
		from, to int
		want     string
	}{{"abcdef", 1, 3, "bc"}, {"abc", 2, 9, "c"}, {"abc", 2, 2, ""}, {"abc", 3, 1, ""}, {"日本語", 2, 4, "本"}} {
		if got := Cut(c.s, c.from, c.to); got != c.want {
			t.Errorf("cells %d to %d of %q are %q", c.from, c.to, c.s, got)
		}
	}
}

func TestSpaces(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 127, 128, 129, 1000} {
		if got := Spaces(n); len(got) != max(n, 0) || strings.Trim(got, " ") != "" {
			t.Errorf("%d spaces are %d", n, len(got))
		}
	}
	if Beside() != nil {
		t.Error("no blocks have lines")
	}
	if got := Block(nil, 3, -1); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func BenchmarkCleanPlain(b *testing.B) {
	s := strings.Repeat("plain text of a log ", 10)
	for b.Loop() {
		Clean(s)
	}
}

func BenchmarkCleanColours(b *testing.B) {
	s := strings.Repeat("\x1b[32mgreen\x1b[m and 日本 ", 10)
	for b.Loop() {
		CleanSGR(s)
	}
}
