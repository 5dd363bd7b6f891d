package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

// TestSpecIsThatOfRunc compares what spec writes with what the installed runc
// writes, except for what is known to be newer here.
func TestSpecIsThatOfRunc(t *testing.T) {
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Skip("runc is not installed")
	}
	for _, args := range [][]string{{"spec"}, {"spec", "--rootless"}} {
		mine, theirs := t.TempDir(), t.TempDir()
		if out, err := exec.Command(os.Args[0], append(append([]string{"runtime"}, args...), "-b", mine)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if out, err := exec.Command(runc, append(args, "-b", theirs)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var specs [2]specs.Spec
		for i, dir := range []string{mine, theirs} {
			b, err := os.ReadFile(filepath.Join(dir, "config.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &specs[i]); err != nil {
				t.Fatal(err)
			}
			s := &specs[i]
			s.Version, s.Hostname, s.Linux.MaskedPaths = "", "", nil // newer, its name, and more of them
			kinds := map[string]bool{}
			for _, n := range s.Linux.Namespaces {
				kinds[string(n.Type)] = true
			}
			delete(kinds, "cgroup") // newer runcs have it
			if args[len(args)-1] == "--rootless" && (!kinds["user"] || kinds["network"]) {
				t.Errorf("namespaces of %v: %v", args, kinds)
			}
			s.Linux.Namespaces = nil
			s.Process.Capabilities.Ambient = nil // older runcs have them, and the kernel does not raise them
		}
		if !reflect.DeepEqual(specs[0], specs[1]) {
			a, _ := json.Marshal(specs[0])
			b, _ := json.Marshal(specs[1])
			t.Errorf("%v writes\n%s, and runc\n%s", args, a, b)
		}
	}
}

func TestFeaturesAreOfTheSpecification(t *testing.T) {
	out, err := exec.Command(os.Args[0], "runtime", "features").Output()
	if err != nil {
		t.Fatal(err)
	}
	var f features.Features
	if err := json.Unmarshal(out, &f); err != nil {
		t.Fatal(err)
	}
	if f.OCIVersionMin != "1.0.0" || f.OCIVersionMax != specs.Version || len(f.Hooks) != 6 || len(f.MountOptions) < 60 || len(f.Linux.Namespaces) != 8 ||
		len(f.Linux.Capabilities) < 40 || !*f.Linux.Cgroup.V1 || !*f.Linux.Cgroup.V2 || !*f.Linux.Cgroup.Systemd || !*f.Linux.Seccomp.Enabled ||
		len(f.Linux.Seccomp.Actions) != 9 || len(f.Linux.Seccomp.Operators) != 7 {
		t.Errorf("%s", out)
	}
	if got := f.PotentiallyUnsafeConfigAnnotations; len(got) == 0 || got[0] != "org.systemd.property." {
		t.Errorf("annotations %q", got)
	}
}
