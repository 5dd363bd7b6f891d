package usage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"berth/store/deeptest"
	"berth/store/remove"
)

// chain makes directories called d in each other, each with a file of three bytes.
func chain(t *testing.T, dir string, depth int) {
	t.Helper()
	deeptest.Chain(t, dir, depth, func(at, _ int) error {
		f, err := unix.Openat(at, "file", unix.O_CREAT|unix.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = unix.Write(f, []byte("abc"))
		return errors.Join(err, unix.Close(f))
	})
}

// TestDeepTree has less descriptors than levels, and no path to its last.
func TestDeepTree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	for _, sub := range []string{"a", "b", "z/in"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := remove.All(dir); err != nil { // t.TempDir cannot
			t.Error(err)
		}
	})
	const depth = 3000
	chain(t, dir+"/a", depth)
	chain(t, dir+"/b", 3*maxOpen)
	// Something is left to be walked far below what stays open.
	far := strings.Repeat("/d", 2*maxOpen)
	for _, sub := range []string{"/a" + far + "/other/in", "/b" + far + "/other"} {
		if err := os.MkdirAll(dir+sub, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 2 * maxOpen, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	u, err := Of(t.Context(), dir)
	if lerr := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil || lerr != nil {
		t.Fatal(err, lerr)
	}
	const files = depth + 3*maxOpen
	if want := int64(2*files + 5 + 3); u.Inodes != want || u.Content != 3*files {
		t.Errorf("%d inodes and %d bytes, want %d and %d", u.Inodes, u.Content, want, 3*files)
	}
}

func TestWhatCounts(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, size int64) {
		t.Helper()
		if err := errors.Join(os.WriteFile(dir+name, []byte("x"), 0o600), os.Truncate(dir+name, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(dir+"/sub/sub", 0o700); err != nil {
		t.Fatal(err)
	}
	file("/one", 1)
	file("/sub/holes", 1<<30)
	err := errors.Join(os.Link(dir+"/one", dir+"/sub/again"), os.Symlink("/etc", dir+"/sub/sub/link"), unix.Mkfifo(dir+"/fifo", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	u, err := Of(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if u.Inodes != 3+4 || u.Content != 1+1<<30+4 {
		t.Errorf("%d inodes and %d bytes, want 7 and %d", u.Inodes, u.Content, 1+1<<30+4)
	}
	var want int64
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err = errors.Join(err, unix.Lstat(path, &st)); d.Name() != "again" {
			want += st.Blocks * 512
		}
		return err
	})
	if err != nil || u.Disk != want {
		t.Errorf("%d bytes on disk, want %d: %v", u.Disk, want, err)
	}
}

func TestManyNames(t *testing.T) {
	dir := t.TempDir()
	for i := range 1500 { // more than one reading gives
		if err := os.MkdirAll(fmt.Sprintf("%s/a directory with a name that is not short, %d/in", dir, i), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	want := int64(0)
	err := filepath.WalkDir(dir, func(string, fs.DirEntry, error) error { want++; return nil })
	if u, uerr := Of(t.Context(), dir); u.Inodes != want || err != nil || uerr != nil {
		t.Errorf("%d inodes, want %d: %v", u.Inodes, want, errors.Join(err, uerr))
	}
}

func TestMovedAway(t *testing.T) {
	dir := t.TempDir()
	chain(t, dir, maxOpen+3)
	before := openFiles(t)
	fd, err := unix.Open(dir, openDir, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := counter{ctx: t.Context(), seen: make(map[inode]bool), buf: make([]byte, 32<<10)}
	c.enter(fd, true)
	for len(c.levels) < maxOpen+3 {
		c.step()
	}
	deep := strings.Repeat("/d", maxOpen+2)
	if err := os.Rename(dir+deep, dir+"/moved"); err != nil {
		t.Fatal(err)
	}
	for len(c.levels) > 0 {
		c.step()
	}
	if c.err != nil || c.Content != 3*(maxOpen+3) {
		t.Errorf("%d bytes, %v", c.Content, c.err)
	}
	if n := openFiles(t); n > before {
		t.Errorf("%d descriptors are open, %d were", n, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestErrors(t *testing.T) {
	if _, err := Of(t.Context(), t.TempDir()+"/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Of(t.Context(), file); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("of a file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Of(ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("when nobody waits: %v", err)
	}
}
