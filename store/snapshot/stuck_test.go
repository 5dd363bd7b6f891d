package snapshot

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWhatCannotBeRemoved has something in a snapshot that the kernel does not let go
// of, as it does not of a directory that a disk has lost a block of.
func TestWhatCannotBeRemoved(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	o, closeDB := open(t, root)
	dirs := prepare(t, o, "key", "")
	stuck := filepath.Join(dirs.Upper, "stuck")
	if err := os.Mkdir(stuck, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", stuck, "tmpfs", 0, "size=4k"); err != nil {
		t.Fatal(err)
	}
	mounted := true
	t.Cleanup(func() {
		if mounted {
			unix.Unmount(stuck, unix.MNT_DETACH)
		}
	})
	if err := o.Remove(t.Context(), "key"); err == nil || !strings.Contains(err.Error(), "stuck") {
		t.Errorf("error %v", err)
	}
	looked := func(o *Overlay) {
		t.Helper()
		want := []string{filepath.Join(root, "snapshots", strings.Split(strings.TrimPrefix(dirs.Upper, filepath.Join(root, "snapshots")+"/"), "/")[0])}
		if strays, err := o.Strays(false); err != nil || !slices.Equal(strays, want) {
			t.Errorf("strays: %v, %v, want %v", strays, err, want)
		}
	}
	looked(o)
	closeDB()
	// All the rest can be used nevertheless.
	o, closeDB = open(t, root)
	defer closeDB()
	looked(o)
	prepare(t, o, "other", "")
	if err := unix.Unmount(stuck, 0); err != nil {
		t.Fatal(err)
	}
	mounted = false
	if strays, err := o.Strays(true); err != nil || len(strays) != 1 {
		t.Errorf("removed: %v, %v", strays, err)
	}
	if strays, err := o.Strays(false); err != nil || len(strays) != 0 {
		t.Errorf("left: %v, %v", strays, err)
	}
}
