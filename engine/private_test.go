package engine

import (
	"os"
	"path/filepath"
	"testing"
)

// A user of the host must not get at the set-user-ID programs of an image, a
// container or a volume (CVE-2021-41091), nor look at logs and records.
func TestRootIsClosedToOthers(t *testing.T) {
	r := newRig(t)
	id := r.run(shell("true"))
	r.exit(id)
	for _, dir := range []string{".", "containers", "volumes", "snapshots", "content", "meta.db"} {
		info, err := os.Stat(filepath.Join(r.cfg.Root, dir))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s is open to others: %v", dir, mode)
		}
	}
	// The socket is below State, which names nothing to who may not list it.
	if info, err := os.Stat(r.cfg.State); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("the state directory: %v, %v", info.Mode(), err)
	}
}
