package screen

import (
	"strings"
	"testing"
)

// What the VT510 manual and xterm's control sequences say of the corners: the
// region, the last column, what is saved and restored, and answers.
func TestTheStandardsCorners(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"a tab leaves a waiting wrap waiting":      {"0123456789\tX", "0123456789\nX"},
		"a backspace ends a waiting wrap":          {"0123456789\bX", "01234567X9"},
		"a wrap that was switched off":             {"0123456789\x1b[?7lX", "012345678X"},
		"a wrap is saved with the cursor":          {"0123456789\x1b7\x1b[3;3H\x1b8X", "0123456789\nX"},
		"a line feed below the region":             {"\x1b[1;2r\x1b[4;1Ha\nb", "\n\n\nab"},
		"a line feed at the region's end":          {"a\r\nb\r\nc\x1b[1;2r\x1b[2;1H\nX", "b\nX\nc"},
		"up stops at the region":                   {"\x1b[2;3r\x1b[3;1H\x1b[9AX", "\nX"},
		"up from above the region":                 {"\x1b[3;4r\x1b[2;1H\x1b[9AX", "X"},
		"down stops at the region":                 {"\x1b[2;3r\x1b[2;1H\x1b[9BX", "\n\nX"},
		"down from below the region":               {"\x1b[1;2r\x1b[3;1H\x1b[9BX", "\n\n\nX"},
		"insert lines outside the region":          {"a\r\nb\r\nc\x1b[2;3r\x1b[1;1H\x1b[LX", "X\nb\nc"},
		"delete lines in the region":               {"a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[2;1H\x1b[M", "a\nc\n\nd"},
		"insert lines in the region":               {"a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[2;1H\x1b[L", "a\n\nb\nd"},
		"scroll up in the region":                  {"a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[S", "a\nc\n\nd"},
		"scroll down in the region":                {"a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[T", "a\n\nb\nd"},
		"reverse index at the region's start":      {"a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[2;1H\x1bM", "a\n\nb\nd"},
		"a region of one line is none":             {"a\x1b[2;2rX", "aX"},
		"a region puts the cursor home":            {"ab\x1b[1;3rX", "Xb"},
		"the region ends at the screen":            {"a\r\nb\r\nc\r\nd\x1b[2;99r\x1b[4;1H\nX", "a\nc\nd\nX"},
		"origin mode keeps to the region":          {"\x1b[2;3r\x1b[?6h\x1b[9;1HX", "\n\nX"},
		"origin mode and rows alone":               {"\x1b[2;3r\x1b[?6h\x1b[2dX", "\n\nX"},
		"origin mode ends at home":                 {"\x1b[2;3r\x1b[?6h\x1b[2;2H\x1b[?6lX", "X"},
		"origin mode is saved with the cursor":     {"\x1b[2;3r\x1b[?6h\x1b7\x1b[?6l\x1b8\x1b[1;1HX", "\nX"},
		"charsets are saved with the cursor":       {"\x1b(0\x1b7\x1b(B\x1b8q", "─"},
		"restoring what was not saved":             {"ab\x1b8X", "Xb"},
		"a soft reset forgets what was saved":      {"ab\x1b7\x1b[!p\x1b8X", "Xb"},
		"a soft reset keeps the text":              {"ab\x1b[2;3r\x1b[?6h\x1b[4h\x1b[!pc", "ab\nc"},
		"a repeated wide character":                {"日\x1b[2b", "日日日"},
		"a repeated line":                          {"\x1b(0q\x1b[3b", "────"},
		"repeating wraps":                          {"a\x1b[11b", "aaaaaaaaaa\naa"},
		"repeating nothing":                        {"\x1b[5bX", "X"},
		"insertion pushes characters off the edge": {"0123456789\x1b[9G\x1b[5@X", "01234567X"},
		"insertion cuts a wide character":          {"12345678日\x1b[1G\x1b[@", " 12345678"},
		"deletion cuts a wide character":           {"日本\x1b[2G\x1b[P", " 本"},
		"erasure in a line keeps others":           {"ab\r\ncd\x1b[1;2H\x1b[2K", "\ncd"},
		"a tab stop taken away":                    {"\x1b[9G\x1b[g\r\tX", "         X"},
		"three tabs stop at the edge":              {"\x1b[3IX", "         X"},
		"the alignment pattern undoes the region":  {"\x1b[2;3r\x1b#8\x1b[4;1H\nX", "EEEEEEEEEE\nEEEEEEEEEE\nEEEEEEEEEE\nX"},
		"next line at the region's end":            {"a\r\nb\x1b[1;2r\x1b[2;2H\x1bEX", "b\nX"},
		"the alternate screen and its own save":    {"ab\x1b7\x1b[?47h\x1b[3;3H\x1b7\x1b[?47l\x1b8X", "abX"},
		"a combining mark after the edge":          {"012345678e\u0301X", "012345678e\u0301\nX"},
		"a mark after a move joins nothing":        {"e\x1b[C\u0301X", "e X"},
		"titles leave no text":                     {"\x1b]0;t\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\x1b]4;1;red\x07", "link"},
	} {
		shows := strings.TrimRight(after(10, 4, c.in).String(), "\n")
		if shows != c.want {
			t.Errorf("%s: %q shows\n%s\nwant\n%s", name, c.in, shows, c.want)
		}
	}
}

