package diff

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// recorded are the entries of a record as walk has them.
func recorded(t *testing.T, r *record) (all []Entry) {
	t.Helper()
	var at []string
	must(t, r.walk(func(id uint32, path string) error {
		if dir, _ := split(path); len(at) > 0 && path != "/" && r.kind(id) == TypeDir && dir != "/"+strings.Join(at[1:], "/") {
			return fmt.Errorf("%s is visited in %q", path, at)
		}
		all = append(all, r.entry(id, path, true))
		return nil
	}, func(name string) error {
		at = append(at, name)
		return nil
	}, func(name string) error {
		if at[len(at)-1] != name {
			return fmt.Errorf("%q is left in %q", name, at)
		}
		at = at[:len(at)-1]
		return nil
	}))
	if len(at) > 0 {
		t.Errorf("%q is not left", at)
	}
	return all
}

// TestRecordAgreesWithAMap sets, replaces and forgets at random.
func TestRecordAgreesWithAMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	r, want := newRecord(), make(map[string]Entry)
	set := func(e Entry) {
		r.set(e)
		want[e.Path] = e
	}
	set(Entry{Path: "/", Type: TypeDir, ModTime: time.Unix(5, 0)})
	dirs := []string{"/"}
	for i := range 20_000 {
		parent := dirs[rnd.IntN(len(dirs))]
		path := join(parent, fmt.Sprintf("%c%d", 'a'+rnd.IntN(26), rnd.IntN(20)))
		old, there := want[path]
		switch {
		case there && rnd.IntN(3) == 0:
			r.unset(path)
			for p := range want {
				if Within(p, path) {
					delete(want, p)
				}
			}
			dirs = slices.DeleteFunc(dirs, func(d string) bool { return Within(d, path) })
		case there && old.IsDir():
			old.Opaque, old.UID = true, i
			set(old)
		case len(dirs) < 200 && len(path) < 1000 && rnd.IntN(4) == 0 && !there:
			set(Entry{Path: path, Type: TypeDir, Mode: 0o755, ModTime: time.Unix(int64(i), 7)})
			dirs = append(dirs, path)
		default:
			set(Entry{Path: path, Type: TypeRegular, Size: int64(i), Digest: digest.FromString(path), Attrs: uint64(i % 3), ModTime: time.Unix(int64(i), 0)})
		}
		if _, ok := r.look(path); ok != (want[path].Type != 0) {
			t.Fatalf("%s is there: %v", path, ok)
		}
	}
	var sorted []Entry
	for _, e := range want {
		sorted = append(sorted, e)
	}
	slices.SortFunc(sorted, func(a, b Entry) int { return ComparePaths(a.Path, b.Path) })
	if got := recorded(t, r); !slices.Equal(got, sorted) {
		t.Errorf("%d entries are not the %d that were set", len(got), len(sorted))
	}
	if r.lost != "" {
		t.Errorf("lost %s", r.lost)
	}
}

func TestRecordTakesLittle(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const n = 200_000
	before := heap()
	r := newRecord()
	r.set(Entry{Path: "/", Type: TypeDir})
	for i := range n {
		dir := fmt.Sprintf("/usr-%d", i/500)
		if i%500 == 0 {
			r.set(Entry{Path: dir, Type: TypeDir, ModTime: time.Unix(1e9, 0)})
		}
		e := Entry{Path: fmt.Sprintf("%s/file-%d", dir, i), Type: TypeRegular, Mode: 0o644, Size: 123456, ModTime: time.Unix(1e9, 0)}
		e.Digest = noDigest
		copy(r.sum(r.set(e)), "a digest of thirty-two bytes ...")
	}
	each := float64(heap()-before) / n
	if each > 120 {
		t.Errorf("an entry takes %.0f bytes", each)
	}
	if counted := float64(r.bytes) / n; counted < each || counted > 1.5*each {
		t.Errorf("%.0f bytes are counted for an entry, it takes %.0f", counted, each)
	}
	id, ok := r.look("/usr-7/file-3600")
	if !ok || r.entry(id, "", true).Digest != digest.NewDigestFromBytes(digest.SHA256, []byte("a digest of thirty-two bytes ...")) {
		t.Error("a digest is not where it was put")
	}
	runtime.KeepAlive(r)
}

// TestDeepNames implies directories that are a thousand deep, some of them there in
// the layer below.
func TestDeepNames(t *testing.T) {
	needRoot(t)
	deep := func(n int, name string) string { return strings.Repeat(name+"/", n) }
	lower, _, err := apply(t, archive(t, dir(deep(400, "d")), file(deep(200, "d")+"x/y", "of below"), ent{name: deep(300, "d"), kind: tar.TypeDir, mode: 0o711}))
	must(t, err)
	var entries []ent
	for i := range 10 {
		entries = append(entries, file(fmt.Sprintf("%sf%d/%sg", deep(380, "d"), i, deep(600, "e")), "content"))
	}
	entries = append(entries, hardlink(deep(200, "d")+"x/z", deep(200, "d")+"x/y"))
	upper := t.TempDir()
	res, err := Apply(t.Context(), upper, bytes.NewReader(archive(t, entries...)), ApplyOptions{Lower: []string{lower}, Index: upper + ".index"})
	defer os.Remove(upper + ".index")
	must(t, err)
	must(t, Verify(t.Context(), upper, upper+".index"))
	if want := 1 + 380 + 10*(1+600+1) + 3; res.Entries != want {
		t.Errorf("%d entries, want %d", res.Entries, want)
	}
	fi, err := os.Stat(upper + "/" + deep(300, "d"))
	if err != nil || fi.Mode().Perm() != 0o711 {
		t.Errorf("a directory that is implied has not the mode of the one below: %v, %v", fi.Mode(), err)
	}
	wantFile(t, upper+"/"+deep(200, "d")+"x/z", "of below")
	must(t, os.RemoveAll(upper))
}
