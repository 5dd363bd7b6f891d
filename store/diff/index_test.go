package diff

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
)

func TestComparePathsListsTrees(t *testing.T) {
	sorted := []string{"/", "/a", "/a/b", "/a/b/c", "/a/z", "/a b", "/a-b", "/a.b", "/ab", "/b", "/b/\xff", "/c"}
	got := slices.Clone(sorted)
	slices.Reverse(got)
	slices.SortFunc(got, ComparePaths)
	if !slices.Equal(got, sorted) {
		t.Errorf("%q", got)
	}
	for _, dir := range sorted {
		for _, p := range sorted {
			if Within(p, dir) != (ComparePaths(p, dir) >= 0 && ComparePaths(p, afterTree(dir)) < 0) {
				t.Errorf("Within(%q, %q) is %v", p, dir, Within(p, dir))
			}
		}
	}
}

// writeIndex makes an index of entries and opens it.
func writeIndex(t testing.TB, entries ...Entry) *Index {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index")
	must(t, WriteIndex(path, entries))
	x, err := OpenIndex(path)
	must(t, err)
	t.Cleanup(func() { x.Close() })
	return x
}

// manyEntries is a tree of n files in directories of a hundred.
func manyEntries(n int) []Entry {
	entries := []Entry{{Path: "/", Type: TypeDir, Mode: 0o755}}
	for i := range n {
		if i%100 == 0 {
			entries = append(entries, Entry{Path: fmt.Sprintf("/d%04d", i/100), Type: TypeDir, Mode: 0o755})
		}
		entries = append(entries, Entry{Path: fmt.Sprintf("/d%04d/f%03d", i/100, i%100), Type: TypeRegular, Mode: 0o644, Size: int64(i)})
	}
	return entries
}

