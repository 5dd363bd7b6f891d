package cgroup

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/errdefs"
)

func TestOnlyCgroupsAreWritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "freezer.state")
	if err := writeFile(name, "FROZEN"); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Held by openFile's look at the file system.
	if err := writeFile(name, "FROZEN"); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("a file of another file system: %v", err)
	}
	if b, err := os.ReadFile(name); err != nil || len(b) > 0 {
		t.Errorf("it holds %q, %v", b, err)
	}
}

func TestCheckPaths(t *testing.T) {
	m, err := New("", "x", nil)
	if err != nil {
		t.Skip(err)
	}
	if err := CheckPaths(m.Paths); err != nil {
		t.Errorf("paths of New: %v", err)
	}
	for controller, list := range map[string][]string{
		"":       {"", "/", root, root + "/", root + "/../x", "/tmp/x", "relative", root + "//x", root + "x"},
		"memory": {root + "/memory", root + "/memory/", root + "/memory/..", root + "/memory/x/../.."},
	} {
		for _, dir := range list {
			if err := CheckPaths(map[string]string{controller: dir}); err == nil {
				t.Errorf("%q of %q passes", dir, controller)
			}
		}
	}
}
