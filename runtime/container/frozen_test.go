package container

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestDeleteOfWhatFrozeItself has an init that went into a cgroup of its own making
// and froze it, as one that may write its cgroups can.
func TestDeleteOfWhatFrozeItself(t *testing.T) {
	f := newFixture(t)
	c := f.running()
	dir := c.cg.Paths["freezer"]
	if c.cg.Unified || dir == "" {
		t.Skip("no freezer of cgroup v1")
	}
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.WriteFile(filepath.Join(inner, "freezer.state"), []byte("THAWED"), 0) })
	for _, w := range [][2]string{{"cgroup.procs", strconv.Itoa(c.Init().PID())}, {"freezer.state", "FROZEN"}} {
		if err := os.WriteFile(filepath.Join(inner, w[0]), []byte(w[1]), 0); err != nil {
			t.Fatal(err)
		}
	}
	// Held by Thaw in Container.stop.
	if err := c.Delete(true); err != nil {
		t.Error(err)
	}
}
