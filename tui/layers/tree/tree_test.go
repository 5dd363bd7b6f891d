package tree

import (
	"fmt"
	"io/fs"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// sample is a layer with one change of each kind.
func sample() *Tree {
	b := NewBuilder()
	for _, e := range []Entry{
		{Path: "/app", Mode: fs.ModeDir | 0o755},
		{Path: "/app/log", Mode: fs.ModeDir | 0o755},
		{Path: "/app/log/prod.log", Kind: Modified, Mode: 0o644, Size: 2100},
		{Path: "/app/tmp", Kind: Added, Mode: fs.ModeDir | 0o755},
		{Path: "/app/tmp/cache.db", Kind: Added, Mode: 0o644, Size: 1300},
		{Path: "/etc/app.conf", Kind: Metadata, Mode: 0o600, Size: 4},
		{Path: "/etc/motd", Kind: Deleted, Bare: true},
		{Path: "/usr/share/doc/x", Mode: 0o644, Size: 9},
	} {
		b.Add(e)
	}
	return b.Tree()
}

func draw(v *View) string {
	var b strings.Builder
	for _, r := range v.Rows() {
		fold := ""
		if v.Tree().Info(r.Node).Dir {
			fold = map[bool]string{true: "- ", false: "+ "}[r.Open]
		}
		fmt.Fprintf(&b, "%s%s%s %s\n", strings.Repeat("  ", r.Depth), fold, v.Label(r), v.Tree().Info(r.Node).Kind)
	}
	return b.String()
}

func expect(t *testing.T, v *View, want string) {
	t.Helper()
	want = strings.ReplaceAll(strings.TrimPrefix(want, "\n"), "\t", "")
	if got := draw(v); strings.ReplaceAll(got, " \n", "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestChainsOfDirectoriesAreOneRow(t *testing.T) {
	v := NewView()
	v.SetTree(sample())
	expect(t, v, `
- app
  - log
    prod.log M
  - tmp A
    cache.db A
- etc
  app.conf M*
  motd D
- usr/share/doc
  x
`)
}

func TestKindsNamesAndOrder(t *testing.T) {
	v := NewView()
	v.SetTree(sample())
	v.ToggleKind(Unchanged)
	v.ToggleOrder()
	expect(t, v, `
- app
  - log
    prod.log M
  - tmp A
    cache.db A
- etc
  app.conf M*
  motd D
`)
	v.ToggleKind(Added, Deleted)
	expect(t, v, `
- app/log
  prod.log M
- etc
  app.conf M*
`)
	v.SetFilter(regexp.MustCompile("conf$").MatchString)
	expect(t, v, `
- etc
  app.conf M*
`)
	v.SetFilter(regexp.MustCompile("nothing").MatchString)
	expect(t, v, "")
}

func TestFoldsSurviveANewTree(t *testing.T) {
	v := NewView()
	v.SetTree(sample())
	v.Fold(v.Rows()[v.Index("/app/log")])
	v.Fold(v.Rows()[v.Index("/etc")])
	want := `
- app
  + log
  - tmp A
    cache.db A
+ etc
- usr/share/doc
  x
`
	expect(t, v, want)
	v.SetTree(sample())
	expect(t, v, want)
	if i := v.Index("/etc/motd"); v.Label(v.Rows()[i]) != "etc" {
		t.Errorf("a file in a folded directory is found at row %d", i)
	}
	v.FoldAll()
	expect(t, v, "+ app\n+ etc\n+ usr/share/doc\n")
	v.FoldAll()
	if len(v.Rows()) != 10 {
		t.Errorf("unfolded: %s", draw(v))
	}
}

func TestSizesAndCounts(t *testing.T) {
	s := sample()
	if got := s.Info(s.Find("/app")).Size; got != 3400 {
		t.Errorf("size of /app: %d", got)
	}
	if s.Counts != [kinds]int{3, 2, 1, 1, 1} {
		t.Errorf("counts %v", s.Counts)
	}
	if p := s.Path(s.Find("app/tmp/cache.db")); p != "/app/tmp/cache.db" {
		t.Errorf("path %q", p)
	}
	if s.Find("/nope/x") != None || s.Path(s.Find("/")) != "/" {
		t.Error("find")
	}
	var files []string
	s.Files(0, func(path string, _ Info) { files = append(files, path) })
	if len(files) != 4 {
		t.Errorf("files %q", files)
	}
}

// A directory may be listed after its files, or not at all.
func TestEntriesInAnyOrder(t *testing.T) {
	b := NewBuilder()
	b.Add(Entry{Path: "/a/b/c", Kind: Added, Size: 5})
	b.Add(Entry{Path: "/a", Kind: Modified, Mode: fs.ModeDir | 0o700, UID: 7})
	b.Add(Entry{Path: "/", Mode: fs.ModeDir | 0o755})
	b.Add(Entry{Path: "/gone", Kind: Deleted})
	b.Add(Entry{Path: "/gone/below", Kind: Deleted})
	tr := b.Tree()
	a := tr.Info(tr.Find("/a"))
	if a.Kind != Modified || a.UID != 7 || a.Bare || !a.Dir {
		t.Errorf("/a is %+v", a)
	}
	if !tr.Info(tr.Find("/a/b")).Bare {
		t.Error("/a/b was never listed")
	}
	if !tr.Info(tr.Find("/gone")).Dir || tr.Len() != 5 {
		t.Errorf("%d nodes", tr.Len())
	}
}

func TestAMillionFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a million entries")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b := NewBuilder()
	for i := range 1_000_000 {
		b.Add(Entry{Path: fmt.Sprintf("/usr/lib/d%03d/e%02d/file-%d", i/10000, i/100%100, i), Kind: Added, Size: int64(i)})
	}
	tr := b.Tree()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if mb := int64(after.HeapAlloc-before.HeapAlloc) >> 20; mb > 150 {
		t.Errorf("a million entries take %d MB", mb)
	}
	v := NewView()
	start := time.Now()
	v.SetTree(tr)
	if d := time.Since(start); d > 100*time.Millisecond {
		t.Errorf("showing a million entries took %v", d)
	}
	if len(v.Rows()) != 1 {
		t.Errorf("%d rows are unfolded", len(v.Rows()))
	}
}
