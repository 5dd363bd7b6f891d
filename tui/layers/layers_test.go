package layers

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/engine/api/berthapi"
	"berth/tui/text"
	"berth/tui/theme"
)

var update = flag.Bool("update", false, "write the golden screens anew")

// golden compares a screen with testdata/name.golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestGoldenScreens(t *testing.T) {
	e := newEngine()
	e.set(
		berthapi.Change{Path: "/etc", Kind: "modified", Mode: os.ModeDir | 0o755},
		berthapi.Change{Path: "/etc/motd", Kind: "modified", Mode: 0o644, Size: 7},
		berthapi.Change{Path: "/var/new.log", Kind: "added", Mode: 0o600, Size: 3_400_000},
		berthapi.Change{Path: "/usr/bin/env", Kind: "deleted"},
		berthapi.Change{Path: "/usr/bin/sh", Kind: "metadata", Mode: 0o700},
	)
	for _, size := range []struct {
		name          string
		width, height int
	}{{"120x30", 120, 30}, {"80x20", 80, 20}, {"52x14", 52, 14}} {
		u := browse(t, e, anImage)
		u.m.SetSize(size.width, size.height)
		golden(t, "image-"+size.name, u.screen())
		u.press("tab", "j", "j", "j", "j", "enter")
		golden(t, "diff-"+size.name, u.screen())
		u = browse(t, e, aContainer)
		u.m.SetSize(size.width, size.height)
		golden(t, "live-"+size.name, u.screen())
	}
}

// Every size gives exactly that many cells, whatever is shown.
func TestEverySizeIsExact(t *testing.T) {
	e := newEngine()
	e.entries["3"] = append(e.entries["3"],
		berthapi.Entry{Path: "/日本語/👨‍👩‍👧‍👦 e\u0301.txt", Kind: "A", Type: berthapi.File, Mode: 0o644, Size: 1},
		berthapi.Entry{Path: "/evil\x1b[2J\x1b]0;owned\a\nname\u202e", Kind: "A", Type: berthapi.File, Mode: 0o644},
		berthapi.Entry{Path: "/lnk", Kind: "A", Type: berthapi.Symlink, Link: "\x1b[31m/日"},
	)
	e.files["3/evil\x1b[2J\x1b]0;owned\a\nname\u202e"] = "\x1b[2Jtext \x1b]52;c;AAAA\a日本語\ttab\r\n\u202eend"
	u := browse(t, e, anImage)
	check := func() {
		t.Helper()
		for _, size := range [][2]int{{0, 0}, {1, 1}, {2, 2}, {3, 1}, {7, 5}, {20, 3}, {39, 9}, {80, 24}, {96, 8}, {120, 36}, {500, 200}} {
			u.m.SetSize(size[0], size[1])
			view := u.m.View(size[0], size[1])
			if size[0] == 0 {
				if view != "" {
					t.Fatalf("0×0 is %q", view)
				}
				continue
			}
			lines := strings.Split(view, "\n")
			if len(lines) != size[1] {
				t.Fatalf("%v: %d lines", size, len(lines))
			}
			for _, l := range lines {
				if text.Width(l) != size[0] {
					t.Fatalf("%v: %q is %d wide", size, l, text.Width(l))
				}
			}
			for _, r := range text.Strip(view) {
				if r < 0x20 && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x202e {
					t.Fatalf("%v: %U on the screen", size, r)
				}
			}
			if strings.Contains(view, "\x1b]") || strings.Contains(view, "\x1b[2J") {
				t.Fatalf("%v: a foreign sequence is on the screen", size)
			}
		}
	}
	check()
	u.press("l")
	for i := range len(u.m.view.Rows()) {
		u.m.cursor = i
		u.press("enter")
		check()
		u.press("w")
		check()
		u.press("esc")
		u.m.focus = onFiles
	}
	u.press("ctrl+b")
	check()
	u.press("/", "x", "(", "日")
	check()
}

