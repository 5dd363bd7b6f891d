package engine

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"berth/engine/spec"

	"github.com/moby/moby/api/types/container"
)

// userHZ is the unit of /proc/stat; it is 100 on every Linux of Go's ports.
const userHZ = 100

// Stats samples a container's use of resources. A container that does not run
// gives a sample with nothing but its name. The caller that wants rates keeps
// the sample before (PreCPUStats).
func (cs *Containers) Stats(_ context.Context, ref string) (container.StatsResponse, error) {
	c, err := cs.get(ref)
	if err != nil {
		return container.StatsResponse{}, err
	}
	rec := c.snapshot()
	s := container.StatsResponse{ID: rec.ID, Name: "/" + rec.Name, OSType: "linux"}
	if !rec.State.Running || rec.State.Restarting {
		return s, nil
	}
	path := spec.CgroupPath(cs.e.cgroups.parent, rec.HostConfig.CgroupParent, rec.ID)
	s.Read = time.Now().UTC()
	if cs.e.cgroups.unified {
		cs.e.cgroups.statsV2(path, &s)
	} else {
		cs.e.cgroups.statsV1(path, &s)
	}
	// Without a limit v1 says "9 exabytes" and v2 "max": clients expect the machine's memory.
	if total := memoryTotal(); s.MemoryStats.Limit == 0 || s.MemoryStats.Limit > total {
		s.MemoryStats.Limit = total
	}
	s.CPUStats.OnlineCPUs = uint32(runtime.NumCPU())
	s.CPUStats.SystemUsage = systemCPU()
	if !rec.HostConfig.NetworkMode.IsHost() {
		s.Networks = interfaces(rec.State.Pid)
	}
	return s, nil
}

// statsV1 reads the controllers of cgroup v1 (kernel: admin-guide/cgroup-v1).
func (c *cgroupfs) statsV1(path string, s *container.StatsResponse) {
	acct := c.dir("cpuacct", path)
	s.CPUStats.CPUUsage.TotalUsage = number(acct, "cpuacct.usage")
	// In USER_HZ, unlike cpuacct.usage, which is in nanoseconds.
	s.CPUStats.CPUUsage.PercpuUsage = numbers(acct, "cpuacct.usage_percpu")
	ticks := table(acct, "cpuacct.stat")
	s.CPUStats.CPUUsage.UsageInUsermode = ticks["user"] * uint64(time.Second/userHZ)
	s.CPUStats.CPUUsage.UsageInKernelmode = ticks["system"] * uint64(time.Second/userHZ)
	throttled := table(c.dir("cpu", path), "cpu.stat")
	s.CPUStats.ThrottlingData = container.ThrottlingData{
		Periods: throttled["nr_periods"], ThrottledPeriods: throttled["nr_throttled"], ThrottledTime: throttled["throttled_time"],
	}
	mem := c.dir("memory", path)
	s.MemoryStats = container.MemoryStats{
		Usage: number(mem, "memory.usage_in_bytes"), MaxUsage: number(mem, "memory.max_usage_in_bytes"),
		Failcnt: number(mem, "memory.failcnt"), Limit: number(mem, "memory.limit_in_bytes"), Stats: table(mem, "memory.stat"),
	}
	pids := c.dir("pids", path)
	s.PidsStats = container.PidsStats{Current: number(pids, "pids.current"), Limit: number(pids, "pids.max")}
	s.BlkioStats.IoServiceBytesRecursive = blkio(c.dir("blkio", path), "blkio.throttle.io_service_bytes_recursive")
	s.BlkioStats.IoServicedRecursive = blkio(c.dir("blkio", path), "blkio.throttle.io_serviced_recursive")
}

