package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestSettings writes down for every field of linux.resources which files it is
// written to, in which order, in which state of the cgroup.
func TestSettings(t *testing.T) {
	memory := func(limit, swap int64) specs.LinuxResources {
		m := &specs.LinuxMemory{}
		if limit != 0 {
			m.Limit = &limit
		}
		if swap != 0 {
			m.Swap = &swap
		}
		return specs.LinuxResources{Memory: m}
	}
	throttle := func(rate uint64) []specs.LinuxThrottleDevice {
		d := specs.LinuxThrottleDevice{Rate: rate}
		d.Major, d.Minor = 8, 16
		return []specs.LinuxThrottleDevice{d}
	}
	weighted := specs.LinuxWeightDevice{Weight: ptr(uint16(500))}
	weighted.Major = 8
	block := specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(100)), WeightDevice: []specs.LinuxWeightDevice{weighted},
		ThrottleReadBpsDevice: throttle(1), ThrottleWriteBpsDevice: throttle(2), ThrottleReadIOPSDevice: throttle(3), ThrottleWriteIOPSDevice: throttle(4)}}
	cpu := func(c specs.LinuxCPU) specs.LinuxResources { return specs.LinuxResources{CPU: &c} }
	huge := specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4096}}}
	for name, c := range map[string]struct {
		r      specs.LinuxResources
		now    map[string]string
		v1, v2 string
	}{
		"memory":           {memory(10, 0), nil, "memory.limit_in_bytes=10", "memory.max=10"},
		"memory and swap":  {memory(10, 30), nil, "memory.limit_in_bytes=10 memory.memsw.limit_in_bytes=30", "memory.swap.max=20 memory.max=10"},
		"no swap":          {memory(10, 10), nil, "memory.limit_in_bytes=10 memory.memsw.limit_in_bytes=10", "memory.swap.max=0 memory.max=10"},
		"all memory":       {memory(-1, 0), nil, "memory.limit_in_bytes=-1 memory.memsw.limit_in_bytes=-1", "memory.swap.max=max memory.max=max"},
		"all memory again": {memory(-1, 0), map[string]string{"memory.limit_in_bytes": "5"}, "memory.memsw.limit_in_bytes=-1 memory.limit_in_bytes=-1", "memory.swap.max=max memory.max=max"},
		"more than before": {memory(20, 30), map[string]string{"memory.limit_in_bytes": "10", "memory.max": "10"},
			"memory.memsw.limit_in_bytes=30 memory.limit_in_bytes=20", "memory.swap.max=10 memory.max=20"},
		"less than before": {memory(5, 8), map[string]string{"memory.limit_in_bytes": "10", "memory.max": "10"},
			"memory.limit_in_bytes=5 memory.memsw.limit_in_bytes=8", "memory.swap.max=3 memory.max=5"},
		"swap of a living one": {memory(0, 30), map[string]string{"memory.limit_in_bytes": "10", "memory.max": "10"}, "memory.memsw.limit_in_bytes=30", "memory.swap.max=20"},
		"swap alone":           {memory(0, 30), nil, "memory.memsw.limit_in_bytes=30", "!needs memory.limit"},
		"other memory": {specs.LinuxResources{Memory: &specs.LinuxMemory{Reservation: ptr(int64(7)), UseHierarchy: ptr(true)}}, nil,
			"memory.soft_limit_in_bytes=7 memory.use_hierarchy=1", "memory.low=7"},
		"swappiness": {specs.LinuxResources{Memory: &specs.LinuxMemory{Swappiness: ptr(uint64(0))}}, nil, "memory.swappiness=0", "!memory.swappiness"},
		"no killer":  {specs.LinuxResources{Memory: &specs.LinuxMemory{DisableOOMKiller: ptr(true)}}, nil, "memory.oom_control=1", "!memory.disableOOMKiller"},
		"kernel TCP": {specs.LinuxResources{Memory: &specs.LinuxMemory{KernelTCP: ptr(int64(3))}}, nil, "memory.kmem.tcp.limit_in_bytes=3", "!memory.kernelTCP"},
		"shares":     {cpu(specs.LinuxCPU{Shares: ptr(uint64(1024))}), nil, "cpu.shares=1024", "cpu.weight=39"},
		"few shares": {cpu(specs.LinuxCPU{Shares: ptr(uint64(1))}), nil, "!minimum allowed cpu-shares is 2", "cpu.weight=1"},
		"quota":      {cpu(specs.LinuxCPU{Quota: ptr(int64(5000))}), nil, "cpu.cfs_quota_us=5000", "cpu.max=5000"},
		"period":     {cpu(specs.LinuxCPU{Period: ptr(uint64(9000))}), map[string]string{"cpu.max": "5000 100000"}, "cpu.cfs_period_us=9000", "cpu.max=5000 9000"},
		"new period": {cpu(specs.LinuxCPU{Period: ptr(uint64(9000))}), nil, "cpu.cfs_period_us=9000", "cpu.max=max 9000"},
		"no quota":   {cpu(specs.LinuxCPU{Quota: ptr(int64(-1)), Burst: ptr(uint64(0))}), nil, "cpu.cfs_quota_us=-1 cpu.cfs_burst_us=0", "cpu.max.burst=0 cpu.max=max"},
		"burst":      {cpu(specs.LinuxCPU{Quota: ptr(int64(50)), Burst: ptr(uint64(5))}), nil, "cpu.cfs_quota_us=50 cpu.cfs_burst_us=5", "cpu.max=50 cpu.max.burst=5"},
		"idle":       {cpu(specs.LinuxCPU{Idle: ptr(int64(1)), Cpus: "0-1", Mems: "0"}), nil, "cpu.idle=1 cpuset.cpus=0-1 cpuset.mems=0", "cpu.idle=1 cpuset.cpus=0-1 cpuset.mems=0"},
		"realtime": {cpu(specs.LinuxCPU{RealtimePeriod: ptr(uint64(9)), RealtimeRuntime: ptr(int64(3))}), nil,
			"cpu.rt_period_us=9 cpu.rt_runtime_us=3", "!realtime limits do not exist in cgroup v2"},
		"pids":    {specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(-1))}}, nil, "pids.max=max", "pids.max=max"},
		"hugetlb": {huge, nil, "hugetlb.2MB.limit_in_bytes=4096 hugetlb.2MB.rsvd.limit_in_bytes=4096", "hugetlb.2MB.max=4096 hugetlb.2MB.rsvd.max=4096"},
		"escape":  {specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "/../x"}}}, nil, "!is not a file name", "!is not a file name"},
		"block": {block, nil, "blkio.bfq.weight=100 blkio.bfq.weight_device=8:0 500 blkio.throttle.read_bps_device=8:16 1 blkio.throttle.write_bps_device=8:16 2 " +
			"blkio.throttle.read_iops_device=8:16 3 blkio.throttle.write_iops_device=8:16 4",
			"io.bfq.weight=100 io.bfq.weight=8:0 500 io.max=8:16 rbps=1 io.max=8:16 wbps=2 io.max=8:16 riops=3 io.max=8:16 wiops=4"},
		"leaf": {specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{LeafWeight: ptr(uint16(10))}}, nil, "blkio.leaf_weight=10", "!blockIO.leafWeight"},
		"network": {specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: ptr(uint32(7)), Priorities: []specs.LinuxInterfacePriority{{Name: "lo", Priority: 3}}}}, nil,
			"net_cls.classid=7 net_prio.ifpriomap=lo 3", "!linux.resources.network"},
		"rdma": {specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"mlx4_1": {HcaObjects: ptr(uint32(2))}, "mlx4_0": {HcaHandles: ptr(uint32(3))}}}, nil,
			"rdma.max=mlx4_0 hca_handle=3 rdma.max=mlx4_1 hca_object=2", "rdma.max=mlx4_0 hca_handle=3 rdma.max=mlx4_1 hca_object=2"},
		"unified": {specs.LinuxResources{Unified: map[string]string{"memory.high": "9", "io.max": "8:0 rbps=1"}}, nil, "!cgroup v1", "io.max=8:0 rbps=1 memory.high=9"},
	} {
		now := func(_, file string) string { return c.now[file] }
		for unified, want := range map[bool]string{false: c.v1, true: c.v2} {
			list, err := settings(&c.r, unified, now)
			var got []string
			for _, s := range list {
				got = append(got, s.file+"="+s.value)
			}
			if text, refused := strings.CutPrefix(want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "linux.resources") {
					t.Errorf("%s, v2 %v: %v, want %q", name, unified, err, text)
				}
			} else if strings.Join(got, " ") != want || err != nil {
				t.Errorf("%s, v2 %v: %q, %v; want %q", name, unified, got, err, want)
			}
		}
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	m := made(t, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(17))}})
	if err := m.Limit(); err != nil {
		t.Fatal(err)
	}
	err := m.Update(&specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr(uint64(300))}, Pids: &specs.LinuxPids{Limit: ptr(int64(18))},
		Rdma: map[string]specs.LinuxRdma{"gone": {}}})
	if err == nil || !strings.Contains(err.Error(), "linux.resources.rdma") {
		t.Errorf("update: %v", err)
	}
	if n := m.value("pids", "pids.max"); n != "17" {
		t.Errorf("pids.max is %s after a failed update", n)
	}
	limit := ptr(int64(1))
	if m.count("memory", map[bool]string{true: "memory.current", false: "memory.usage_in_bytes"}[m.Unified]) > 1 {
		err = m.Update(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: limit, CheckBeforeUpdate: ptr(true)}})
		if !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), "rejecting memory limit 1 < usage") {
			t.Errorf("a limit below the usage: %v", err)
		}
	}
}

