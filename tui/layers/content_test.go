package layers

import (
	"errors"
	"io"
	"strings"
	"testing"

	"berth/engine/api/berthapi"
	"berth/tui/layers/tree"
	"berth/tui/text"
	"berth/tui/theme"
)

// shown is what render makes of a file, without styles.
func shown(path, content string) (string, string) {
	lines, note := render(path, []byte(content), false, theme.ANSI16())
	for i := range lines {
		lines[i] = text.Strip(lines[i])
	}
	return strings.Join(lines, "\n"), note
}

func TestRender(t *testing.T) {
	for _, c := range []struct{ path, in, want, note string }{
		{"/a", "", "", ""},
		{"/a", "one\ntwo\n", "one\ntwo", ""},
		{"/a", "no end", "no end", ""},
		{"/a", "dos\r\nlines\r\n", "dos\nlines", ""},
		{"/a", "\tindented\n12\tthree", "    indented\n12  three", ""},
		{"/a", "日本語 \x1b[31mred\x1b[0m \x1b]0;t\a!", "日本語 red !", ""},
		{"/a.json", `{"a": [1, true, "x"]}`, `{"a": [1, true, "x"]}`, "JSON"},
		{"/etc/x.yaml", "a: 1 # c\nb:\n  - two\n", "a: 1 # c\nb:\n  - two", "YAML"},
		{"/x.py", "def f(): pass\n", "def f(): pass", "Python"},
		{"/bin/x", "\x7fELF\x02\x01\x00", "00000000  7f 45 4c 46 02 01 00                              .ELF...", "hex"},
		{"/latin1", "gr\xfc\xdfe\n", "gr\uFFFD\uFFFDe", ""},
	} {
		got, note := shown(c.path, c.in)
		if strings.TrimRight(got, " ") != c.want || note != c.note {
			t.Errorf("%s: %q (%s), want %q (%s)", c.path, got, note, c.want, c.note)
		}
	}
}

// The lines of a highlighted file are those of the file: a token of several
// lines (a comment, a string) is split, and its style closed at each end.
func TestHighlightingKeepsTheLines(t *testing.T) {
	source := "package a\n\n/* one\n   two */\nvar s = `x\ny`\n"
	lines, note := render("/a.go", []byte(source), false, theme.ANSI16())
	if note != "Go" || len(lines) != 6 {
		t.Fatalf("%d lines, %s: %q", len(lines), note, lines)
	}
	for i, l := range lines {
		if strings.Contains(l, "\n") || strings.Count(l, "\x1b[") != 2*strings.Count(l, "\x1b[m") {
			t.Errorf("line %d: %q", i, l)
		}
	}
	if lines, _ := render("/a.go", []byte(source), false, theme.Mono()); strings.Contains(strings.Join(lines, ""), "\x1b[3") {
		t.Error("there are colours in the theme without")
	}
}

func TestLargeFilesAreCut(t *testing.T) {
	data, cut, err := readFile(func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(strings.Repeat("line\n", maxContent))), nil
	})
	if err != nil || !cut || len(data) != maxContent {
		t.Fatalf("%d bytes, %v, %v", len(data), cut, err)
	}
	if _, note := render("/a.go", data, cut, theme.ANSI16()); !strings.Contains(note, "first 1.05M") {
		t.Errorf("note %q", note)
	}
	lines, note := render("/a", make([]byte, maxContent), true, theme.ANSI16())
	if len(lines) != maxHex/16 || !strings.HasPrefix(note, "first 262k") {
		t.Errorf("%d lines of hex, %q", len(lines), note)
	}
	lines, _ = render("/a", []byte(strings.Repeat("x", 10*maxLine)), false, theme.ANSI16())
	if len(lines) != 1 || text.Width(lines[0]) != maxLine+1 {
		t.Errorf("a long line is %d wide", text.Width(lines[0]))
	}
}

func TestWhatIsBinary(t *testing.T) {
	for in, want := range map[string]bool{
		"": false, "text": false, "日本語 text": false, "a\x00b": true,
		strings.Repeat("\xff\xfe", 100): true, strings.Repeat("plain ", 100) + "\xff": false,
		strings.Repeat("日", 8000/3+1): false,
	} {
		if isBinary([]byte(in)) != want {
			t.Errorf("%.20q: binary is %v", in, !want)
		}
	}
}

