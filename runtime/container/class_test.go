package container

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestIntelRdt(t *testing.T) {
	if _, err := resctrlRoot(); err != nil {
		f := newFixture(t, "true")
		f.opts.Spec.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: "gold"}
		if _, err := Create(context.Background(), f.opts); !errdefs.IsNotImplemented(err) || !strings.HasPrefix(err.Error(), "linux.intelRdt: ") {
			t.Errorf("without resctrl: %v", err)
		}
	}
	root := t.TempDir()
	tasks := filepath.Join(root, "gold/tasks")
	if err := os.Mkdir(filepath.Dir(tasks), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tasks, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	defer func(f func() (string, error)) { resctrlRoot = f }(resctrlRoot)
	resctrlRoot = func() (string, error) { return root, nil }
	f := newFixture(t)
	f.opts.Spec.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: "gold"}
	c := f.running()
	if b, err := os.ReadFile(tasks); err != nil || string(b) != strconv.Itoa(c.Init().PID()) {
		t.Errorf("tasks %q, %v; want init", b, err)
	}
	if err := os.Truncate(tasks, 0); err != nil {
		t.Fatal(err)
	}
	f.exec(c, "true")
	if b, err := os.ReadFile(tasks); err != nil || len(b) == 0 {
		t.Errorf("tasks %q, %v; want the exec", b, err)
	}
	// One of its own, whose files only the kernel makes, is taken back.
	f = newFixture(t, "true")
	f.opts.Spec.Linux.IntelRdt = &specs.LinuxIntelRdt{}
	if _, err := Create(context.Background(), f.opts); err == nil || !strings.HasPrefix(err.Error(), "linux.intelRdt: add process") {
		t.Errorf("a class without files: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, f.opts.ID)); !os.IsNotExist(err) {
		t.Errorf("the class is left: %v", err)
	}
}