// TestUpdateShortensPeriods: a period must not be shorter than what is used of it, and
// the old figure is longer than the new period.
func TestUpdateShortensPeriods(t *testing.T) {
	m := made(t, nil)
	cpu := func(period uint64, part int64) error {
		return m.Update(&specs.LinuxResources{CPU: &specs.LinuxCPU{Period: ptr(period), Quota: ptr(part)}})
	}
	realtime := func(period uint64, part int64) error {
		return m.Update(&specs.LinuxResources{CPU: &specs.LinuxCPU{RealtimePeriod: ptr(period), RealtimeRuntime: ptr(part)}})
	}
	files := map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"}
	if m.Unified {
		files = map[string]string{"cpu.max": "50000 100000"}
	}
	if err := errors.Join(cpu(1000000, 500000), cpu(100000, 50000)); err != nil {
		t.Error(err)
	}
	// There may be no time for it in the cgroup above, or none for cgroups at all.
	if b, err := os.ReadFile(path.Join(path.Dir(m.dir("cpu")), "cpu.rt_runtime_us")); err == nil && string(b) == "950000\n" {
		files["cpu.rt_period_us"], files["cpu.rt_runtime_us"] = "100000", "50000"
		if err := errors.Join(realtime(1000000, 500000), realtime(100000, 50000)); err != nil {
			t.Error(err)
		}
	}
	for name, want := range files {
		if got := m.value("cpu", name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestStatsAreThoseOfTheProcesses(t *testing.T) {
	m := made(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20))}, Pids: &specs.LinuxPids{Limit: ptr(int64(9))}})
	if err := m.Limit(); err != nil {
		t.Fatal(err)
	}
	var procs string
	for _, dir := range m.Paths {
		procs += " " + filepath.Join(dir, "cgroup.procs")
	}
	cmd := exec.Command("sh", "-c", "for f in"+procs+"; do echo 0 > $f; done; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo in; exec sleep 1000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	s, err := m.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if s.CPU.Usage.Total == 0 || s.Memory.Usage.Usage == 0 || s.Memory.Usage.Limit != 64<<20 || len(s.Memory.Raw) == 0 ||
		s.Pids.Current != 1 || s.Pids.Limit != 9 || len(s.CPUSet.CPUs) == 0 {
		t.Errorf("%+v", s)
	}
}

