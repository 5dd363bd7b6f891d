package diff

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// layers are three layers with every way of hiding; topmost first.
func layers(t *testing.T) []string {
	t.Helper()
	needRoot(t)
	low := mustApply(t, archive(t,
		file("a", "low"), file("d/one", "low"), file("d/two", "low"), file("op/below", "low"), file("gone/x", "low"),
		file("file-then-dir", "low"), file("dir-then-file/x", "low"), symlink("link", "a"),
		ent{name: "null", kind: tar.TypeChar, dev: [2]int64{1, 3}}, ent{name: "fifo", kind: tar.TypeFifo},
	))
	mid := mustApply(t, archive(t,
		file("d/two", "mid"), file("op/.wh..wh..opq", ""), file("op/own", "mid"), file(".wh.gone", ""),
		file("file-then-dir/x", "mid"), file("dir-then-file", "mid"),
	), low)
	top := mustApply(t, archive(t, file("d/three", "top"), file("gone/y", "top")), mid, low)
	return []string{top, mid, low}
}

func TestOpenFileSeesTheUnion(t *testing.T) {
	dirs := layers(t)
	merged, _ := overlayOn(t, dirs...)
	for path, want := range map[string]string{
		"/a": "low", "/d/one": "low", "/d/two": "mid", "/d/three": "top", "/op/own": "mid", "/gone/y": "top",
		"/file-then-dir/x": "mid", "/dir-then-file": "mid",
	} {
		f, err := OpenFile(dirs, path)
		if err != nil {
			t.Error(err)
			continue
		}
		b, err := io.ReadAll(f)
		f.Close()
		if err != nil || string(b) != want {
			t.Errorf("%s: %q, %v; want %q", path, b, err, want)
		}
		if kernel, err := os.ReadFile(merged + path); err != nil || string(kernel) != want {
			t.Errorf("the kernel has %q at %s, %v", kernel, path, err)
		}
	}
	for _, path := range []string{"/op/below", "/gone/x", "/dir-then-file/x", "/nosuch", "/a/b", "/nosuch/x"} {
		if _, err := OpenFile(dirs, path); !errdefs.IsNotFound(err) {
			t.Errorf("%s: %v, want kind NotFound", path, err)
		}
		if _, err := os.Lstat(merged + path); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("the kernel has %s: %v", path, err)
		}
	}
	// A FIFO would block, a device act, a link lead elsewhere.
	for _, path := range []string{"/", "", "/d", "/link", "/null", "/fifo", "/../a", "/d/../a", "/./a", "//"} {
		if _, err := OpenFile(dirs, path); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: %v, want kind InvalidArgument", path, err)
		}
	}
}

func TestNamesAreTheKernels(t *testing.T) {
	dirs := layers(t)
	merged, _ := overlayOn(t, dirs...)
	l, err := openLower(dirs)
	must(t, err)
	defer l.close()
	for _, path := range []string{"", "d", "op", "gone", "file-then-dir"} {
		at := l
		if path != "" {
			at, err = l.sub(path)
			must(t, err)
			defer at.close()
		}
		names, err := at.names()
		must(t, err)
		entries, err := os.ReadDir(merged + "/" + path)
		must(t, err)
		var want []string
		for _, e := range entries {
			want = append(want, e.Name())
		}
		if got := slices.Sorted(maps.Keys(names)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, the kernel has %v", path, got, want)
		}
	}
}

// TestMergeIsTheKernels compares the union of the indexes with the union that
// the kernel makes of the layers.
func TestMergeIsTheKernels(t *testing.T) {
	dirs := layers(t)
	merged, _ := overlayOn(t, dirs...)
	var indexes []*Index
	for _, d := range slices.Backward(dirs) {
		x, err := OpenIndex(d + ".index")
		must(t, err)
		defer x.Close()
		indexes = append(indexes, x)
	}
	got := map[string]fs.FileMode{}
	for u, err := range Merge(indexes, "/") {
		must(t, err)
		if u.Kind != Deleted {
			got[u.Path] = u.FileMode()
		}
	}
	want := map[string]fs.FileMode{}
	must(t, fs.WalkDir(os.DirFS(merged), ".", func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		want["/"+strings.TrimPrefix(path, ".")] = info.Mode()
		return err
	}))
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestFileModes(t *testing.T) {
	for text, e := range map[string]Entry{
		"drwxr-xr-x":  {Type: TypeDir, Mode: 0o755},
		"urwxr-xr-x":  {Type: TypeRegular, Mode: 0o4755},
		"gtrwxrwxrwx": {Type: TypeRegular, Mode: 0o3777},
		"Lrwxrwxrwx":  {Type: TypeSymlink, Mode: 0o777},
		"prw-------":  {Type: TypeFifo, Mode: 0o600},
		"Drw-rw----":  {Type: TypeBlock, Mode: 0o660},
		"Dcrw-rw-rw-": {Type: TypeChar, Mode: 0o666},
	} {
		if got := e.FileMode().String(); got != text {
			t.Errorf("%s, want %s", got, text)
		}
	}
}

func TestAFileThatShrinksIsPadded(t *testing.T) {
	needRoot(t)
	d := t.TempDir()
	must(t, os.WriteFile(d+"/f", make([]byte, 8<<20), 0o644))
	cut := &cutter{path: d + "/f"}
	must(t, WriteTar(t.Context(), cut, d, TarOptions{}))
	r := tar.NewReader(strings.NewReader(cut.b.String()))
	h, err := r.Next()
	must(t, err)
	n, err := io.Copy(io.Discard, r)
	if err != nil || n != h.Size || !cut.cut {
		t.Errorf("%d of %d bytes, %v", n, h.Size, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the file: %v", err)
	}
}

// cutter truncates a file when the first bytes of it arrive.
type cutter struct {
	path string
	b    strings.Builder
	cut  bool
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.b.Len() == 512 { // the header
		c.cut = true
		if err := os.Truncate(c.path, 100); err != nil {
			return 0, err
		}
	}
	return c.b.Write(p)
}

func TestIsDirOfAUnion(t *testing.T) {
	needRoot(t)
	bottom := mustApply(t, archive(t, dir("a/b"), file("a/f", ""), dir("gone"), dir("c"), symlink("l", "a")))
	top := mustApply(t, archive(t, file(".wh.gone", ""), file(".wh.c", ""), dir("new")), bottom)
	for path, want := range map[string]bool{"/a": true, "/a/b": true, "/new": true, "/a/f": false, "/gone": false, "/c": false, "/l": false, "/l/b": false, "/a/f/x": false, "/none/x": false} {
		if got, err := IsDir([]string{top, bottom}, path); got != want || err != nil {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	if _, err := IsDir([]string{bottom + "/missing"}, "/a"); err == nil {
		t.Error("a layer that is not there")
	}
}
