package diff

import (
	"fmt"
	"math/rand/v2"
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

// randomLayers are layers that delete, replace and hide each other's files in
// all ways, as many as blocks of an index in some directories.
func randomLayers(t *testing.T, r *rand.Rand, n int) []*Index {
	t.Helper()
	var layers []*Index
	for range n {
		entries := map[string]Entry{"/": {Path: "/", Type: TypeDir, Mode: 0o755}}
		for range r.IntN(400) {
			path := ""
			for range 1 + r.IntN(3) {
				path += fmt.Sprintf("/%c%c", 'a'+r.IntN(4), 'a'+r.IntN(8))
			}
			for i := range len(path) {
				if path[i] != '/' || i == 0 {
					continue
				}
				if e := entries[path[:i]]; e.Type != TypeDir {
					for p := range entries { // whatever was there
						if Within(p, path[:i]) {
							delete(entries, p)
						}
					}
					entries[path[:i]] = Entry{Path: path[:i], Type: TypeDir, Mode: 0o755, Opaque: r.IntN(8) == 0}
				}
			}
			if entries[path].Type == TypeDir {
				continue
			}
			switch r.IntN(4) {
			case 0:
				entries[path] = Entry{Path: path, Type: TypeWhiteout}
			case 1:
				entries[path] = Entry{Path: path, Type: TypeDir, Mode: 0o755, Opaque: r.IntN(2) == 0}
			default:
				data := strings.Repeat("x", r.IntN(3))
				entries[path] = Entry{Path: path, Type: TypeRegular, Mode: 0o600 + uint32(r.IntN(2)), Size: int64(len(data)), Digest: digest.FromString(data)}
			}
		}
		var list []Entry
		for _, e := range entries {
			list = append(list, e)
		}
		layers = append(layers, writeIndex(t, list...))
	}
	return layers
}

func collect(t *testing.T, layers []*Index, o MergeOptions) (all []UnionEntry) {
	t.Helper()
	for u, err := range MergePart(layers, o) {
		must(t, err)
		all = append(all, u)
	}
	return all
}

// TestPartsOfAMergeAreTheWhole compares what is read by seeking with what the
// whole merge says.
func TestPartsOfAMergeAreTheWhole(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		layers := randomLayers(t, r, 1+r.IntN(4))
		all := collect(t, layers, MergeOptions{})
		keep := func(what string, o MergeOptions, yes func(UnionEntry) bool) {
			t.Helper()
			var want []UnionEntry
			for _, u := range all {
				if yes(u) {
					want = append(want, u)
				}
			}
			if got := collect(t, layers, o); !slices.Equal(got, want) {
				t.Fatalf("seed %d, %s %+v:\ngot  %v\nwant %v", seed, what, o, paths(got), paths(want))
			}
		}
		top := len(layers) - 1
		keep("own", MergeOptions{Own: true}, func(u UnionEntry) bool { return u.Layer == top || u.Kind != Unchanged })
		for range 10 {
			at := all[r.IntN(len(all))].Path
			keep("after", MergeOptions{After: at}, func(u UnionEntry) bool { return ComparePaths(u.Path, at) > 0 })
			keep("own after", MergeOptions{After: at, Own: true}, func(u UnionEntry) bool {
				return ComparePaths(u.Path, at) > 0 && (u.Layer == top || u.Kind != Unchanged)
			})
			keep("dir", MergeOptions{Dir: at}, func(u UnionEntry) bool { return Within(u.Path, at) })
			depth := 1 + r.IntN(2)
			inside := func(u UnionEntry) bool {
				return u.Path != at && Within(u.Path, at) && below(u.Path, at) <= depth
			}
			keep("depth", MergeOptions{Dir: at, Depth: depth}, inside)
			if in := collect(t, layers, MergeOptions{Dir: at, Depth: depth}); len(in) > 0 {
				from := in[r.IntN(len(in))].Path
				keep("page", MergeOptions{Dir: at, Depth: depth, After: from}, func(u UnionEntry) bool { return inside(u) && ComparePaths(u.Path, from) > 0 })
			}
		}
	}
}

func paths(list []UnionEntry) (out []string) {
	for _, u := range list {
		out = append(out, fmt.Sprintf("%d:%s%s", u.Layer, u.Path, u.Kind))
	}
	return out
}

// TestOwnReadsLittle pins that a small layer on a large one is read by itself.
func TestOwnReadsLittle(t *testing.T) {
	low := writeIndex(t, manyEntries(50_000)...)
	top := writeIndex(t, Entry{Path: "/", Type: TypeDir}, Entry{Path: "/d0250", Type: TypeDir}, Entry{Path: "/d0250/f077", Type: TypeWhiteout})
	m := newMerge([]*Index{low, top})
	seen, read := 0, map[int]bool{}
	for range m.run(MergeOptions{Dir: "/", Own: true}) {
		seen++
		read[m.cursors[0].next] = true
	}
	if seen != 3 || len(read) > 4 {
		t.Errorf("%d entries, blocks %v of %d", seen, read, len(low.blocks))
	}
}

// TestBuiltIndexIsTheOneOfApply makes the index of a layer that has lost its
// own.
func TestBuiltIndexIsTheOneOfApply(t *testing.T) {
	for _, d := range layers(t) {
		built := filepath.Join(t.TempDir(), "index")
		must(t, BuildIndex(t.Context(), d, built))
		if got, want := entriesOf(t, built), entriesOf(t, d+".index"); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

func TestIndexKnowsAttributesAndLinks(t *testing.T) {
	needRoot(t)
	xattr := file("cap", "x")
	xattr.pax = map[string]string{paxXattr + "security.capability": "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
	d := mustApply(t, archive(t, xattr, file("plain", "x"), hardlink("two", "plain")))
	built := filepath.Join(t.TempDir(), "index")
	must(t, BuildIndex(t.Context(), d, built))
	for _, list := range [][]Entry{entriesOf(t, d+".index"), entriesOf(t, built)} {
		if list[1].Attrs == 0 || list[2].Attrs != 0 || list[3].Link != "/plain" || list[3].Size != 0 || list[3].Digest != list[2].Digest {
			t.Errorf("%+v", list)
		}
	}
	x, err := Scan(t.Context(), d, t.TempDir(), func(path string) bool { return path == "/plain" })
	must(t, err)
	defer x.Close()
	if x.Len() != 3 || x.Size() != 2 {
		t.Errorf("scanned %d entries, %d bytes", x.Len(), x.Size())
	}
}

func entriesOf(t *testing.T, path string) (list []Entry) {
	t.Helper()
	x, err := OpenIndex(path)
	must(t, err)
	defer x.Close()
	for e, err := range x.All() {
		must(t, err)
		e.ModTime = e.ModTime.Truncate(time.Second).UTC()
		if e.Path == "/" || e.IsDir() {
			e.ModTime = time.Time{} // made by Apply on the way
		}
		list = append(list, e)
	}
	return list
}

func TestAnIndexOfAnEarlierVersionIsAbsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index")
	must(t, WriteIndex(path, manyEntries(3)))
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(data[:len(data)-1], '1'), 0o600))
	if _, err := OpenIndex(path); !errdefs.IsNotFound(err) {
		t.Errorf("an old index: %v", err)
	}
	if _, err := OpenIndex(path + ".none"); !errdefs.IsNotFound(err) {
		t.Errorf("no index: %v", err)
	}
}
