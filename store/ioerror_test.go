package store

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// brokenDisk is an ext4 of 64 MB on a device whose writes fail once 8 MB are
// used. They fail when the kernel writes back, after write(2) has succeeded.
func brokenDisk(t *testing.T) (root string) {
	t.Helper()
	needRoot(t)
	device := t.TempDir()
	root = t.TempDir()
	if err := unix.Mount("tmpfs", device, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(device, unix.MNT_DETACH) })
	file := filepath.Join(device, "disk")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 64<<20); err != nil {
		t.Fatal(err)
	}
	// A journal would take the room, and end everything at the first error.
	for _, argv := range [][]string{{"mkfs.ext4", "-q", "-F", "-O", "^has_journal", file}, {"mount", "-o", "loop,errors=continue,discard", file, root}} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%s: %v\n%s", strings.Join(argv, " "), err, out)
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return root
}

// TestWritesThatFailLater unpacks onto a disk that fails behind the program's
// back. The blob of the layer is small; it is the files that do not fit.
func TestWritesThatFailLater(t *testing.T) {
	root := brokenDisk(t)
	st, err := openStore(root)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	in, err := remoteOf(layerTar(1, 3), layerTar(2, 12000))
	if err != nil {
		t.Fatal(err)
	}
	// A directory that is read again, and is not what was written, is damaged.
	if _, err := st.Images.Receive(t.Context(), in, "big:1"); !errors.Is(err, unix.ENOSPC) && !isDamage(err) {
		t.Errorf("%v, want one that says that writing failed", err)
	}
	if _, err := st.Images.Resolve(t.Context(), "big:1"); !errdefs.IsNotFound(err) {
		t.Errorf("the image is there: %v", err)
	}
	// What the disk lost of a directory, the kernel cannot read and nobody can
	// remove; all else must be gone.
	for _, lost := range unreadable(t, root) {
		t.Logf("the disk has lost %s", lost)
		if err := os.Rename(lost, filepath.Join(root, "lost-"+filepath.Base(lost))); err != nil {
			t.Fatal(err)
		}
	}
	wantNothing(t, st, root)
}

// unreadable lists the snapshots in which the kernel finds a damaged directory.
func unreadable(t *testing.T, root string) (lost []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(root, "snapshots", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range all {
		err := filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { return err })
		if isDamage(err) {
			lost = append(lost, dir)
		}
	}
	return lost
}

// isDamage tells what the kernel says of a disk that does not work.
func isDamage(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, unix.EBADMSG) || errors.Is(err, unix.EUCLEAN)
}