func TestDifferences(t *testing.T) {
	for name, c := range map[string]struct{ before, now, want string }{
		"one line":     {"a\nb\nc\n", "a\nX\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+X\n c"},
		"removed":      {"a\n", "", "@@ -1 +1 @@\n-a\n+"},
		"no end":       {"a", "b", "@@ -1 +1 @@\n-a\n+b"},
		"the same":     {"a\n", "a\n", "the content is the same; mode, owner or attributes changed"},
		"binary":       {"a\x00", "a\x00b", "binary files differ: 2B before, 3B now"},
		"same binary":  {"a\x00", "a\x00", "the content is the same; mode, owner or attributes changed"},
		"hostile text": {"a\n", "a\n\x1b[2J\x1b]0;x\a+\n", "@@ -1 +1,2 @@\n a\n++"},
	} {
		lines := diffLines([]byte(c.before), []byte(c.now), "below", theme.ANSI16())
		for i := range lines {
			lines[i] = text.Strip(lines[i])
		}
		if got := strings.Join(lines, "\n"); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestTheVersionBelowIsTheNearest(t *testing.T) {
	e := newEngine()
	u := browse(t, e, aContainer)
	e.files["2/etc/app.conf"] = "between\n"
	for at, want := range map[int]string{3: "between", 2: "workers = 2"} {
		f := file{path: "/etc/app.conf", kind: tree.Modified, place: place{layer: at}, below: []int{2, 0}}
		if at == 2 {
			f.below = []int{0}
		}
		msg := u.m.loadFile(f, 1)().(fileMsg)
		if !strings.Contains(strings.Join(msg.diff, "\n"), want) {
			t.Errorf("layer %d is compared with %s: %q", at, msg.against, msg.diff)
		}
	}
}

func TestAFileThatCannotBeRead(t *testing.T) {
	u := browse(t, newEngine(), anImage)
	u.e.err = errors.New("broken pipe")
	u.open("/app/main.go")
	u.sees("✗ broken pipe")
	u.press("esc")
	u.e.err = nil
	u.open("/app")
	if u.m.viewer != nil {
		t.Error("a directory was viewed")
	}
	u.press("k", "k", "k", "u", "G")
	u.m.focus = onFiles
	u.m.cursor = u.m.view.Index("/usr/bin/sh")
	u.press("enter")
	if n := u.out[len(u.out)-1].(NoticeMsg); !strings.Contains(n.Text, "symbolic link") {
		t.Errorf("%+v", n)
	}
}

// In the union, a file is read from the layer that brought it.
func TestAFileOfTheUnion(t *testing.T) {
	e := newEngine()
	e.files["0/usr/bin/env"] = "the lowest layer's\n"
	u := browse(t, e, anImage)
	u.press("u")
	u.open("/usr/bin/env")
	u.sees("the lowest layer's")
}

func TestModesAndNames(t *testing.T) {
	e := newEngine()
	e.entries["3"] = []berthapi.Entry{
		{Path: "/setuid", Kind: "A", Type: berthapi.File, Mode: 0o4755},
		{Path: "/setgid", Kind: "A", Type: berthapi.File, Mode: 0o2640},
		{Path: "/null", Kind: "A", Type: berthapi.CharDevice, Mode: 0o666},
		{Path: "/sda", Kind: "A", Type: berthapi.BlockDevice, Mode: 0o660, UID: 0, GID: 6},
		{Path: "/fifo", Kind: "A", Type: berthapi.FIFO, Mode: 0o600},
		{Path: "/sock", Kind: "A", Type: berthapi.Socket, Mode: 0o600},
	}
	u := browse(t, e, anImage)
	u.press("ctrl+b")
	u.sees("-rwsr-xr-x", "-rw-r-S---", "crw-rw-rw-", "brw-rw----", "0:6", "prw-------", "srw-------")
	u.press("ctrl+b")
	u.seesNot("rw-")
}

func TestStepNames(t *testing.T) {
	for in, want := range map[string]string{
		`/bin/sh -c #(nop)  CMD ["sh"]`:           `CMD ["sh"]`,
		"/bin/sh -c apt-get update":               "RUN apt-get update",
		"RUN /bin/sh -c make  install # buildkit": "RUN make install",
		"COPY . /app # buildkit":                  "COPY . /app",
		"RUN evil\x1b[2J\n\ttext":                 "RUN evil text",
		"":                                        "a comment",
	} {
		if got := stepName(berthapi.Layer{CreatedBy: in, Comment: "a comment"}); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	if stepName(berthapi.Layer{}) != "(no command recorded)" {
		t.Error("a step without anything")
	}
}
