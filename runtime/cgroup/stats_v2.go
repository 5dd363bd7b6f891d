package cgroup

import (
	"math"
	"strconv"
	"strings"
)

func (m *Manager) statsV2(s *Stats) {
	used := m.keyed("cpu", "cpu.stat")
	s.CPU.Usage.Total, s.CPU.Usage.User, s.CPU.Usage.Kernel = used["usage_usec"]*1000, used["user_usec"]*1000, used["system_usec"]*1000
	s.CPU.Throttling.Periods = used["nr_periods"]
	s.CPU.Throttling.ThrottledPeriods = used["nr_throttled"]
	s.CPU.Throttling.ThrottledTime = used["throttled_usec"] * 1000
	s.CPU.PSI, s.Memory.PSI, s.Blkio.PSI = m.psi("cpu.pressure"), m.psi("memory.pressure"), m.psi("io.pressure")
	s.CPUSet.CPUs, s.CPUSet.Mems = numbers(m.value("cpuset", "cpuset.cpus.effective")), numbers(m.value("cpuset", "cpuset.mems.effective"))
	m.memoryStatsV2(&s.Memory)
	m.ioStats(&s.Blkio)
	for _, size := range m.pageSizes(".current") {
		file := "hugetlb." + size
		s.Hugetlb[size] = HugetlbStats{Usage: m.count("hugetlb", file+".current"), Failcnt: m.keyed("hugetlb", file+".events")["max"]}
	}
}

func (m *Manager) memoryStatsV2(s *MemoryStats) {
	s.Raw = m.keyed("memory", "memory.stat")
	s.Cache = s.Raw["file"]
	counter := func(name string) MemoryUsage {
		return MemoryUsage{Limit: m.count("memory", name+".max"), Usage: m.count("memory", name+".current"), Max: m.count("memory", name+".peak"),
			Failcnt: m.keyed("memory", name+".events")["max"]}
	}
	s.Usage, s.Swap = counter("memory"), counter("memory.swap")
	// As in v1, where swap is counted together with memory.
	s.Swap.Usage += s.Usage.Usage
	s.Swap.Max = 0
	if s.Swap.Limit != math.MaxUint64 && s.Usage.Limit != math.MaxUint64 {
		s.Swap.Limit += s.Usage.Limit
	}
}

// ioStats reads io.stat: "MAJOR:MINOR rbytes=1 wbytes=2 rios=3 wios=4 …".
func (m *Manager) ioStats(s *BlkioStats) {
	for line := range strings.Lines(m.value("io", "io.stat")) {
		device, counters, _ := strings.Cut(strings.TrimSpace(line), " ")
		major, minor, _ := strings.Cut(device, ":")
		for counter := range strings.FieldsSeq(counters) {
			key, value, _ := strings.Cut(counter, "=")
			e := BlkioEntry{Major: parse(major), Minor: parse(minor), Value: parse(value)}
			list := &s.IoServicedRecursive
			if strings.HasSuffix(key, "bytes") {
				list = &s.IoServiceBytesRecursive
			}
			switch key {
			case "rbytes", "rios":
				e.Op = "Read"
			case "wbytes", "wios":
				e.Op = "Write"
			case "dbytes", "dios":
				e.Op = "Discard"
			default:
				continue
			}
			*list = append(*list, e)
		}
	}
}

// psi reads a file of two lines "some avg10=0.00 avg60=0.00 avg300=0.00 total=0";
// nil if the kernel does not measure it.
func (m *Manager) psi(file string) *PSIStats {
	text := m.value("", file)
	if text == "" {
		return nil
	}
	var s PSIStats
	for line := range strings.Lines(text) {
		kind, rest, _ := strings.Cut(line, " ")
		p := &s.Some
		if kind == "full" {
			p = &s.Full
		}
		for field := range strings.FieldsSeq(rest) {
			key, value, _ := strings.Cut(field, "=")
			average, _ := strconv.ParseFloat(value, 64)
			switch key {
			case "avg10":
				p.Avg10 = average
			case "avg60":
				p.Avg60 = average
			case "avg300":
				p.Avg300 = average
			case "total":
				p.Total = parse(value)
			}
		}
	}
	return &s
}
