package diff

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// treeOf opens layer directories, topmost first, as a tree.
func treeOf(t *testing.T, dirs ...string) *Tree {
	t.Helper()
	tree := &Tree{Dirs: dirs}
	for _, d := range slices.Backward(dirs) {
		x, err := OpenIndex(d + ".index")
		must(t, err)
		tree.Indexes = append(tree.Indexes, x)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

func compared(t *testing.T, a, b *Tree, o CompareOptions) string {
	t.Helper()
	var out []string
	for d, err := range Compare(t.Context(), a, b, o) {
		must(t, err)
		out = append(out, string(d.Kind)+" "+d.Path)
		if (d.Old == nil) != (d.Kind == Added) || (d.New == nil) != (d.Kind == Deleted) {
			t.Errorf("%+v", d)
		}
	}
	return strings.Join(out, "\n")
}

func TestCompareTwoTrees(t *testing.T) {
	needRoot(t)
	low := mustApply(t, archive(t,
		file("same", "x"), file("content", "old"), file("mode", "m"), ent{name: "time", data: "t", time: 5}, dir("gone"), file("gone/deep", "d"),
		symlink("link", "a"), file("turns", "f"), file("both/kept", "k"), file("cap", "c"),
	))
	top := mustApply(t, archive(t,
		file("content", "new"), ent{name: "mode", data: "m", mode: 0o600}, ent{name: "time", data: "t", time: 6}, file(".wh.gone", ""),
		symlink("link", "b"), dir("turns"), file("turns/into", "dir"), file("both/added", "a"),
		ent{name: "cap", data: "c", pax: map[string]string{paxXattr + "user.x": "1"}},
	), low)
	a, b := treeOf(t, low), treeOf(t, top, low)
	want := "added /both/added\nmetadata /cap\nmodified /content\ndeleted /gone\ndeleted /gone/deep\nmodified /link\nmetadata /mode\n"
	tail := "modified /turns\nadded /turns/into"
	if got := compared(t, a, b, CompareOptions{}); got != want+"metadata /time\n"+tail {
		t.Errorf("got\n%s", got)
	}
	if got := compared(t, a, b, CompareOptions{IgnoreTimes: true}); got != want+tail {
		t.Errorf("without times\n%s", got)
	}
	if got := compared(t, a, b, CompareOptions{Dir: "/gone"}); got != "deleted /gone\ndeleted /gone/deep" {
		t.Errorf("one directory\n%s", got)
	}
	if got := compared(t, b, b, CompareOptions{}); got != "" {
		t.Errorf("with itself\n%s", got)
	}
	// Nothing at all against something, and backwards.
	none := &Tree{}
	if got := compared(t, none, treeOf(t, top), CompareOptions{Dir: "/turns"}); got != "added /turns\nadded /turns/into" {
		t.Errorf("against nothing\n%s", got)
	}
	if got := compared(t, b, a, CompareOptions{Dir: "/both"}); got != "deleted /both/added" {
		t.Errorf("backwards\n%s", got)
	}
}

// TestCompareALiveTree compares an upper directory in use, whose digests
// nobody knows, with the layers below.
func TestCompareALiveTree(t *testing.T) {
	lower := baseLayers(t)
	m, upper := overlayOn(t, lower...)
	must(t, os.WriteFile(m+"/etc/hosts", []byte("HOSTS"), 0o644))             // the same size
	must(t, os.WriteFile(m+"/etc/passwd", []byte("root2"), 0o644))            // the same bytes
	must(t, os.WriteFile(m+"/data/a", []byte("longer than before"), 0o644))   //
	must(t, os.Chmod(m+"/etc/big", 0o600))                                    //
	must(t, os.Remove(m+"/gone"))                                             //
	must(t, os.Link(m+"/data/b", m+"/data/b2"))                               // copies b up
	must(t, os.WriteFile(m+"/own", []byte("by the runtime"), 0o644))          //
	must(t, os.WriteFile(m+"/new", []byte("by the container itself"), 0o644)) //
	x, err := Scan(t.Context(), upper, t.TempDir(), func(p string) bool { return p == "/own" })
	must(t, err)
	live := treeOf(t, lower...)
	live.Indexes, live.Dirs = append(live.Indexes, x), append([]string{upper}, live.Dirs...)
	want := "modified /data/a\nadded /data/b2\nmetadata /etc/big\nmodified /etc/hosts\ndeleted /gone\nadded /new"
	if got := compared(t, treeOf(t, lower...), live, CompareOptions{IgnoreTimes: true}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestAnalyze uses figures that dive 0.13's own algorithm gives by hand.
func TestAnalyze(t *testing.T) {
	d := func(p string) Entry { return Entry{Path: p, Type: TypeDir} }
	f := func(p string, size int64) Entry {
		return Entry{Path: p, Type: TypeRegular, Size: size, Digest: digest.FromString(p + fmt.Sprint(size))}
	}
	w := func(p string) Entry { return Entry{Path: p, Type: TypeWhiteout} }
	low := writeIndex(t, d("/"), d("/dir"), f("/dir/a", 100), f("/dir/b", 50), d("/empty"), f("/f", 10), f("/once", 7))
	mid := writeIndex(t, d("/"), f("/f", 30), d("/dir"), f("/dir/a", 100))
	top := writeIndex(t, d("/"), w("/dir"), w("/f"), d("/empty"))
	got, err := Analyze([]*Index{low, mid, top})
	must(t, err)
	// /dir/a: 100+100, least 100; /dir: its deletion counts 150, once; /f: 10+30+0, least 0; /empty: 0+0.
	want := Waste{
		Size: 167 + 130, UserSize: 130, Wasted: 200 + 40, UserPercent: 240.0 / 130,
		Efficiency: float64(100+50+150+7) / float64(200+50+150+40+7),
		Files:      []WastedFile{{"/dir/a", 2, 200}, {"/f", 3, 40}, {"/empty", 2, 0}},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got, err := Analyze([]*Index{low}); err != nil || got.Efficiency != 1 || got.Wasted != 0 || got.UserPercent != 0 {
		t.Errorf("one layer: %+v, %v", got, err)
	}
}
