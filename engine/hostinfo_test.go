package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/system"
)

func TestHostInfoIsOfThisMachine(t *testing.T) {
	info, err := hostInfo()
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	if info.KernelVersion != strings.TrimSpace(string(name)) || info.NCPU < 1 || info.MemTotal < 1<<20 || info.NFd < 3 {
		t.Errorf("got %+v", info)
	}
	// docker's CLI reads these without asking whether they are there.
	if info.SecurityOptions == nil || info.Warnings == nil || info.ServerVersion == "" {
		t.Errorf("got %+v", info)
	}
}

func TestCgroupsOfBothKinds(t *testing.T) {
	v2, v1 := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(v2, "cgroup.controllers"), []byte("cpuset cpu memory\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"memory", "pids", "cpu"} {
		if err := os.Mkdir(filepath.Join(v1, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var two, one system.Info
	addCgroup(&two, findCapacity(v2))
	addCgroup(&one, findCapacity(v1))
	if two.CgroupVersion != "2" || !two.MemoryLimit || !two.CPUSet || two.PidsLimit || two.Warnings[0] != "WARNING: No pids limit support" || len(two.Warnings) != 7 {
		t.Errorf("v2: %+v", two)
	}
	if one.CgroupVersion != "1" || !one.MemoryLimit || one.SwapLimit || !one.PidsLimit || one.CPUShares || len(one.Warnings) != 11 {
		t.Errorf("v1: %+v", one)
	}
}

func TestOSRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "os-release")
	if err := os.WriteFile(path, []byte("# a comment\nPRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_ID=12\nODD\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if name, version := osRelease(path); name != "Debian GNU/Linux 12" || version != "12" {
		t.Errorf("got %q %q", name, version)
	}
	if name, version := osRelease(path + ".absent"); name != "Linux" || version != "" {
		t.Errorf("got %q %q", name, version)
	}
}