func TestOneSeesWhatALayerDid(t *testing.T) {
	u := browse(t, newEngine(), anImage)
	u.sees("COPY . /app", "A 3 M 1 M* 1 D 1", "mode only", "✗ main", "Waste 12M · score", "3×    20M  /var/lib/apt/lists/main")
	u.seesNot("ENV A=b") // it holds no files
	u.press("k")
	u.sees("nginx", "M      8M -rw-r--r--")
	u.press("k", "k", "k")
	u.sees("drwxrwxrwt", "sh → busybox", "48k")
	u.press("G")
	if n := u.e.count("entries 3"); n != 1 {
		t.Errorf("a layer that was seen was fetched %d times", n)
	}
}

func TestTheUnionShowsEverything(t *testing.T) {
	u := browse(t, newEngine(), anImage)
	u.press("u")
	u.sees("union", "env", "main.go")
	u.press("ctrl+u")
	u.seesNot("env")
	u.press("ctrl+a")
	u.sees("all kinds of change are hidden")
}

func TestFilters(t *testing.T) {
	u := browse(t, newEngine(), anImage)
	u.press("/", "c", "o", "n", "f")
	u.sees("app.conf", "/conf▏")
	u.seesNot("mode only", "main.go")
	if !u.m.Capturing() {
		t.Error("the filter does not capture keys")
	}
	u.press("enter")
	if u.m.Capturing() {
		t.Error("the filter still captures keys")
	}
	u.press("esc")
	u.sees("motd")
	u.press("M")
	u.seesNot("42B", "etc/  ")
	u.press("ctrl+r")
	u.seesNot("✗")
	u.press("/", "n", "o", "p", "e", "enter")
	u.sees("no name matches /nope")
	u.press("esc", "esc")
	if _, ok := u.out[len(u.out)-1].(CloseMsg); !ok {
		t.Errorf("esc ends in %T", u.out)
	}
}

func TestAFileIsDiffedAgainstTheLayerBelow(t *testing.T) {
	u := browse(t, newEngine(), anImage)
	u.open("/etc/app.conf")
	u.sees("/etc/app.conf  layer 0 → layer 3", "-workers = 2", "+workers = 8", " port = 80")
	u.press("d")
	u.sees("workers = 8")
	u.seesNot("-workers = 2")
	u.press("esc")
	u.open("/etc/motd")
	u.sees("the content is the same; mode, owner or attributes changed")
	u.press("esc")
	u.open("/app/logo.png")
	u.sees("00000000  89 50 4e 47", ".PNG....", "hex")
	u.press("esc")
	u.open("/app/main.go")
	u.sees(`    println("hello", 42)`, "Go")
	u.press("/", "h", "e", "l", "l", "o", "enter")
	u.sees("hit 1/2")
}

// open opens the file with the given path.
func (u *user) open(path string) {
	u.m.focus = onFiles
	u.m.cursor = u.m.view.Index(path)
	u.press("enter")
}

func TestLiveDifference(t *testing.T) {
	e := newEngine()
	e.set(berthapi.Change{Path: "/etc/motd", Kind: "modified", Mode: 0o644, Size: 7, ModTime: longAgo})
	u := browse(t, e, aContainer)
	u.sees("writable layer", "live", "motd", "M 1")
	if u.ticks != 1 {
		t.Fatalf("%d timers run", u.ticks)
	}
	u.m.cursor = u.m.view.Index("/etc/motd")
	e.set(append(e.changes, berthapi.Change{Path: "/a/new", Kind: "added", Mode: 0o644, Size: 3})...)
	u.tick()
	u.sees("new", "A 1", "▲ 0s")
	if got := u.m.selectedPath(); got != "/etc/motd" {
		t.Errorf("the cursor went to %s", got)
	}
	before := u.m.view.Tree()
	u.tick()
	if u.m.view.Tree() != before {
		t.Error("a tree was built though nothing changed")
	}
	u.open("/etc/motd")
	u.sees("layer 3 → live", "-welcome", "+hacked")
}

