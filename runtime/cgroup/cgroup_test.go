package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func ptr[T any](v T) *T { return &v }

// made makes a container's cgroups for a test.
func made(t *testing.T, r *specs.LinuxResources) *Manager {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making cgroups needs root")
	}
	m, err := New(fmt.Sprintf("berth-cgroup-%d", os.Getpid()), "x", r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Remove(); err != nil {
			t.Error(err)
		}
		for _, dir := range m.Paths {
			if exists(dir) {
				t.Errorf("%s is left", dir)
			}
		}
	})
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLimitsArriveInTheFiles(t *testing.T) {
	m := made(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Reservation: ptr(int64(32 << 20))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(512)), Quota: ptr(int64(50000)), Period: ptr(uint64(100000)), Cpus: "0"},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(17))},
	})
	if err := m.Limit(); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"memory/memory.limit_in_bytes": "67108864", "memory/memory.soft_limit_in_bytes": "33554432",
		"cpu/cpu.shares": "512", "cpu/cpu.cfs_quota_us": "50000", "cpuset/cpuset.cpus": "0", "pids/pids.max": "17"}
	if m.Unified {
		files = map[string]string{"/memory.max": "67108864", "/memory.low": "33554432", "/cpu.weight": "20", "/cpu.max": "50000 100000",
			"/cpuset.cpus": "0", "/pids.max": "17"}
	}
	for name, want := range files {
		controller, file, _ := strings.Cut(name, "/")
		b, err := os.ReadFile(filepath.Join(m.Paths[controller], file))
		if got := strings.TrimSpace(string(b)); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %s", name, got, err, want)
		}
	}
}

func TestFreezeKillRemove(t *testing.T) {
	m := made(t, nil)
	// A child with a cgroup of its own below the container's.
	var procs string
	for _, dir := range m.Paths {
		if err := os.Mkdir(filepath.Join(dir, "inner"), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
		for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
			if b, err := os.ReadFile(filepath.Join(dir, f)); err == nil {
				if err := os.WriteFile(filepath.Join(dir, "inner", f), b, 0); err != nil && m.Paths["cpuset"] == dir {
					t.Fatal(err)
				}
			}
		}
		procs += " " + filepath.Join(dir, "inner", "cgroup.procs")
	}
	cmd := exec.Command("sh", "-c", "for f in"+procs+"; do echo 0 > $f; done; echo in; exec sleep 1000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if pids, err := m.Pids(); err != nil || len(pids) != 1 || pids[0] != cmd.Process.Pid {
		t.Errorf("pids %v, %v; want %d", pids, err, cmd.Process.Pid)
	}
	if !m.Occupied() {
		t.Error("not occupied with a process below")
	}
	if err := m.Freeze(true); err != nil || !m.Frozen() {
		t.Errorf("freeze: %v, frozen %v", err, m.Frozen())
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if err := m.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	<-done
	if n, err := m.OOMKills(); err != nil || n != 0 {
		t.Errorf("kills for memory: %d, %v", n, err)
	}
}

func TestDeviceRulesOfV1(t *testing.T) {
	m := made(t, &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
		{Allow: false, Access: "rwm"}, {Allow: true, Type: "c", Major: ptr(int64(10)), Minor: ptr(int64(229)), Access: "rw"}}})
	if m.Unified {
		t.Skip("this machine has cgroup v2 only")
	}
	if err := m.Limit(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(m.Paths["devices"], "devices.list"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"c 10:229 rw\n", "c 1:3 rwm\n", "b *:* m\n", "c 136:* rwm\n"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("devices.list lacks %q:\n%s", want, b)
		}
	}
	if strings.HasPrefix(string(b), "a ") {
		t.Errorf("everything is allowed:\n%s", b)
	}
}

