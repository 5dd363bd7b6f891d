package shim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"berth/shim"
)

// The binary cannot be opened for writing through the descriptor that shims are started
// from, hence not through /proc/PID/exe.
func TestExecutableIsReadOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: clones a mount")
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/true"), 0o755); err != nil {
		t.Fatal(err)
	}
	x, err := shim.NewExecutable(path)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for _, flags := range []int{unix.O_WRONLY, unix.O_RDWR, unix.O_WRONLY | unix.O_TRUNC} {
		if fd, err := unix.Open(x.Path(), flags, 0); err != unix.EROFS {
			unix.Close(fd)
			t.Errorf("opening it with %#x gives %v", flags, err)
		}
	}
	// What was opened stays what it was when a newer version takes the name.
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(x.Path()); err != nil || string(b) != "#!/bin/true" {
		t.Errorf("%q, %v", b, err)
	}
}

// Without a read-only mount it is a copy in memory that nobody can change.
func TestCloseOfAnExecutableThatWasNeverOpened(t *testing.T) {
	if err := (shim.Executable{}).Close(); err != nil {
		t.Error(err)
	}
}

func TestExecutableInMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/true"), 0o755); err != nil {
		t.Fatal(err)
	}
	fd, err := shim.SealedCopy(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	again, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDWR, 0)
	if err == nil {
		defer unix.Close(again)
		if _, err := unix.Write(again, []byte("x")); err != unix.EPERM {
			t.Errorf("writing to it gives %v", err)
		}
	}
	if err := unix.Ftruncate(again, 0); err == nil {
		t.Error("it can be truncated")
	}
}