func TestItAsksOnlyWhileItIsSeen(t *testing.T) {
	u := browse(t, newEngine(), aContainer)
	u.run(u.m.SetVisible(false))
	asked := u.e.count("changes")
	u.tick()
	u.tick()
	if n := u.e.count("changes"); n != asked {
		t.Errorf("asked %d times while hidden", n-asked)
	}
	u.run(u.m.SetVisible(true))
	u.run(u.m.SetVisible(true))
	if n := u.e.count("changes"); n != asked+1 {
		t.Errorf("asked %d times when shown", n-asked)
	}
	if layers := u.e.count("layers"); layers != 1 {
		t.Errorf("the layers were fetched %d times", layers)
	}
	u.run(u.m.Show(aContainer))
	if layers := u.e.count("layers"); layers != 1 {
		t.Error("showing the same again fetched the layers again")
	}
}

func TestAForeignEngineIsToldFromBerths(t *testing.T) {
	e := newEngine()
	e.foreign = true
	u := browse(t, e, aContainer)
	u.sees("COPY . /app", "motd", "✗ old", "M 1", "A 1", "D 1")
	u.open("/etc/motd")
	u.sees("hacked")
	u.press("esc")
	u.open("/new")
	u.sees("✗ reading /new: it is not a regular file")
}

func TestErrorsAreShownWhereTheyHappen(t *testing.T) {
	e := newEngine()
	e.err = errors.New("the disk \x1b[31mis on fire")
	u := browse(t, e, anImage)
	u.sees("the layers cannot be shown", "the disk is on fire")
	e.err = nil
	u.run(u.m.Show(anImage))
	u.sees("COPY . /app")
	e.err = errors.New("gone")
	u.press("k")
	u.sees("the files cannot be read: gone")
}

func TestLateAnswersAreDropped(t *testing.T) {
	u := browse(t, newEngine(), anImage)
	old := u.m.gen
	u.run(u.m.Show(aContainer))
	u.m.Update(layersMsg{gen: old, err: errors.New("late")})
	u.m.Update(liveMsg{gen: old, err: errors.New("late")})
	u.m.Update(treeMsg{gen: u.m.gen, seq: u.m.treeSeq - 1, err: errors.New("late")})
	u.seesNot("late")
}

// A large layer is shown as far as it is known, and the rest when it is there.
func TestALargeLayerShowsItsBeginning(t *testing.T) {
	e := newEngine()
	goOn := make(chan struct{})
	e.slow = goOn
	e.entries["3"] = nil
	for i := range 3000 {
		e.entries["3"] = append(e.entries["3"], berthapi.Entry{Path: fmt.Sprintf("/d/f%04d", i), Kind: "A", Type: berthapi.File, Size: 1})
	}
	m := New(Config{Berth: e, Docker: e})
	defer m.Close()
	m.SetSize(120, 20)
	m.Show(anImage)
	m.Update(layersMsg{gen: m.gen, layers: e.layers})
	cmd := m.loadTree(m.place())
	first := cmd().(treeMsg)
	if first.more == nil || first.tree.Len() >= 3000 || first.tree.Len() < 500 {
		t.Fatalf("first come %d files", first.tree.Len())
	}
	rest := m.Update(first)
	u := &user{t: t, m: m, e: e}
	u.sees("reading …", "f0000")
	close(goOn)
	last := rest().(treeMsg)
	if last.more != nil || last.tree.Len() != 3001 {
		t.Errorf("then %d files", last.tree.Len())
	}
	if cmd := m.Update(last); cmd != nil {
		t.Error("it goes on")
	}
	u.seesNot("reading …")
	// One that is not wanted any more is ended.
	e.slow = make(chan struct{})
	late := m.loadTree(m.place())().(treeMsg)
	m.Show(aContainer)
	if drop := m.Update(late); drop == nil || drop() != nil {
		t.Error("a loader was left behind")
	}
}

