package cgroup

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// files makes a directory that reads like a cgroup.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestStatsOfV2(t *testing.T) {
	m := &Manager{Unified: true, Paths: map[string]string{"": files(t, map[string]string{
		"cpu.stat":              "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 5\nnr_throttled 3\nthrottled_usec 7\n",
		"cpu.pressure":          "some avg10=1.50 avg60=0.25 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n",
		"cpuset.cpus.effective": "0-2,7\n", "cpuset.mems.effective": "0\n",
		"memory.stat": "anon 1\nfile 4096\n", "memory.current": "8192\n", "memory.peak": "9000\n", "memory.max": "16384\n",
		"memory.events": "low 0\nmax 4\noom 0\noom_kill 0\n", "memory.swap.current": "100\n", "memory.swap.max": "1000\n",
		"io.stat":      "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n253:1 rbytes=7\n",
		"pids.current": "3\n", "pids.max": "max\n",
		"hugetlb.2MB.current": "5\n", "hugetlb.2MB.events": "max 9\n", "hugetlb.2MB.rsvd.current": "1\n",
	})}}
	s, err := m.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if u, th := s.CPU.Usage, s.CPU.Throttling; u.Total != 30000 || u.User != 20000 || u.Kernel != 10000 || th.Periods != 5 || th.ThrottledPeriods != 3 || th.ThrottledTime != 7000 {
		t.Errorf("CPU %+v", s.CPU)
	}
	if p := s.CPU.PSI; p == nil || p.Some != (PSI{1.5, 0.25, 0, 77}) || p.Full.Total != 5 || s.Memory.PSI != nil {
		t.Errorf("pressure %+v", p)
	}
	if !slices.Equal(s.CPUSet.CPUs, []uint16{0, 1, 2, 7}) || !slices.Equal(s.CPUSet.Mems, []uint16{0}) {
		t.Errorf("cpuset %+v", s.CPUSet)
	}
	if s.Memory.Usage != (MemoryUsage{16384, 8192, 9000, 4}) || s.Memory.Swap != (MemoryUsage{17384, 8292, 0, 0}) || s.Memory.Cache != 4096 || s.Memory.Raw["anon"] != 1 {
		t.Errorf("memory %+v", s.Memory)
	}
	if want := []BlkioEntry{{8, 0, "Read", 1}, {8, 0, "Write", 2}, {8, 0, "Discard", 5}, {253, 1, "Read", 7}}; !reflect.DeepEqual(s.Blkio.IoServiceBytesRecursive, want) {
		t.Errorf("bytes %+v", s.Blkio.IoServiceBytesRecursive)
	}
	if len(s.Blkio.IoServicedRecursive) != 3 || s.Pids != (PidsStats{3, 0}) || !reflect.DeepEqual(s.Hugetlb, map[string]HugetlbStats{"2MB": {5, 0, 9}}) {
		t.Errorf("%+v", s)
	}
}

func TestStatsOfV1(t *testing.T) {
	dir := files(t, map[string]string{
		"cpuacct.usage": "30\n", "cpuacct.usage_percpu": "10 20 \n", "cpuacct.usage_all": "cpu user system\n0 4 6\n1 8 12\n", "cpuacct.stat": "user 2\nsystem 1\n",
		"cpu.stat": "nr_periods 5\nnr_throttled 3\nthrottled_time 7\n", "cpuset.cpus": "1\n", "cpuset.sched_relax_domain_level": "-1\n", "cpuset.mem_exclusive": "1\n",
		"memory.stat": "cache 9\nrss 8\n", "memory.usage_in_bytes": "3\n", "memory.limit_in_bytes": "9223372036854771712\n", "memory.memsw.failcnt": "2\n",
		"blkio.bfq.io_service_bytes_recursive": "Total 0\n", "blkio.throttle.io_service_bytes_recursive": "8:16 Read 10\n8:16 Sync 4\n8:16 Total 14\nTotal 14\n",
		"hugetlb.1GB.usage_in_bytes": "1\n", "hugetlb.1GB.rsvd.usage_in_bytes": "1\n", "hugetlb.1GB.max_usage_in_bytes": "2\n", "hugetlb.1GB.failcnt": "3\n", "pids.max": "8\n",
	})
	m := &Manager{Paths: map[string]string{}}
	for _, c := range []string{"devices", "cpu", "cpuacct", "cpuset", "memory", "blkio", "hugetlb", "pids"} {
		m.Paths[c] = dir
	}
	s, err := m.Stats()
	if err != nil {
		t.Fatal(err)
	}
	u := s.CPU.Usage
	if u.Total != 30 || !slices.Equal(u.PerCPU, []uint64{10, 20}) || !slices.Equal(u.PerCPUUser, []uint64{4, 8}) || !slices.Equal(u.PerCPUKernel, []uint64{6, 12}) ||
		u.User != 20_000_000 || u.Kernel != 10_000_000 || s.CPU.Throttling.ThrottledTime != 7 {
		t.Errorf("CPU %+v", s.CPU)
	}
	if s.CPUSet.SchedRelaxDomainLevel != -1 || s.CPUSet.MemExclusive != 1 || s.Memory.Cache != 9 || s.Memory.Usage.Limit != 9223372036854771712 || s.Memory.Swap.Failcnt != 2 {
		t.Errorf("%+v", s)
	}
	if want := []BlkioEntry{{8, 16, "Read", 10}, {8, 16, "Sync", 4}, {8, 16, "Total", 14}}; !reflect.DeepEqual(s.Blkio.IoServiceBytesRecursive, want) {
		t.Errorf("bytes %+v", s.Blkio.IoServiceBytesRecursive)
	}
	if !reflect.DeepEqual(s.Hugetlb, map[string]HugetlbStats{"1GB": {1, 2, 3}}) || s.Pids.Limit != 8 {
		t.Errorf("%+v", s)
	}
	if _, err := (&Manager{Paths: map[string]string{"devices": dir + "/gone"}}).Stats(); !os.IsNotExist(err) {
		t.Errorf("statistics of nothing: %v", err)
	}
}

func TestNumbersThatAreNone(t *testing.T) {
	for text, want := range map[string]uint64{"max": math.MaxUint64, "": 0, "x": 0, "-1": 0, "99999999999999999999": math.MaxUint64} {
		if got := parse(text); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
	if got := numbers("a,3-b,1,2-1"); !slices.Equal(got, []uint16{1}) {
		t.Errorf("%v", got)
	}
}
