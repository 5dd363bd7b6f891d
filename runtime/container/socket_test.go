package container

import (
	"os"
	"path/filepath"
	"testing"

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