func TestExtraction(t *testing.T) {
	u := browse(t, newEngine(), anImage)
	dir := u.m.cfg.ExtractDir
	u.m.focus, u.m.cursor = onFiles, u.m.view.Index("/app")
	u.press("ctrl+e")
	notice := u.out[len(u.out)-1].(NoticeMsg)
	if notice.Err != nil || !strings.Contains(notice.Text, "2 files") {
		t.Fatalf("%+v", notice)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "app/main.go")); err != nil || !strings.HasPrefix(string(b), "package main") {
		t.Errorf("%s %v", b, err)
	}
	for range 2 {
		u.m.cursor = u.m.view.Index("/etc/app.conf")
		u.press("ctrl+e")
	}
	if _, err := os.Stat(filepath.Join(dir, "app.conf.1")); err != nil {
		t.Errorf("a taken name: %v", err)
	}
	u.m.cursor = u.m.view.Index("/var/lib/apt/lists/main")
	u.press("ctrl+e")
	if n := u.out[len(u.out)-1].(NoticeMsg); !strings.Contains(n.Text, "removed") {
		t.Errorf("%+v", n)
	}
}

// A link that waits in the directory must not lead out of it.
func TestExtractionStaysInItsDirectory(t *testing.T) {
	u := browse(t, newEngine(), anImage)
	outside := t.TempDir()
	u.e.files["3/app/../../escape"] = "x"
	e := extraction{open: func(p string) (io.ReadCloser, error) { return u.e.open("3" + p) }}
	if err := os.Symlink(outside, filepath.Join(u.m.cfg.ExtractDir, "app")); err != nil {
		t.Fatal(err)
	}
	to, err := e.run(t.Context(), u.m.cfg.ExtractDir, "/app", []string{"/app/main.go"})
	if err != nil || filepath.Base(to) != "app.1" {
		t.Errorf("%s %v", to, err)
	}
	if _, err := e.run(t.Context(), u.m.cfg.ExtractDir, "/app", []string{"/app/../../escape"}); err == nil {
		t.Error("a path with .. was written")
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("%v lies outside", left)
	}
}

func TestKeysSayWhatWorks(t *testing.T) {
	u := browse(t, newEngine(), anImage)
	has := func(name string) bool {
		for _, k := range u.m.Keys() {
			if k.Help().Desc == name {
				return true
			}
		}
		return false
	}
	if !has("union") || has("wrap") {
		t.Error("keys of the layers")
	}
	u.open("/app/main.go")
	if !has("wrap") || !u.m.Capturing() {
		t.Error("keys of the viewer")
	}
	u.press("y")
	if c, ok := u.out[len(u.out)-1].(CopyMsg); !ok || c.Text != "/app/main.go" {
		t.Errorf("copied %+v", c)
	}
}

func TestWithoutColoursTheMarksRemain(t *testing.T) {
	u := browse(t, newEngine(), anImage)
	u.m.SetTheme(theme.Mono())
	u.sees("A    1.3M", "M     42B", "M*    12B", "D       -", "▌  9.1M")
	if v := u.m.View(120, 30); strings.Contains(v, "\x1b[3") || strings.Contains(v, "\x1b[9") {
		t.Error("there are colours")
	}
}

func TestAge(t *testing.T) {
	now := time.Date(2026, 5, 5, 5, 5, 5, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "0s", 2 * time.Second: "2s", 19 * time.Second: "10s", 90 * time.Second: "1m", 3 * time.Hour: "3h", 80 * time.Hour: "3d", -time.Hour: "0s",
	} {
		if got := age(now, now.Add(-d)); got != want {
			t.Errorf("%v is %s", d, got)
		}
	}
	if age(now, time.Time{}) != "" {
		t.Error("no time has no age")
	}
}

// Without the keys nothing is drawn as if it had them.
func TestBlur(t *testing.T) {
	u := browse(t, newEngine(), Subject{Image: "app:dev"})
	focused := string(u.m.cfg.Theme.Accent) + "Layers"
	if !strings.Contains(u.m.View(100, 20), focused) {
		t.Fatal("the list of layers is not drawn with the focus")
	}
	u.m.SetFocused(false)
	if strings.Contains(u.m.View(100, 20), focused) {
		t.Error("it is drawn so without the keys too")
	}
}