// statsV2 reads a cgroup of v2 (kernel: admin-guide/cgroup-v2).
func (c *cgroupfs) statsV2(path string, s *container.StatsResponse) {
	dir := c.dir("", path)
	cpu := table(dir, "cpu.stat")
	const micro = uint64(time.Microsecond)
	s.CPUStats.CPUUsage = container.CPUUsage{
		TotalUsage: cpu["usage_usec"] * micro, UsageInUsermode: cpu["user_usec"] * micro, UsageInKernelmode: cpu["system_usec"] * micro,
	}
	s.CPUStats.ThrottlingData = container.ThrottlingData{
		Periods: cpu["nr_periods"], ThrottledPeriods: cpu["nr_throttled"], ThrottledTime: cpu["throttled_usec"] * micro,
	}
	s.MemoryStats = container.MemoryStats{
		Usage: number(dir, "memory.current"), MaxUsage: number(dir, "memory.peak"), Limit: number(dir, "memory.max"),
		Failcnt: table(dir, "memory.events")["oom"], Stats: table(dir, "memory.stat"),
	}
	s.PidsStats = container.PidsStats{Current: number(dir, "pids.current"), Limit: number(dir, "pids.max")}
	s.BlkioStats.IoServiceBytesRecursive, s.BlkioStats.IoServicedRecursive = ioStat(dir)
}

// blkio reads lines of "8:0 Read 4096".
func blkio(dir, name string) []container.BlkioStatEntry {
	out := []container.BlkioStatEntry{}
	b, err := os.ReadFile(dir + "/" + name)
	if err != nil {
		return out
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		var e container.BlkioStatEntry
		if _, err := fmt.Sscanf(f[0]+" "+f[2], "%d:%d %d", &e.Major, &e.Minor, &e.Value); err == nil {
			e.Op = strings.ToLower(f[1])
			out = append(out, e)
		}
	}
	return out
}

// ioStat reads lines of "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …".
func ioStat(dir string) (bytes, ops []container.BlkioStatEntry) {
	b, err := os.ReadFile(dir + "/io.stat")
	if err != nil {
		return nil, nil
	}
	for line := range strings.Lines(string(b)) {
		var e container.BlkioStatEntry
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if _, err := fmt.Sscanf(f[0], "%d:%d", &e.Major, &e.Minor); err != nil {
			continue
		}
		for _, kv := range f[1:] {
			key, value, _ := strings.Cut(kv, "=")
			if e.Value, err = strconv.ParseUint(value, 10, 64); err != nil {
				continue
			}
			switch key {
			case "rbytes", "wbytes":
				e.Op = map[byte]string{'r': "read", 'w': "write"}[key[0]]
				bytes = append(bytes, e)
			case "rios", "wios":
				e.Op = map[byte]string{'r': "read", 'w': "write"}[key[0]]
				ops = append(ops, e)
			}
		}
	}
	return bytes, ops
}

// systemCPU is the machine's time in all states but waiting for a guest, in ns.
func systemCPU() uint64 {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	var total uint64
	for i, f := range strings.Fields(string(line)) {
		if i == 0 || i > 7 {
			continue
		}
		n, err := strconv.ParseUint(f, 10, 64)
		if err == nil {
			total += n
		}
	}
	return total * uint64(time.Second/userHZ)
}

// memoryTotal is the machine's memory in bytes.
func memoryTotal() uint64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	var kib uint64
	if _, err := fmt.Sscanf(string(b), "MemTotal: %d kB", &kib); err != nil {
		return 0
	}
	return kib << 10
}

// interfaces reads the counters of a process's network namespace.
func interfaces(pid int) map[string]container.NetworkStats {
	f, err := os.Open(fmt.Sprintf("/proc/%d/net/dev", pid))
	if err != nil {
		return nil
	}
	defer f.Close()
	all := make(map[string]container.NetworkStats)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, rest, ok := strings.Cut(lines.Text(), ":")
		v := strings.Fields(rest)
		if name = strings.TrimSpace(name); !ok || name == "lo" || len(v) < 12 {
			continue
		}
		n := func(i int) uint64 {
			x, err := strconv.ParseUint(v[i], 10, 64)
			if err != nil {
				return 0
			}
			return x
		}
		all[name] = container.NetworkStats{
			RxBytes: n(0), RxPackets: n(1), RxErrors: n(2), RxDropped: n(3),
			TxBytes: n(8), TxPackets: n(9), TxErrors: n(10), TxDropped: n(11),
		}
	}
	return all
}