func TestOutOfMemoryIsSeen(t *testing.T) {
	m := made(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(8 << 20)), Swap: ptr(int64(8 << 20))}})
	if err := m.Limit(); err != nil {
		t.Fatal(err)
	}
	var procs string
	for _, dir := range m.Paths {
		procs += " " + filepath.Join(dir, "cgroup.procs")
	}
	cmd := exec.Command("sh", "-c", "for f in"+procs+"; do echo 0 > $f; done; read x; x=a; while :; do x=$x$x; done")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen, ended := make(chan struct{}, 100), make(chan error, 1)
	for len(mustPids(t, m)) == 0 { // under v2 an empty cgroup is the end
	}
	go func() { ended <- m.WatchOOM(func() { seen <- struct{}{} }) }()
	if _, err := fmt.Fprintln(in); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it was not killed")
	}
	if err := m.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := len(seen); n == 0 {
		t.Error("nothing was seen")
	}
}

func mustPids(t *testing.T, m *Manager) []int {
	t.Helper()
	pids, err := m.Pids()
	if err != nil {
		t.Fatal(err)
	}
	return pids
}

func TestSub(t *testing.T) {
	m := &Manager{Paths: map[string]string{"cpu": "/c/cpu/x", "memory": "/c/memory/x"}}
	for _, c := range []struct {
		paths       map[string]string
		cpu, memory string
		err         string
	}{
		{map[string]string{"": "a/b"}, "/c/cpu/x/a/b", "/c/memory/x/a/b", ""},
		{map[string]string{"": "/a"}, "/c/cpu/x/a", "/c/memory/x/a", ""},
		{map[string]string{"cpu": "a"}, "/c/cpu/x/a", "/c/memory/x", ""},
		{map[string]string{"": "../y"}, "", "", "../y is not a sub cgroup path"},
		{map[string]string{"cpu": "../xy"}, "", "", "../xy is not a sub cgroup path"},
		{map[string]string{"pids": "a"}, "", "", `no cgroup of the controller "pids"`},
	} {
		sub, err := m.Sub(c.paths)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v: %v, want %q", c.paths, err, c.err)
			}
			continue
		}
		if err != nil || sub.Paths["cpu"] != c.cpu || sub.Paths["memory"] != c.memory || m.Paths["cpu"] != "/c/cpu/x" {
			t.Errorf("%v: %v, %v", c.paths, sub, err)
		}
	}
}

func TestPropertyValues(t *testing.T) {
	for text, want := range map[string]any{"true": true, "false": false, "uint64 5": uint64(5), "'a b'": "a b", `"x"`: "x"} {
		if got, err := propertyValue(text); got != want || err != nil {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "5", "'", "'a'b'", "uint64 -1", "[1, 2]"} {
		if got, err := propertyValue(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	if os.Getuid() != 0 {
		return
	}
	for r, want := range map[rule]string{
		{true, 'c', 1, 3, "rwm"}: "/dev/char/1:3", {true, 'b', 8, 0, "r"}: "/dev/block/8:0", {true, 'c', -1, -1, "m"}: "char-*", {true, 'c', 136, -1, "rwm"}: "char-pts",
	} {
		if got := deviceName(r); got != want {
			t.Errorf("%v is %q, want %q", r, got, want)
		}
	}
}
