package screen

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// after writes parts to a new terminal and returns it.
func after(width, height int, parts ...string) *Terminal {
	t := New(width, height, 100)
	for _, p := range parts {
		t.Write([]byte(p))
	}
	return t
}

// shows compares the text on the screen, without trailing blank lines.
func shows(t *testing.T, term *Terminal, want string) {
	t.Helper()
	if got := strings.TrimRight(term.String(), "\n"); got != want {
		t.Errorf("the screen shows\n%s\nwant\n%s", got, want)
	}
}

func TestSequences(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"text":                     {"hello", "hello"},
		"wrap":                     {"0123456789abc", "0123456789\nabc"},
		"the wrap waits":           {"0123456789\rX", "X123456789"},
		"no wrap":                  {"\x1b[?7l0123456789abc", "012345678c"},
		"carriage return":          {"abc\rX", "Xbc"},
		"line feed keeps column":   {"ab\nc", "ab\n  c"},
		"new line mode":            {"\x1b[20hab\nc", "ab\nc"},
		"backspace":                {"abc\b\bX", "aXc"},
		"tab":                      {"a\tb", "a       b"},
		"back tab":                 {"a\tb\x1b[ZX", "a       X"},
		"own tab stops":            {"\x1b[3g\x1b[4G\x1bH\r\tX", "   X"},
		"position":                 {"\x1b[2;3HX", "\n  X"},
		"position past the end":    {"\x1b[99;99HX\x1b[HY", "Y\n\n\n         X"},
		"relative moves":           {"abc\x1b[2DX\x1b[BY\x1b[AZ", "aXcZ\n  Y"},
		"erase to the end":         {"abcdef\x1b[3D\x1b[K", "abc"},
		"erase to the start":       {"abcdef\x1b[3D\x1b[1K", "    ef"},
		"erase below":              {"a\r\nb\r\nc\x1b[2;1H\x1b[J", "a"},
		"erase above":              {"a\r\nb\r\nc\x1b[2;1H\x1b[1J", "\n\nc"},
		"insert characters":        {"abc\x1b[2G\x1b[2@", "a  bc"},
		"delete characters":        {"abcdef\x1b[2G\x1b[2P", "adef"},
		"erase characters":         {"abcdef\x1b[2G\x1b[2X", "a  def"},
		"insert mode":              {"abc\r\x1b[4hX\x1b[4lY", "XYbc"},
		"insert lines":             {"a\r\nb\r\nc\x1b[2;1H\x1b[L", "a\n\nb\nc"},
		"delete lines":             {"a\r\nb\r\nc\x1b[1;1H\x1b[M", "b\nc"},
		"scroll":                   {"a\r\nb\r\nc\r\nd\r\ne", "b\nc\nd\ne"},
		"scroll region":            {"a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[3;1H\n", "a\nc\n\nd"},
		"reverse index":            {"a\r\nb\x1b[H\x1bM", "\na\nb"},
		"scroll down":              {"a\r\nb\x1b[T", "\na\nb"},
		"origin mode":              {"\x1b[2;3r\x1b[?6h\x1b[1;1HX", "\nX"},
		"repeat":                   {"ab\x1b[3b", "abbbb"},
		"save and restore":         {"ab\x1b7\x1b[4;4H\x1b8c", "abc"},
		"save and restore by CSI":  {"ab\x1b[s\x1b[4;4H\x1b[uc", "abc"},
		"line drawing":             {"\x1b(0lqk\x1b(Bq", "┌─┐q"},
		"shifted line drawing":     {"\x1b)0\x0eq\x0fq", "─q"},
		"reset":                    {"abc\x1b[31m\x1bcX", "X"},
		"alternate screen":         {"abc\x1b[?1049hX", "   X"},
		"and back":                 {"abc\x1b[?1049hX\x1b[?1049ld", "abcd"},
		"unknown sequences":        {"\x1b[5;6;7y\x1b[?9999h\x1b[>4;2m\x1b[=1u\x1b]777;x\aok", "ok"},
		"broken sequences":         {"\x1b[3\x1b[1mok\x1b[12\x18!", "ok!"},
		"controls in a sequence":   {"ab\x1b[\r1Cc", "ac"},
		"a string is swallowed":    {"\x1bPq#0;1\x1b\\\x1b_apc\x1b\\\x1bXsos\x1b\\ok", "ok"},
		"wide characters":          {"日本語", "日本語"},
		"wide at the edge":         {"123456789日", "123456789\n日"},
		"half of a wide one":       {"日本\x1b[2GX", " X本"},
		"erase half":               {"日本\x1b[2G\x1b[X", "  本"},
		"combining":                {"e\u0301a\u0308", "e\u0301a\u0308"},
		"joiners are dropped":      {"👨\u200d👩", "👨👩"},
		"flags become letters":     {"🇩🇪", "DE"},
		"direction is dropped":     {"a\u202eb\u2066c", "abc"},
		"C1 are not obeyed":        {"a\u009b31mb", "a31mb"},
		"invalid UTF-8":            {"a\xffb\xe3\x81c", "a\uFFFDb\uFFFDc"},
		"DEL is nothing":           {"a\x7fb", "ab"},
		"alignment test":           {"\x1b#8", strings.TrimRight(strings.Repeat("EEEEEEEEEE\n", 4), "\n")},
		"a sequence for modifiers": {"\x1b[1;31mX\x1b[>4mY", "XY"},
	} {
		t.Run(name, func(t *testing.T) {
			shows(t, after(10, 4, c.in), c.want)
			// The same, byte by byte.
			shows(t, after(10, 4, strings.SplitAfter(c.in, "")...), c.want)
			bytewise := New(10, 4, 100)
			for i := range len(c.in) {
				bytewise.Write([]byte{c.in[i]})
			}
			shows(t, bytewise, c.want)
		})
	}
}

