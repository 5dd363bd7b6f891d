package remove

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"berth/store/deeptest"
)

// chain makes directories in each other, with a file and a link in some.
func chain(t *testing.T, dir string, depth int) {
	t.Helper()
	deeptest.Chain(t, dir, depth, func(at, level int) error {
		if level%500 != 0 {
			return nil
		}
		return errors.Join(unix.Symlinkat("/etc", at, "link"), unix.Mknodat(at, "7", unix.S_IFREG|0o600, 0))
	})
}

func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", path, err)
	}
}

// TestDeepTree has less descriptors than levels.
func TestDeepTree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	for _, sub := range []string{"a", "b", "1", "2/in", "3"} { // some are called as what is moved up
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "4"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	chain(t, filepath.Join(dir, "a"), 3000)
	chain(t, filepath.Join(dir, "b"), 3*maxDepth)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 2 * maxDepth, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	err := All(dir)
	if lerr := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil || lerr != nil {
		t.Error(err, lerr)
	}
	gone(t, dir)
}

func TestManyNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	for i := range 3000 {
		if err := os.MkdirAll(fmt.Sprintf("%s/%d/directory", dir, i), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := All(dir + "/"); err != nil {
		t.Error(err)
	}
	gone(t, dir)
}

func TestWhatIsNoDirectory(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "kept")
	if err := os.MkdirAll(filepath.Join(kept, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(kept, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, filepath.Join(dir, "none"), filepath.Join(dir, "none", "below")} {
		if err := All(path); err != nil {
			t.Error(err)
		}
		gone(t, path)
	}
	if _, err := os.Stat(filepath.Join(kept, "in")); err != nil {
		t.Error(err)
	}
}

// TestWhatCannotBeRemoved has a mount in the tree, deep enough that what is beside it
// is moved.
func TestWhatCannotBeRemoved(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount")
	}
	dir := filepath.Join(t.TempDir(), "tree")
	busy := filepath.Join(dir, "mounted")
	if err := os.MkdirAll(busy, 0o700); err != nil {
		t.Fatal(err)
	}
	chain(t, dir, 2*maxDepth)
	if err := unix.Mount("tmpfs", busy, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	err := All(dir)
	if uerr := unix.Unmount(busy, unix.MNT_DETACH); uerr != nil {
		t.Error(uerr)
	}
	if !errors.Is(err, unix.EBUSY) {
		t.Errorf("a mount in the tree: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "mounted" {
		t.Errorf("there is left %v, %v", left, err)
	}
	if err := All(dir); err != nil {
		t.Error(err)
	}
}
