package engine

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An engine that was killed while it forked leaves its lock to the child for a moment:
// that is no other engine.
func TestLockOutlivesKilledEngine(t *testing.T) {
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("needs flock of util-linux in PATH")
	}
	dir := t.TempDir()
	// flock takes it and ends; sleep has it.
	out, err := exec.Command("sh", "-c", `exec 9>"$0"; flock 9; sleep 1000 >/dev/null 2>&1 & echo $!`, filepath.Join(dir, lockName)).Output()
	if err != nil {
		t.Fatal(err)
	}
	heir, err := strconv.Atoi(string(bytes.TrimSpace(out)))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Kill(heir, unix.SIGKILL)
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
		t.Fatalf("the lock of a killed engine is free: %v", err)
	}
	if pid, err := LockHolder(dir); pid != 0 || err != nil {
		t.Errorf("its holder is %d, %v", pid, err)
	}
	taken := make(chan error, 1)
	go func() { taken <- takeLock(dir, int(f.Fd())) }()
	select {
	case err := <-taken:
		t.Fatalf("taken while another has it, or given up: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	if err := unix.Kill(heir, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-taken; err != nil {
		t.Error(err)
	}
	// This process lives, and is no killed engine.
	if pid, err := LockHolder(dir); pid != os.Getpid() || err != nil {
		t.Errorf("its holder is %d, %v, and not %d", pid, err, os.Getpid())
	}
	second, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := takeLock(dir, int(second.Fd())); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("taken from an engine that lives: %v", err)
	}
}