func TestQueriesAreAnsweredAsByXterm(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[=c":                              "\x1bP!|00000000\x1b\\",
		"\x1b[>q":                              "\x1bP>|berth\x1b\\",
		"\x1b[19t":                             "\x1b[9;24;80t",
		"\x1b[3;9r\x1b[?6h\x1b[2;5H\x1b[6n":    "\x1b[2;5R",
		"\x1b[3;9r\x1b[?6h\x1b[2;5H\x1b[?6n":   "\x1b[?2;5;1R",
		"\x1b]11;?\a":                          "\x1b]11;rgb:0000/0000/0000\a",
		"\x1b]10;?\x1b\\":                      "\x1b]10;rgb:cccc/cccc/cccc\x1b\\",
		"\x1b]12;?\x1b\\":                      "\x1b]12;rgb:cccc/cccc/cccc\x1b\\",
		"\x1b]4;1;?\a":                         "\x1b]4;1;rgb:cdcd/0000/0000\a",
		"\x1b]4;214;?;255;?\x1b\\":             "\x1b]4;214;rgb:ffff/afaf/0000\x1b\\\x1b]4;255;rgb:eeee/eeee/eeee\x1b\\",
		"\x1b]4;256;?\a\x1b]4;x;?\a\x1b]4;1\a": "",
		"\x1b[1;38;5;9m\x1bP$qm\x1b\\":         "\x1bP1$r0;1;91m\x1b\\",
		"\x1b[2;7r\x1bP$qr\x1b\\":              "\x1bP1$r2;7r\x1b\\",
		"\x1b[4 q\x1bP$q q\x1b\\":              "\x1bP1$r4 q\x1b\\",
		"\x1bP$q q\x1b\\":                      "\x1bP1$r0 q\x1b\\",
		"\x1bP$qx\x1b\\":                       "\x1bP0$r\x1b\\",
		"\x1b[?2026$p\x1b[?2026h\x1b[?2026$p":  "\x1b[?2026;2$y\x1b[?2026;1$y",
	} {
		if got := string(after(80, 24, in).Replies()); got != want {
			t.Errorf("%q is answered with %q, want %q", in, got, want)
		}
	}
}

// vim and others put the title aside and bring it back; a stack without end does not grow.
func TestTitlesArePutAside(t *testing.T) {
	term := after(20, 2, "\x1b]2;shell\a\x1b[22;2t\x1b]2;editor\a")
	if term.Title() != "editor" {
		t.Errorf("title %q", term.Title())
	}
	term.Write([]byte("\x1b[22;1t\x1b[23;1t\x1b[23;0t"))
	if term.Title() != "shell" {
		t.Errorf("the title brought back is %q", term.Title())
	}
	term.Write([]byte("\x1b[23t" + strings.Repeat("\x1b[22t", 1000)))
	if term.Title() != "shell" || len(term.titles) > maxTitles {
		t.Errorf("title %q, %d put aside", term.Title(), len(term.titles))
	}
}

// A soft reset in a full-screen program leaves it where it is.
func TestASoftResetKeepsTheScreen(t *testing.T) {
	term := after(20, 2, "shell\x1b[?1049h\x1b[!pX")
	if !term.AltScreen() {
		t.Error("the alternate screen is not known as such")
	}
	term.Write([]byte("\x1b[?1049l"))
	shows(t, term, "shell")
}
