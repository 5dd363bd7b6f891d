package diff

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Who shares the directory that is copied into may put a link in a file's place.
func TestCopiedAttributesFollowNoLink(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "name")); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(dir, openDir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	st := unix.Stat_t{Mode: unix.S_IFREG | 0o6777}
	if err := copyAttributes(fd, "name", fd, "name", &st); err == nil {
		t.Error("the mode of a link was set")
	}
	if fi, err := os.Stat(outside); err != nil || fi.Mode() != 0o600 {
		t.Errorf("what the link leads to: %v, %v", fi.Mode(), err)
	}
}
