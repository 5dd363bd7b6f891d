package resctrl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// class makes what the kernel would: a class with its files.
func class(t *testing.T, root, name, schemata string) {
	t.Helper()
	dir := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Join(dir, "mon_groups"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{"tasks": "", "schemata": schemata} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNew(t *testing.T) {
	root := t.TempDir()
	class(t, root, "", "")
	class(t, root, "gold", "    MB:0=100;1= 50\n    L3:0=0ff;1=1\n")
	for _, c := range []struct {
		rdt  specs.LinuxIntelRdt
		want Group
		err  error
	}{
		{specs.LinuxIntelRdt{}, Group{Dir: root + "/id", Made: true}, nil},
		{specs.LinuxIntelRdt{ClosID: "/"}, Group{Dir: root}, nil},
		{specs.LinuxIntelRdt{ClosID: "gold", EnableMonitoring: true}, Group{Dir: root + "/gold", Monitor: root + "/gold/mon_groups/id"}, nil},
		{specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=FF", MemBwSchema: "MB:1=50"}, Group{Dir: root + "/gold"}, nil},
		{specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=f"}, Group{}, errdefs.ErrFailedPrecondition},
		{specs.LinuxIntelRdt{ClosID: "tin"}, Group{}, errdefs.ErrNotFound},
		{specs.LinuxIntelRdt{ClosID: "tin", Schemata: []string{"L3:0=1"}}, Group{Dir: root + "/tin", Made: true}, nil},
		{specs.LinuxIntelRdt{ClosID: "../x"}, Group{}, errdefs.ErrInvalidArgument},
		{specs.LinuxIntelRdt{ClosID: ".."}, Group{}, errdefs.ErrInvalidArgument},
	} {
		g, err := New(root, "id", &c.rdt)
		if c.err != nil {
			if errdefs.Resolve(err) != c.err || !strings.HasPrefix(err.Error(), "linux.intelRdt") {
				t.Errorf("%+v: %v, want %v", c.rdt, err, c.err)
			}
			continue
		}
		if err != nil || g.Dir != c.want.Dir || g.Made != c.want.Made || g.Monitor != c.want.Monitor {
			t.Errorf("%+v: %+v, %v; want %+v", c.rdt, g, err, c.want)
		}
	}
}

func TestGroup(t *testing.T) {
	root := t.TempDir()
	class(t, root, "gold", "L3:0=ff\n")
	g, err := New(root, "id", &specs.LinuxIntelRdt{ClosID: "gold", EnableMonitoring: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Create(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.Monitor, "tasks"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := g.Add(17); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{g.Dir, g.Monitor} {
		name := filepath.Join(dir, "tasks")
		if b, err := os.ReadFile(name); err != nil || string(b) != "17" {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
	}
	if err := os.Remove(filepath.Join(g.Monitor, "tasks")); err != nil { // as the kernel does
		t.Fatal(err)
	}
	for range 2 {
		if err := g.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(g.Monitor); !os.IsNotExist(err) {
		t.Errorf("the monitoring group: %v", err)
	}
	if _, err := os.Stat(g.Dir); err != nil {
		t.Errorf("a class that was there before: %v", err)
	}

	// A new class: its files are the kernel's, so here they are missing.
	g, err = New(root, "id", &specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f"})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Create(); err == nil || !strings.Contains(err.Error(), "L3:0=f") {
		t.Errorf("no schemata file: %v", err)
	}
	if _, err := os.Stat(g.Dir); !os.IsNotExist(err) {
		t.Errorf("the class is left: %v", err)
	}
}

// TestOnlyOwnClassesAreRemoved is config-linux.md: a class that the spec names may
// have come to be used by others.
func TestOnlyOwnClassesAreRemoved(t *testing.T) {
	for closID, want := range map[string]bool{"": false, "tin": true} {
		root := t.TempDir()
		g, err := New(root, "id", &specs.LinuxIntelRdt{ClosID: closID, Schemata: []string{"L3:0=f"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(g.Dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := g.Remove(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(g.Dir); (err == nil) != want {
			t.Errorf("closID %q: the class is kept: %v, want %v", closID, err == nil, want)
		}
	}
}

func TestRoot(t *testing.T) {
	root, err := Root()
	if err == nil {
		if _, err := os.Stat(filepath.Join(root, "schemata")); err != nil {
			t.Errorf("%s is no resctrl: %v", root, err)
		}
		return
	}
	if !errdefs.IsNotImplemented(err) || !strings.Contains(err.Error(), "mount -t resctrl") {
		t.Error(err)
	}
}
