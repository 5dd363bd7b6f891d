package cgroup

import (
	"strconv"
	"strings"
)

// tick is the unit of cpuacct.stat, USER_HZ, in nanoseconds: a hundredth of a
// second on every architecture that Go has.
const tick = 10_000_000

func (m *Manager) statsV1(s *Stats) {
	u := &s.CPU.Usage
	u.Total = m.count("cpuacct", "cpuacct.usage")
	for f := range strings.FieldsSeq(m.value("cpuacct", "cpuacct.usage_percpu")) {
		u.PerCPU = append(u.PerCPU, parse(f))
	}
	for line := range strings.Lines(m.value("cpuacct", "cpuacct.usage_all")) {
		f := strings.Fields(line)
		if _, err := strconv.Atoi(f[0]); err != nil || len(f) != 3 {
			continue // the heading, "cpu user system"
		}
		u.PerCPUUser = append(u.PerCPUUser, parse(f[1]))
		u.PerCPUKernel = append(u.PerCPUKernel, parse(f[2]))
	}
	used := m.keyed("cpuacct", "cpuacct.stat")
	u.User, u.Kernel = used["user"]*tick, used["system"]*tick
	throttled := m.keyed("cpu", "cpu.stat")
	s.CPU.Throttling.Periods = throttled["nr_periods"]
	s.CPU.Throttling.ThrottledPeriods = throttled["nr_throttled"]
	s.CPU.Throttling.ThrottledTime = throttled["throttled_time"]
	m.cpusetV1(&s.CPUSet)
	m.memoryStatsV1(&s.Memory)
	s.Blkio.IoServiceBytesRecursive = m.blkioStats("io_service_bytes")
	s.Blkio.IoServicedRecursive = m.blkioStats("io_serviced")
	for _, size := range m.pageSizes(".usage_in_bytes") {
		file := "hugetlb." + size
		s.Hugetlb[size] = HugetlbStats{Usage: m.count("hugetlb", file+".usage_in_bytes"), Max: m.count("hugetlb", file+".max_usage_in_bytes"),
			Failcnt: m.count("hugetlb", file+".failcnt")}
	}
}

func (m *Manager) cpusetV1(s *CPUSetStats) {
	s.CPUs, s.Mems = numbers(m.value("cpuset", "cpuset.cpus")), numbers(m.value("cpuset", "cpuset.mems"))
	for file, n := range map[string]*uint64{"cpu_exclusive": &s.CPUExclusive, "mem_hardwall": &s.MemHardwall, "mem_exclusive": &s.MemExclusive,
		"memory_migrate": &s.MemoryMigrate, "memory_spread_page": &s.MemorySpreadPage, "memory_spread_slab": &s.MemorySpreadSlab,
		"memory_pressure": &s.MemoryPressure, "sched_load_balance": &s.SchedLoadBalance} {
		*n = m.count("cpuset", "cpuset."+file)
	}
	// -1 is the default.
	s.SchedRelaxDomainLevel, _ = strconv.ParseInt(m.value("cpuset", "cpuset.sched_relax_domain_level"), 10, 64)
}

func (m *Manager) memoryStatsV1(s *MemoryStats) {
	s.Raw = m.keyed("memory", "memory.stat")
	s.Cache = s.Raw["cache"]
	for counter, u := range map[string]*MemoryUsage{"memory": &s.Usage, "memory.memsw": &s.Swap, "memory.kmem": &s.Kernel, "memory.kmem.tcp": &s.KernelTCP} {
		*u = MemoryUsage{Limit: m.count("memory", counter+".limit_in_bytes"), Usage: m.count("memory", counter+".usage_in_bytes"),
			Max: m.count("memory", counter+".max_usage_in_bytes"), Failcnt: m.count("memory", counter+".failcnt")}
	}
}

// blkioStats reads a counter of BFQ's, or that of the throttling layer if BFQ
// counts nothing. Lines are "MAJOR:MINOR OPERATION NUMBER".
func (m *Manager) blkioStats(counter string) (entries []BlkioEntry) {
	for _, file := range []string{"blkio.bfq." + counter + "_recursive", "blkio.throttle." + counter + "_recursive", "blkio.throttle." + counter} {
		for line := range strings.Lines(m.value("blkio", file)) {
			f := strings.Fields(line)
			if len(f) != 3 {
				continue // the total
			}
			major, minor, _ := strings.Cut(f[0], ":")
			entries = append(entries, BlkioEntry{Major: parse(major), Minor: parse(minor), Op: f[1], Value: parse(f[2])})
		}
		if entries != nil {
			return entries
		}
	}
	return nil
}
