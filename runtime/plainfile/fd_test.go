package plainfile

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFD finds a descriptor's file from a thread that is not the process's first and
// has a file system context of its own, without a look below any thread's directory.
func TestFD(t *testing.T) {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name := FD(int(f.Fd()))
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends here
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			done <- err
			return
		}
		at, err := os.Readlink(name)
		if err == nil && at != f.Name() {
			err = fmt.Errorf("%s is %s, not %s", name, at, f.Name())
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
	at, err := filepath.EvalSymlinks(filepath.Dir(name))
	if want := fmt.Sprintf("/proc/%d/fd", os.Getpid()); err != nil || at != want {
		t.Errorf("descriptors are looked up in %s, %v; want %s", at, err, want)
	}
}
