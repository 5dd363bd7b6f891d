package cgroup

import (
	"errors"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
)

// Stats are what the kernel counts of a container, in the names and units of
// runc's events command: times in nanoseconds, sizes in bytes. What a kernel does
// not count is zero or left out.
type Stats struct {
	CPU               CPUStats                `json:"cpu"`
	CPUSet            CPUSetStats             `json:"cpuset"`
	Memory            MemoryStats             `json:"memory"`
	Pids              PidsStats               `json:"pids"`
	Blkio             BlkioStats              `json:"blkio"`
	Hugetlb           map[string]HugetlbStats `json:"hugetlb"`
	IntelRdt          struct{}                `json:"intel_rdt"`
	NetworkInterfaces []struct{}              `json:"network_interfaces"` // only runc's own network setup fills it
}

// CPUStats are of the cpu and cpuacct controllers.
type CPUStats struct {
	Usage struct {
		Total        uint64   `json:"total,omitempty"`
		PerCPU       []uint64 `json:"percpu,omitempty"`
		PerCPUKernel []uint64 `json:"percpu_kernel,omitempty"`
		PerCPUUser   []uint64 `json:"percpu_user,omitempty"`
		Kernel       uint64   `json:"kernel"`
		User         uint64   `json:"user"`
	} `json:"usage"`
	Throttling struct {
		Periods          uint64 `json:"periods,omitempty"`
		ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
		ThrottledTime    uint64 `json:"throttledTime,omitempty"`
	} `json:"throttling"`
	PSI *PSIStats `json:"psi,omitempty"`
}

// CPUSetStats are of the cpuset controller.
type CPUSetStats struct {
	CPUs                  []uint16 `json:"cpus,omitempty"`
	CPUExclusive          uint64   `json:"cpu_exclusive"`
	Mems                  []uint16 `json:"mems,omitempty"`
	MemHardwall           uint64   `json:"mem_hardwall"`
	MemExclusive          uint64   `json:"mem_exclusive"`
	MemoryMigrate         uint64   `json:"memory_migrate"`
	MemorySpreadPage      uint64   `json:"memory_spread_page"`
	MemorySpreadSlab      uint64   `json:"memory_spread_slab"`
	MemoryPressure        uint64   `json:"memory_pressure"`
	SchedLoadBalance      uint64   `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64    `json:"sched_relax_domain_level"`
}

// MemoryUsage is one of the memory controller's counters. Without a limit the
// limit is what the kernel says then, the highest number.
type MemoryUsage struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// MemoryStats are of the memory controller. Swap counts memory and swap together.
type MemoryStats struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     MemoryUsage       `json:"usage"`
	Swap      MemoryUsage       `json:"swap"`
	Kernel    MemoryUsage       `json:"kernel"`
	KernelTCP MemoryUsage       `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"`
	PSI       *PSIStats         `json:"psi,omitempty"`
}

// PidsStats are of the pids controller.
type PidsStats struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// BlkioEntry counts one operation on one device.
type BlkioEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

// BlkioStats are of the blkio or io controller.
type BlkioStats struct {
	IoServiceBytesRecursive []BlkioEntry `json:"ioServiceBytesRecursive,omitempty"`
	IoServicedRecursive     []BlkioEntry `json:"ioServicedRecursive,omitempty"`
	PSI                     *PSIStats    `json:"psi,omitempty"`
}

// HugetlbStats are of one page size.
type HugetlbStats struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// PSIStats are how long processes waited for a resource (v2).
type PSIStats struct {
	Some PSI `json:"some"`
	Full PSI `json:"full"`
}

// PSI holds the share of time, in percent, over the last seconds, and the total
// in microseconds.
type PSI struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}

// Stats reads the counters. A container without limits may share a kernel's
// count; a container whose cgroups are gone is an error.
func (m *Manager) Stats() (Stats, error) {
	if _, err := os.Stat(m.main()); err != nil {
		return Stats{}, err
	}
	s := Stats{Hugetlb: map[string]HugetlbStats{}}
	if m.Unified {
		m.statsV2(&s)
	} else {
		m.statsV1(&s)
	}
	s.Pids.Current = m.count("pids", "pids.current")
	s.Pids.Limit = m.count("pids", "pids.max")
	if s.Pids.Limit == math.MaxUint64 {
		s.Pids.Limit = 0
	}
	return s, nil
}

// count reads a file with one number; 0 if it is not there.
func (m *Manager) count(controller, file string) uint64 {
	return parse(m.value(controller, file))
}

func parse(value string) uint64 {
	if value == "max" {
		return math.MaxUint64
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil && errors.Is(err, strconv.ErrRange) {
		return math.MaxUint64
	}
	return n
}

// keyed reads a file of lines "key number".
func (m *Manager) keyed(controller, file string) map[string]uint64 {
	values := map[string]uint64{}
	for line := range strings.Lines(m.value(controller, file)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			values[key] = parse(value)
		}
	}
	return values
}

// numbers reads a list such as "0-2,5".
func numbers(list string) (ns []uint16) {
	for part := range strings.SplitSeq(list, ",") {
		low, high, has := strings.Cut(part, "-")
		first, err := strconv.ParseUint(low, 10, 16)
		if err != nil {
			continue
		}
		last := first
		if has {
			if last, err = strconv.ParseUint(high, 10, 16); err != nil {
				continue
			}
		}
		for n := first; n <= last; n++ {
			ns = append(ns, uint16(n))
		}
	}
	return ns
}

// pageSizes lists the sizes of huge pages that are counted, by the files there.
func (m *Manager) pageSizes(suffix string) (sizes []string) {
	dir := m.dir("hugetlb")
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		size, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), suffix), "hugetlb.")
		if ok && strings.HasSuffix(e.Name(), suffix) && !strings.Contains(size, ".") {
			sizes = append(sizes, size)
		}
	}
	sort.Strings(sizes)
	return sizes
}