func TestStyles(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[1;31mX":                            "\x1b[0;1;31mX\x1b[0m ",
		"\x1b[38;5;200;48;2;1;2;3mX":             "\x1b[0;38;5;200;48;2;1;2;3mX\x1b[0m ",
		"\x1b[38:5:9mX":                          "\x1b[0;91mX\x1b[0m ",
		"\x1b[38:2::9:8:7mX":                     "\x1b[0;38;2;9;8;7mX\x1b[0m ",
		"\x1b[38:2:9:8:7mX":                      "\x1b[0;38;2;9;8;7mX\x1b[0m ",
		"\x1b[4:3mX":                             "\x1b[0;4:3mX\x1b[0m ",
		"\x1b[58;5;3;4mX":                        "\x1b[0;4mX\x1b[0m ",
		"\x1b[1;2;3;5;7;9mX\x1b[22;23;25;27;29m": "\x1b[0;1;2;3;5;7;9mX\x1b[0m ",
		"\x1b[97;102mX":                          "\x1b[0;97;102mX\x1b[0m ",
		"\x1b[8mX":                               "  ",
		"\x1b[?5hX":                              "\x1b[0;7mX \x1b[m",
		"X\x1b[41m\x1b[K":                        "X\x1b[0;41m \x1b[m",
	} {
		if got := string(after(2, 1, in).AppendLine(nil, 0, 2, nil)); got != want {
			t.Errorf("%q is drawn as %q, want %q", in, got, want)
		}
	}
}

func TestReplies(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[c":                  "\x1b[?62;22c",
		"\x1b[5n":                 "\x1b[0n",
		"ab\x1b[6n":               "\x1b[1;3R",
		"\x1b[?6n":                "\x1b[?1;1;1R",
		"\x1b[18t":                "\x1b[8;24;80t",
		"\x1b[?2004h\x1b[?2004$p": "\x1b[?2004;1$y",
		"\x1b[?1$p":               "\x1b[?1;2$y",
		"\x1b[?77$p":              "\x1b[?77;0$y",
		"\x1b[4$p":                "\x1b[4;2$y",
		"\x1b]11;?\x1b\\":         "\x1b]11;rgb:0000/0000/0000\x1b\\",
		"\x1bP$q\"p\x1b\\":        "\x1bP0$r\x1b\\",
		"\x1b]52;c;?\a":           "",
		"\x1b[>1c\x1b[?u":         "",
	} {
		term := after(80, 24, in)
		if got := string(term.Replies()); got != want {
			t.Errorf("%q is answered with %q, want %q", in, got, want)
		}
		if term.Replies() != nil {
			t.Errorf("%q is answered twice", in)
		}
	}
}

// Nobody may have to take the replies: a flood of queries costs bounded memory.
func TestAFloodOfQueriesHangsNothing(t *testing.T) {
	term := after(80, 24, strings.Repeat("\x1b[6n\x1b[c\x1b]11;?\a", 100_000))
	if n := len(term.Replies()); n == 0 || n > maxReplies {
		t.Errorf("%d bytes of replies", n)
	}
	term.Write([]byte("\x1b[5n"))
	if got := string(term.Replies()); got != "\x1b[0n" {
		t.Errorf("afterwards %q", got)
	}
}

func TestTitlesAndClipboardAreSafe(t *testing.T) {
	term := after(20, 2, "\x1b]0;a;b\x1b\\")
	if term.Title() != "a;b" {
		t.Errorf("title %q", term.Title())
	}
	term.Write([]byte("\x1b]2;evil\u009b\u202e\xff\x01" + strings.Repeat("x", 1000) + "\a"))
	if got := term.Title(); strings.ContainsAny(got, "\u009b\u202e\x01") || !strings.HasPrefix(got, "evilx") || len(got) > maxTitle {
		t.Errorf("title %q", got)
	}
	term.Write([]byte("\x1b]52;c;aGVsbG8=\a"))
	if _, ok := term.Clipboard(); ok {
		t.Error("the clipboard was taken without leave")
	}
	term.TakeClipboard = true
	term.Write([]byte("\x1b]52;c;aGVsbG8=\a"))
	if text, ok := term.Clipboard(); !ok || string(text) != "hello" {
		t.Errorf("clipboard %q", text)
	}
	term.Write([]byte("\x1b]52;c;" + strings.Repeat("A", 2*maxString) + "\x1b\\after"))
	if _, ok := term.Clipboard(); ok || !strings.Contains(term.String(), "after") {
		t.Error("an endless string")
	}
}

func TestModes(t *testing.T) {
	term := after(10, 4, "\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h\x1b[?1002h\x1b[?1006h\x1b[?2026h\x1b[?25l\x1b[5 q")
	clicks, drags, motion, sgr := term.Mouse()
	if !term.AppCursorKeys() || !term.AppKeypad() || !term.BracketedPaste() || !term.FocusEvents() || !clicks || !drags || motion || !sgr || !term.Holding() {
		t.Error("modes are not set")
	}
	if _, _, shape, visible := term.Cursor(); visible || shape != ShapeBar {
		t.Errorf("cursor %v %v", shape, visible)
	}
	term.Write([]byte("\x1b[?1003h\x1b[!p\x1b[?1003l"))
	if clicks, _, _, _ := term.Mouse(); clicks || term.AppCursorKeys() {
		t.Error("modes are still set")
	}
	for n, want := range map[string]Shape{"0": ShapeDefault, "1": ShapeBlock, "2": ShapeBlock, "3": ShapeUnderline, "4": ShapeUnderline, "6": ShapeBar, "99": ShapeBar} {
		if _, _, got, _ := after(1, 1, "\x1b["+n+" q").Cursor(); got != want {
			t.Errorf("shape %s is %v", n, got)
		}
	}
}

func TestHistory(t *testing.T) {
	term := New(10, 3, 5)
	for i := range 20 {
		fmt.Fprintf(term, "line %d\r\n", i)
	}
	if term.Top() != 18 || term.First() != 13 {
		t.Fatalf("lines %d to %d", term.First(), term.Top())
	}
	if got := term.Text(14, 15); got != "line 14\nline 15\n" {
		t.Errorf("text %q", got)
	}
	if got := string(term.AppendLine(nil, 13, 10, nil)); got != "line 13   " {
		t.Errorf("oldest line %q", got)
	}
	if got := string(term.AppendLine(nil, 3, 10, nil)); got != "          " {
		t.Errorf("a forgotten line is %q", got)
	}
	term.Write([]byte("\x1b[?1049h"))
	if term.First() != term.Top() {
		t.Error("the alternate screen has a history")
	}
	term.Write([]byte("\x1b[?1049l\x1b[3J"))
	if term.First() != term.Top() {
		t.Error("the history was not erased")
	}
}

func TestWrappedLinesAreCopiedAsOne(t *testing.T) {
	term := after(10, 4, "0123456789abc\r\nnext")
	if got := term.Text(0, 2); got != "0123456789abc\nnext\n" {
		t.Errorf("text %q", got)
	}
}

func TestResize(t *testing.T) {
	term := after(10, 4, "a\r\nb\r\nc\r\nd")
	term.Resize(10, 2)
	shows(t, term, "c\nd")
	term.Write([]byte("!"))
	term.Resize(10, 4)
	shows(t, term, "a\nb\nc\nd!")
	term.Resize(1, 4)
	term.Resize(10, 4)
	shows(t, term, "a\nb\nc\nd!")
	term = after(10, 2, "ab日")
	term.Resize(3, 2)
	shows(t, term, "ab\n日")
}

func TestResizeStorm(t *testing.T) {
	term := New(80, 24, 1000)
	for i := range 3000 {
		w, h := 1+i*7919%200, 1+i*104729%60
		term.Resize(w, h)
		fmt.Fprintf(term, "\x1b[%d;%dr\x1b[%d;%dH日本語 text %d\r\n\x1b[?1049%c\x1b7\x1b[2L\x1b8\x1b[3P", i%9, i%50, i%70, i%300, i, "hl"[i%2])
		if gw, gh := term.Size(); gw != w || gh != h {
			t.Fatalf("%d×%d became %d×%d", w, h, gw, gh)
		}
		exact(t, term)
	}
	term.Resize(0, -5)
	exact(t, term)
}

// exact checks that every line is drawn as wide as the terminal, in whatever
// way the host counts, and holds nothing but text and SGR.
func exact(t *testing.T, term *Terminal) {
	t.Helper()
	w, h := term.Size()
	for n := term.Top(); n < term.Top()+h; n++ {
		l := string(term.AppendLine(nil, n, w, nil))
		if a, b := ansi.StringWidth(l), ansi.StringWidthWc(l); a != w || b != w {
			t.Fatalf("line %d, %q, is %d (by clusters) and %d (by code points) wide instead of %d", n, l, a, b, w)
		}
		for _, r := range ansi.Strip(l) {
			if r < 0x20 || r >= 0x7f && r < 0xa0 {
				t.Fatalf("line %d holds %U", n, r)
			}
		}
	}
	if x, y, _, _ := term.Cursor(); x < 0 || y < 0 || x >= w || y >= h {
		t.Fatalf("the cursor is at %d,%d of %d×%d", x, y, w, h)
	}
}

func FuzzWrite(f *testing.F) {
	f.Add("\x1b[31mhello\r\n\x1b[2J\x1b[5;5H日本語\x1b[?1049h\x1b[3;4r\x1b[9L")
	f.Add("\x1b]0;t\a\x1bP$qm\x1b\\\x1b[38:2::1:2:3m\xff\xe3\x81")
	f.Add("👨‍👩‍👧‍👦🇩🇪e\u0301\ufe0f1\ufe0f\u20e3\x1b[b\x1b[99b")
	f.Fuzz(func(t *testing.T, s string) {
		term := New(13, 7, 20)
		term.Write([]byte(s))
		exact(t, term)
		term.Resize(5, 3)
		term.Write([]byte(s))
		exact(t, term)
		term.Text(term.First(), term.Top()+3)
	})
}

// Recordings of real programs look the same in x/vt, and in tmux where it is
// installed.
func TestRealProgramsLookAsElsewhere(t *testing.T) {
	files, err := filepath.Glob("testdata/*.rec")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		mine := New(80, 24, 100)
		mine.Write(data)
		got := strings.TrimRight(mine.String(), "\n")
		if _, err := exec.LookPath("tmux"); err == nil {
			if want := inTmux(t, f); got != want {
				t.Errorf("%s: got\n%s\ntmux shows\n%s", f, got, want)
			}
		}
		other := vt.NewEmulator(80, 24)
		go func() {
			for buf := make([]byte, 4096); ; {
				if _, err := other.Read(buf); err != nil {
					return
				}
			}
		}()
		other.Write(data)
		if want := strings.TrimRight(trimLines(other.String()), "\n"); got != want {
			t.Errorf("%s: got\n%s\nx/vt shows\n%s", f, got, want)
		}
	}
}

func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// inTmux is what tmux shows of a recording.
func inTmux(t *testing.T, file string) string {
	t.Helper()
	abs, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "tmux")
	tmux := func(args ...string) string {
		cmd := exec.Command("tmux", append([]string{"-f", "/dev/null", "-S", socket}, args...)...)
		cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TERM=xterm")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %q: %v: %s", args, err, out)
		}
		return string(out)
	}
	tmux("-u", "new-session", "-d", "-x", "80", "-y", "24",
		"stty raw -echo; cat "+abs+"; tmux -S "+socket+" wait-for -S done; sleep 60")
	defer tmux("kill-server")
	tmux("wait-for", "done")
	last := ""
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		now := trimLines(tmux("capture-pane", "-p"))
		if now == last && strings.TrimSpace(now) != "" {
			return strings.TrimRight(now, "\n")
		}
		last = now
	}
	t.Fatal("tmux does not come to rest")
	return ""
}

// A million lines must not take longer to draw than to make.
func BenchmarkYes(b *testing.B) {
	chunk := bytes.Repeat([]byte("y\r\n"), 10_000)
	term := New(80, 24, 10_000)
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		term.Write(chunk)
	}
}

func BenchmarkColouredText(b *testing.B) {
	chunk := bytes.Repeat([]byte("\x1b[32mok\x1b[0m  github.com/some/package/path  \x1b[1;38;5;214m0.123s\x1b[0m 日本語\r\n"), 1000)
	term := New(120, 36, 10_000)
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		term.Write(chunk)
	}
}

func BenchmarkDraw(b *testing.B) {
	term := New(200, 50, 0)
	for i := range 50 {
		fmt.Fprintf(term, "\x1b[3%dmcolumn %d\x1b[0m text text text text 日本語\r\n", i%8, i)
	}
	var buf []byte
	for b.Loop() {
		buf = buf[:0]
		for y := range 50 {
			buf = term.AppendLine(buf, term.Top()+y, 200, nil)
		}
	}
}
