package engine

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A log that filled the disk lost its lines in silence.
func TestInspectSaysThatTheLogLacksLines(t *testing.T) {
	r := newRig(t)
	id := r.create(shell("i=0; while [ $i -lt 5000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; sleep 1000"))
	dir := r.Containers.dir(id)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	r.start(id)
	r.until("the loss is told", func() string {
		if got := r.inspect(id).State.Error; !strings.Contains(got, "lines that cannot be written") || !strings.Contains(got, "no space left") {
			return "State.Error is " + got
		}
		return ""
	})
	if !r.inspect(id).State.Running {
		t.Error("the container does not run on")
	}
	if err := r.Containers.Kill(t.Context(), id, "KILL"); err != nil {
		t.Fatal(err)
	}
	r.exit(id)
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Error(err)
	}
}
