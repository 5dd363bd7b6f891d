package diff

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// treeBytes is a tree as an archive, to compare trees by.
func treeBytes(t *testing.T, d string) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, WriteTar(t.Context(), &b, d, TarOptions{}))
	return b.Bytes()
}

// copied is the union of layers, topmost first, in a new directory.
func copied(t *testing.T, layers ...string) string {
	t.Helper()
	d := filepath.Join(t.TempDir(), "copy")
	must(t, os.Mkdir(d, 0o700))
	must(t, CopyUnion(t.Context(), layers, d))
	return d
}

// TestCopyAndDeltaAreInverse changes a copy in all ways there are. The layer
// found gives the same tree again on the same layers.
func TestCopyAndDeltaAreInverse(t *testing.T) {
	needRoot(t)
	low := mustApply(t, archive(t,
		ent{name: "./", kind: tar.TypeDir, mode: 0o711, uid: 3, time: 50},
		ent{name: "d", kind: tar.TypeDir, mode: 0o750, uid: 4, time: 100}, ent{name: "d/keep", data: "keep", mode: 0o4755, uid: 5, time: 77, pax: map[string]string{paxXattr + "user.k": "v"}},
		file("d/gone", "gone"), file("d/edit", "before"), file("d/touch", "same"), file("d/chmod", "same"), file("d/same-time", "aaaa"),
		file("tree/a/b", "b"), file("tree/c", "c"), symlink("link", "d/keep"), symlink("relink", "one"), hardlink("hard", "d/keep"),
		ent{name: "null", kind: tar.TypeChar, dev: [2]int64{1, 3}}, ent{name: "pipe", kind: tar.TypeFifo}, file("todir", "x"), dir("tofile"), file("tofile/x", "x"),
	))
	top := mustApply(t, archive(t, file("tree/.wh.c", ""), dir("opaque"), file("opaque/.wh..wh..opq", ""), file("d/top", "top")), low)
	tree := copied(t, top, low)
	if _, err := os.Lstat(tree + "/tree/c"); !os.IsNotExist(err) {
		t.Errorf("what a whiteout deletes: %v", err)
	}
	if a, b := lstat(t, tree+"/hard"), lstat(t, tree+"/d/keep"); a.Ino != b.Ino || a.Mode&0o7777 != 0o4755 || a.Uid != 5 || a.Mtim.Sec != 77 {
		t.Errorf("a file with two names: %+v, %+v", a, b)
	}
	if st := lstat(t, tree); st.Mode&0o7777 != 0o755 && st.Mode&0o7777 != 0o711 {
		t.Errorf("root %o", st.Mode)
	}
	complete := time.Now()
	empty := filepath.Join(t.TempDir(), "delta")
	must(t, os.Mkdir(empty, 0o700))
	must(t, Delta(t.Context(), tree, []string{top, low}, complete, empty))
	if names, err := os.ReadDir(empty); err != nil || len(names) != 0 {
		t.Errorf("changes of an untouched copy: %v, %v", names, err)
	}

	must(t, os.Remove(tree+"/d/gone"))
	must(t, os.WriteFile(tree+"/d/edit", []byte("after!"), 0o644))
	must(t, os.Chtimes(tree+"/d/touch", time.Unix(5, 0), time.Unix(5, 0)))
	must(t, os.Chmod(tree+"/d/chmod", 0o600))
	old := lstat(t, tree+"/d/same-time")
	must(t, os.WriteFile(tree+"/d/same-time", []byte("bbbb"), 0o644))
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, tree+"/d/same-time", []unix.Timespec{old.Mtim, old.Mtim}, 0))
	must(t, os.RemoveAll(tree+"/tree"))
	must(t, os.MkdirAll(tree+"/tree/new", 0o755))
	must(t, os.Remove(tree+"/relink"))
	must(t, os.Symlink("two", tree+"/relink"))
	must(t, os.Remove(tree+"/todir"))
	must(t, os.MkdirAll(tree+"/todir/deep", 0o700))
	must(t, os.RemoveAll(tree+"/tofile"))
	must(t, os.WriteFile(tree+"/tofile", []byte("f"), 0o644))
	must(t, os.Link(tree+"/d/edit", tree+"/edit2"))
	must(t, unix.Lsetxattr(tree+"/hard", "user.k", []byte("w"), 0))
	want := treeBytes(t, tree)

	delta := filepath.Join(t.TempDir(), "delta")
	must(t, os.Mkdir(delta, 0o700))
	must(t, Delta(t.Context(), tree, []string{top, low}, complete, delta))
	if got := treeBytes(t, copied(t, delta, top, low)); !bytes.Equal(got, want) {
		t.Errorf("the layer gives\n%s\nwant\n%s", listing(t, got), listing(t, want))
	}
	// The delta must not have what did not change.
	var names []string
	must(t, filepath.WalkDir(delta, func(path string, _ os.DirEntry, err error) error {
		names = append(names, strings.TrimPrefix(path, delta))
		return err
	}))
	for _, untouched := range []string{"/null", "/pipe", "/link", "/d/top", "/opaque"} {
		for _, name := range names {
			if name == untouched {
				t.Errorf("%s is in the layer", name)
			}
		}
	}
}

func TestCopyIsSparse(t *testing.T) {
	needRoot(t)
	low := filepath.Join(t.TempDir(), "low")
	must(t, os.Mkdir(low, 0o755))
	f, err := os.Create(low + "/sparse")
	must(t, err)
	_, err = f.WriteAt([]byte("middle"), 8<<20)
	must(t, err)
	must(t, f.Truncate(64<<20))
	must(t, f.Close())
	d := copied(t, low)
	if a, b := lstat(t, low+"/sparse"), lstat(t, d+"/sparse"); b.Size != a.Size || b.Blocks > a.Blocks+16 {
		t.Errorf("%d bytes in %d blocks, want %d in %d", b.Size, b.Blocks, a.Size, a.Blocks)
	}
	if data, err := os.ReadFile(d + "/sparse"); err != nil || string(data[8<<20:8<<20+6]) != "middle" {
		t.Errorf("content: %v", err)
	}
}
