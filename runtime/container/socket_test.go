package container

import (
	"os"
	"path/filepath"
	"testing"

	"berth/runtime/initproc"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestOnlyTheOwnerStarts has a caller that masks no permission.
func TestOnlyTheOwnerStarts(t *testing.T) {
	f := newFixture(t, "true")
	old := unix.Umask(0)
	c := f.create()
	unix.Umask(old)
	// Held by Fchmod in build.listen.
	st, err := os.Stat(filepath.Join(f.root, c.ID(), startSocket))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("start socket: %v, %v", st.Mode(), err)
	}
	if err := c.Start(); err != nil {
		t.Error(err)
	}
	f.wait(c.Init())
}

// TestStartKilledLate has a starter that died after it let the command go and
// before it removed the socket: the container runs, and is not deleted like a
// created one.
func TestStartKilledLate(t *testing.T) {
	if !initproc.HasStub() {
		t.Skip("a waiting init looks like the runtime on this machine")
	}
	f := newFixture(t)
	c := f.running()
	if err := os.WriteFile(filepath.Join(f.root, c.ID(), startSocket), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Held by Container.released.
	if s, err := c.State(); err != nil || s.Status != specs.StateRunning {
		t.Errorf("the container is %s, %v", s.Status, err)
	}
	if err := c.Start(); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("second start: %v", err)
	}
	if err := c.Delete(false); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("delete without force: %v", err)
	}
}
