package container

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"berth/runtime/cgroup"
	"github.com/containerd/errdefs"
)

// TestFrozenCgroupIsRefused: nothing could join it, and Create would wait for ever.
func TestFrozenCgroupIsRefused(t *testing.T) {
	f := newFixture(t, "true")
	path := "/" + f.opts.ID
	f.opts.Spec.Linux.CgroupsPath = path
	m, err := cgroup.New(path, f.opts.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Remove(); err != nil {
			t.Error(err)
		}
	}()
	if err := m.Freeze(true); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Freeze(false) }()
	_, err = Create(context.Background(), f.opts)
	if !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), "container's cgroup unexpectedly frozen") {
		t.Errorf("create: %v", err)
	}
	if !m.Frozen() {
		t.Error("the refusal has thawed it")
	}
}

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
