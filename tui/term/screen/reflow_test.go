package screen

import (
	"fmt"
	"strings"
	"testing"
)

// Text is broken anew for another width, and whole again when that comes back.
func TestAnotherWidthBreaksTheTextAnew(t *testing.T) {
	for name, c := range map[string]struct {
		in    string
		width int
		want  string
		typed string // where "X" goes that is written then
	}{
		"narrower":                {in: "0123456789abc", width: 5, want: "01234\n56789\nabc", typed: "01234\n56789\nabcX"},
		"wider":                   {in: "0123456789abc", width: 20, want: "0123456789abc", typed: "0123456789abcX"},
		"lines of their own":      {in: "abc\r\ndef", width: 20, want: "abc\ndef", typed: "abc\ndefX"},
		"the cursor in the text":  {in: "0123456789abc\x1b[1;8H", width: 5, want: "01234\n56789\nabc", typed: "01234\n56X89\nabc"},
		"a waiting wrap is none":  {in: "0123456789", width: 20, want: "0123456789", typed: "0123456789X"},
		"a wrap goes on waiting":  {in: "0123456789", width: 5, want: "01234\n56789", typed: "01234\n56789\nX"},
		"wide characters whole":   {in: "日本語日本", width: 5, want: "日本\n語日\n本", typed: "日本\n語日\n本X"},
		"a wide one at the edge":  {in: "012345678日x", width: 20, want: "012345678日x", typed: "012345678日xX"},
		"marks stay with letters": {in: "01234567e\u0301\u0308x", width: 4, want: "0123\n4567\ne\u0301\u0308x", typed: "0123\n4567\ne\u0301\u0308xX"},
		"below the cursor":        {in: "0123456\r\nabcdefg\x1b[H", width: 4, want: "0123\n456\nabcd\nefg", typed: "X123\n456\nabcd\nefg"},
		"background is no text":   {in: "ab\x1b[41m\x1b[K\x1b[m\r\nc", width: 4, want: "ab\nc", typed: "ab\ncX"},
		"what was erased":         {in: "0123456789abc\x1b[1;6H\x1b[K", width: 5, want: "01234\nabc", typed: "01234\nXbc"},
	} {
		term := after(10, 6, c.in)
		before := strings.TrimRight(term.String(), "\n")
		term.Resize(c.width, 6)
		exact(t, term)
		got := strings.TrimRight(term.String(), "\n")
		term.Resize(10, 6)
		if back := strings.TrimRight(term.String(), "\n"); back != before {
			t.Errorf("%s: afterwards\n%s\nwant\n%s", name, back, before)
		}
		term.Resize(c.width, 6)
		term.Write([]byte("X"))
		if typed := strings.TrimRight(term.String(), "\n"); got != c.want || typed != c.typed {
			t.Errorf("%s: shows\n%s\nwant\n%s\nand typed into\n%s\nwant\n%s", name, got, c.want, typed, c.typed)
		}
	}
}

// The history is broken anew with the screen, and copied whole at each width.
func TestTheHistoryIsBrokenAnew(t *testing.T) {
	term := New(40, 5, 10_000)
	var want strings.Builder
	for i := range 100 {
		l := fmt.Sprintf("line %d of many %s", i, strings.Repeat("word ", i%9))
		fmt.Fprintf(term, "%s\r\n", l)
		want.WriteString(strings.TrimRight(l, " ") + "\n")
	}
	text := func() string {
		lines := strings.Split(term.Text(term.First(), term.Top()+50), "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
	}
	first := term.First()
	for _, size := range [][2]int{{7, 5}, {200, 5}, {13, 30}, {80, 2}, {1, 1}, {40, 5}} {
		term.Resize(size[0], size[1])
		exact(t, term)
		if got := text(); size[0] > 1 && got != want.String() {
			t.Fatalf("at %v the text is\n%s\nwant\n%s", size, got, want.String())
		}
		if term.First() != first && size[0] > 1 {
			t.Errorf("at %v the oldest line has the number %d, was %d", size, term.First(), first)
		}
		if size == [2]int{13, 30} && !strings.Contains(term.String(), "line 99 of") {
			t.Errorf("the newest line is gone from\n%s", term)
		}
	}
}

// A screen that was cleared stays so: its history does not come back into it.
func TestAClearedScreenStaysCleared(t *testing.T) {
	term := after(20, 4, strings.Repeat("long lines of text\r\n", 20), "\x1b[H\x1b[2J$ ")
	for _, width := range []int{9, 30, 20} {
		term.Resize(width, 4)
		shows(t, term, "$")
	}
}

// Under a full-screen program the shell's text is broken anew for when it is back.
func TestTheShellIsBrokenAnewBehindAProgram(t *testing.T) {
	term := after(10, 4, "0123456789abc\x1b[?1049h\x1b[Hvim")
	term.Resize(5, 4)
	shows(t, term, "vim")
	term.Write([]byte("\x1b[?1049lX"))
	shows(t, term, "01234\n56789\nabcX")
}

func BenchmarkReflow(b *testing.B) {
	term := New(120, 36, 10_000)
	for i := range 10_000 {
		fmt.Fprintf(term, "line %d %s\r\n", i, strings.Repeat("text ", i%40))
	}
	for i := 0; b.Loop(); i++ {
		term.Resize(60+60*(i%2), 36)
	}
}