func TestIndexKeepsEverything(t *testing.T) {
	want := []Entry{
		{Path: "/", Type: TypeDir, Mode: 0o1777, UID: 1, GID: 2, ModTime: time.Unix(-5, 7)},
		{Path: "/dev", Type: TypeDir, Opaque: true, ModTime: time.Unix(0, 0)},
		{Path: "/dev/x", Type: TypeBlock, Device: 0x1234567, ModTime: time.Unix(0, 0)},
		{Path: "/f", Type: TypeRegular, Mode: 0o4755, UID: 4294967294, Size: 1 << 40, Digest: digest.FromString("x"), ModTime: time.Unix(1<<33, 999999999)},
		{Path: "/g", Type: TypeRegular, Link: "/f", Digest: digest.FromString("x"), ModTime: time.Unix(0, 0)},
		{Path: "/w", Type: TypeWhiteout, ModTime: time.Unix(0, 0)},
		{Path: "/\xff", Type: TypeSymlink, Mode: 0o777, Link: "a\nb\xfe", ModTime: time.Unix(0, 0)},
	}
	x := writeIndex(t, slices.Clone(want)...)
	var got []Entry
	for e, err := range x.All() {
		must(t, err)
		got = append(got, e)
	}
	if !reflect.DeepEqual(got, want) || x.Len() != len(want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestIndexAnswersWithoutReadingAll(t *testing.T) {
	x := writeIndex(t, manyEntries(5000)...)
	names := func(dir string) (n int, last string) {
		for e, err := range MergePart([]*Index{x}, MergeOptions{Dir: dir, Depth: 1}) {
			must(t, err)
			n, last = n+1, e.Path
		}
		return n, last
	}
	if n, last := names("/"); n != 50 || last != "/d0049" {
		t.Errorf("children of the root: %d, last %s", n, last)
	}
	if n, last := names("/d0049"); n != 100 || last != "/d0049/f099" {
		t.Errorf("children of a directory: %d, last %s", n, last)
	}
	if n, _ := names("/nosuch"); n != 0 {
		t.Errorf("children of nothing: %d", n)
	}
	if e, err := x.Lookup("/d0030/f050"); err != nil || e.Size != 3050 {
		t.Errorf("%+v, %v", e, err)
	}
	for _, p := range []string{"/d0030/f0505", "/e", "/d", ""} {
		if _, err := x.Lookup(p); !errdefs.IsNotFound(err) {
			t.Errorf("%q: %v", p, err)
		}
	}
	n := 0
	for range x.From("/d0049/f090") {
		n++
	}
	if n != 10 {
		t.Errorf("%d entries from the middle of the last directory", n)
	}
	if empty := writeIndex(t); empty.Len() != 0 {
		t.Error("an empty index has entries")
	}
}

func TestDamagedIndexIsDataLoss(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index")
	must(t, WriteIndex(path, manyEntries(140)))
	good, err := os.ReadFile(path)
	must(t, err)
	for i := 0; i < len(good); i += 3 {
		bad := slices.Clone(good)
		bad[i] ^= 0x41
		must(t, os.WriteFile(path, bad, 0o600))
		x, err := OpenIndex(path)
		if err == nil {
			for _, err = range x.All() {
				if err != nil {
					break
				}
			}
			x.Close()
		}
		if !errdefs.IsDataLoss(err) {
			t.Fatalf("byte %d of %d changed: %v, want kind DataLoss", i, len(good), err)
		}
	}
}

// union renders a merge as tests state it: "layer kind path".
func union(t testing.TB, layers ...*Index) (all, children []string) {
	t.Helper()
	text := func(u UnionEntry) string { return strings.TrimSpace(fmt.Sprintf("%d %s %s", u.Layer, u.Path, u.Kind)) }
	for u, err := range Merge(layers, "/") {
		must(t, err)
		all = append(all, text(u))
	}
	var walk func(dir string)
	walk = func(dir string) {
		for u, err := range MergePart(layers, MergeOptions{Dir: dir, Depth: 1}) {
			must(t, err)
			children = append(children, text(u))
			if u.IsDir() {
				walk(u.Path)
			}
		}
	}
	walk("/")
	return all, children
}

func TestMerge(t *testing.T) {
	d := func(p string) Entry { return Entry{Path: p, Type: TypeDir, Mode: 0o755} }
	f := func(p, data string) Entry {
		return Entry{Path: p, Type: TypeRegular, Mode: 0o644, Size: int64(len(data)), Digest: digest.FromString(data)}
	}
	w := func(p string) Entry { return Entry{Path: p, Type: TypeWhiteout} }
	o := func(p string) Entry { return Entry{Path: p, Type: TypeDir, Mode: 0o755, Opaque: true} }
	exec := f("/bin/x", "x")
	exec.Mode = 0o755
	low := writeIndex(t, d("/"), d("/bin"), f("/bin/x", "x"), d("/data"), f("/data/1", "one"), d("/data/sub"), f("/data/sub/2", "two"), f("/file", "f"), d("/tree"), f("/tree/leaf", "leaf"))
	mid := writeIndex(t, d("/"), w("/file"), d("/tree"), f("/tree/new", "new"))
	top := writeIndex(t, d("/"), d("/bin"), exec, o("/data"), f("/data/1", "ONE!"), f("/file", "again"), w("/tree"))
	for _, tc := range []struct {
		layers []*Index
		want   []string
		stats  Stats
	}{
		{[]*Index{low}, []string{"0 / added", "0 /bin added", "0 /bin/x added", "0 /data added", "0 /data/1 added", "0 /data/sub added", "0 /data/sub/2 added", "0 /file added", "0 /tree added", "0 /tree/leaf added"},
			Stats{Size: 1 + 3 + 3 + 1 + 4, Added: 10}},
		{[]*Index{low, mid}, []string{"1 /", "0 /bin", "0 /bin/x", "0 /data", "0 /data/1", "0 /data/sub", "0 /data/sub/2", "0 /file deleted", "1 /tree", "0 /tree/leaf", "1 /tree/new added"},
			Stats{Size: 3, Added: 1, Deleted: 1, Wasted: 1}},
		{[]*Index{low, mid, top}, []string{"2 /", "2 /bin", "2 /bin/x metadata", "2 /data", "2 /data/1 modified", "0 /data/sub deleted", "0 /data/sub/2 deleted", "2 /file added", "1 /tree deleted", "0 /tree/leaf deleted", "1 /tree/new deleted"},
			Stats{Size: 1 + 4 + 5, Added: 1, Modified: 2, Deleted: 5, Wasted: 1 + 3 + 3 + 4 + 3}},
	} {
		all, children := union(t, tc.layers...)
		if !slices.Equal(all, tc.want) {
			t.Errorf("%d layers:\n%s\nwant\n%s", len(tc.layers), strings.Join(all, "\n"), strings.Join(tc.want, "\n"))
		}
		if !slices.Equal(children, tc.want[1:]) {
			t.Errorf("%d layers, directory by directory:\n%s", len(tc.layers), strings.Join(children, "\n"))
		}
		if s, err := LayerStats(tc.layers); err != nil || s != tc.stats {
			t.Errorf("%d layers: %+v, %v; want %+v", len(tc.layers), s, err, tc.stats)
		}
	}
}

func BenchmarkMergeFirstScreenOfAMillion(b *testing.B) {
	x := writeIndex(b, manyEntries(1_000_000)...)
	for b.Loop() {
		n := 0
		for _, err := range MergePart([]*Index{x, x}, MergeOptions{Depth: 1}) {
			must(b, err)
			if n++; n == 100 {
				break
			}
		}
	}
}