// TestDeviceFilterOfV2 attaches the program to a v2 cgroup and lets a process in
// it try devices. The hybrid layout has one as well.
func TestDeviceFilterOfV2(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	base := root
	if !isFS(base, unix.CGROUP2_SUPER_MAGIC) {
		base = filepath.Join(root, "unified")
	}
	if !isFS(base, unix.CGROUP2_SUPER_MAGIC) {
		t.Skip("no cgroup v2 is mounted")
	}
	dir := filepath.Join(base, fmt.Sprintf("berth-filter-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Rmdir(dir); err != nil {
			t.Error(err)
		}
	}()
	rules := []rule{{false, 'a', -1, -1, "rwm"}, {true, 'c', 1, -1, "r"}, {true, 'c', 1, 3, "rw"}, {false, 'c', 1, 9, "r"}}
	if err := attachDeviceFilter(dir, rules); err != nil {
		t.Fatal(err)
	}
	for dev, want := range map[string]string{"/dev/null": "rw", "/dev/zero": "r-", "/dev/urandom": "--", "/dev/full": "r-", "/dev/tty0": "--"} {
		if _, err := os.Stat(dev); err != nil {
			continue
		}
		script := "echo 0 > " + dir + "/cgroup.procs; exec 2>&-; r=-; w=-; (: < " + dev + ") && r=r; (: >> " + dev + ") && w=w; echo $r$w"
		// The shell's own null device is opened before it joins.
		out, err := exec.Command("sh", "-c", script).Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: access %q, %v; want %s", dev, got, err, want)
		}
	}
}

func TestBadResources(t *testing.T) {
	for text, c := range map[string]struct {
		unified bool
		r       specs.LinuxResources
	}{
		"cgroup v1":               {false, specs.LinuxResources{Unified: map[string]string{"memory.max": "1"}}},
		"is not a file name":      {true, specs.LinuxResources{Unified: map[string]string{"../memory.max": "1"}}},
		"needs memory.limit":      {true, specs.LinuxResources{Memory: &specs.LinuxMemory{Swap: ptr(int64(5))}}},
		"is below memory.limit":   {true, specs.LinuxResources{Memory: &specs.LinuxMemory{Swap: ptr(int64(5)), Limit: ptr(int64(9))}}},
		"memory.disableOOMKiller": {true, specs.LinuxResources{Memory: &specs.LinuxMemory{DisableOOMKiller: ptr(true)}}},
		"realtime":                {true, specs.LinuxResources{CPU: &specs.LinuxCPU{RealtimeRuntime: ptr(int64(5))}}},
		"network":                 {true, specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: ptr(uint32(5))}}},
	} {
		if _, err := settings(&c.r, c.unified, unset); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want %q in it", err, text)
		}
	}
}

func TestLimitOfAnUnknownFileNamesTheField(t *testing.T) {
	m := made(t, &specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "3kB", Limit: 1}}})
	err := m.Limit()
	if !errdefs.IsNotImplemented(err) && !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), "linux.resources.hugepageLimits") {
		t.Errorf("limit: %v", err)
	}
}

func TestWeight(t *testing.T) {
	for shares, want := range map[uint64]uint64{2: 1, 1024: 39, 262144: 10000, 1 << 40: 10000} {
		if got := weight(shares); got != want {
			t.Errorf("weight of %d shares is %d, want %d", shares, got, want)
		}
	}
}

func TestPlace(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "own"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][3]string{
		{"/own", "x", dir + "/own/x"}, {"/own", "/abs/x", dir + "/abs/x"}, {"/not/seen/here", "x", dir + "/x"},
		{"/own", "../../x", dir + "/own/x"}, {"/own", "/../../x", dir + "/x"},
	} {
		if got := place(dir, c[0], c[1]); got != c[2] {
			t.Errorf("place(%s, %s) = %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// The first container of a parent writes its CPUs and those of the parent, the others have
// them from the kernel: a write costs the more the more containers there are.
func TestCPUSetsOfSiblings(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("making cgroups needs root")
	}
	parent := fmt.Sprintf("berth-cpuset-%d", os.Getpid())
	first, err := New(parent+"/first", "first", nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := first.Paths["cpuset"]
	if dir == "" {
		t.Skip("this host has no cpusets of cgroup v1")
	}
	t.Cleanup(func() {
		for _, d := range first.Paths {
			os.Remove(filepath.Dir(d))
		}
	})
	defer first.Remove()
	if err := first.Create(); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(filepath.Dir(dir), "second")
	if err := os.Mkdir(second, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(second)
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		var values []string
		for _, d := range []string{dir, second, filepath.Dir(filepath.Dir(dir))} {
			b, err := os.ReadFile(filepath.Join(d, file))
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, string(b))
		}
		if values[0] != values[2] || values[1] != values[2] || strings.TrimSpace(values[0]) == "" {
			t.Errorf("%s of the first, of one that only is made, and above both: %q", file, values)
		}
	}
}
