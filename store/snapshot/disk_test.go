package snapshot

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDiskRemembersFailures writes more than the device below a file system can
// take. Another sync has been told before.
func TestDiskRemembersFailures(t *testing.T) {
	needRoot(t)
	device, dir := t.TempDir(), t.TempDir()
	if err := unix.Mount("tmpfs", device, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	defer unix.Unmount(device, unix.MNT_DETACH)
	file := filepath.Join(device, "disk")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 32<<20); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{"mkfs.ext4", "-q", "-F", "-O", "^has_journal", file}, {"mount", "-o", "loop,errors=continue", file, dir}} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%v: %v\n%s", argv, err, out)
		}
	}
	defer unix.Unmount(dir, 0)
	d, err := openDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.root.Close()
	before := d.failed()
	if err := d.sync(before); err != nil {
		t.Fatalf("before anything was written: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "big"), make([]byte, 16<<20), 0o600); err != nil {
		t.Fatalf("writing should succeed at first: %v", err)
	}
	other, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Syncfs(int(other.Fd())); err == nil {
		t.Fatal("the device takes more than it can hold")
	}
	late, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if err := unix.Syncfs(int(late.Fd())); err != nil {
		t.Logf("this kernel tells who comes late, too: %v", err)
	}
	for range 2 {
		if err := d.sync(before); err == nil {
			t.Error("what was begun before the failure is taken for written")
		}
	}
	if err := d.sync(d.failed()); err != nil {
		t.Errorf("what is begun afterwards: %v", err)
	}
}
