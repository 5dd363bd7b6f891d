package cgroup

import (
	"fmt"
	"strconv"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func (l *list) v1(r *specs.LinuxResources, now state) error {
	if len(r.Unified) > 0 {
		return fmt.Errorf("linux.resources.unified: invalid configuration: this machine has cgroup v1: %w", errdefs.ErrFailedPrecondition)
	}
	if err := checkShares(r.CPU); err != nil {
		return err
	}
	l.memoryV1(r.Memory, now)
	if c := r.CPU; c != nil {
		addNonZero(l, "cpu.shares", "cpu", "cpu.shares", c.Shares)
		addNonZero(l, "cpu.period", "cpu", "cpu.cfs_period_us", c.Period)
		addNonZero(l, "cpu.quota", "cpu", "cpu.cfs_quota_us", c.Quota)
		addNumber(l, "cpu.burst", "cpu", "cpu.cfs_burst_us", c.Burst)
		addNonZero(l, "cpu.realtimePeriod", "cpu", "cpu.rt_period_us", c.RealtimePeriod)
		addNonZero(l, "cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us", c.RealtimeRuntime)
		addNumber(l, "cpu.idle", "cpu", "cpu.idle", c.Idle)
		l.cpuset(c)
	}
	l.blkio(r.BlockIO)
	for _, h := range r.HugepageLimits {
		value := strconv.FormatUint(h.Limit, 10)
		l.add("hugepageLimits", "hugetlb", "hugetlb."+h.Pagesize+".limit_in_bytes", value)
		// Reservations are counted apart since Linux 5.7.
		*l = append(*l, setting{field: "hugepageLimits", controller: "hugetlb", file: "hugetlb." + h.Pagesize + ".rsvd.limit_in_bytes", value: value, moot: true})
	}
	if n := r.Network; n != nil {
		addNumber(l, "network.classID", "net_cls", "net_cls.classid", n.ClassID)
		for _, p := range n.Priorities {
			l.add("network.priorities", "net_prio", "net_prio.ifpriomap", fmt.Sprintf("%s %d", p.Name, p.Priority))
		}
	}
	return nil
}

// The kernel's bounds of cpu.shares (kernel/sched/sched.h), to which it would
// shift others without a word.
const minShares, maxShares = 2, 262144

func checkShares(c *specs.LinuxCPU) error {
	if c == nil || c.Shares == nil || *c.Shares == 0 {
		return nil
	}
	switch {
	case *c.Shares < minShares:
		return fmt.Errorf("linux.resources.cpu.shares: the minimum allowed cpu-shares is %d: %w", minShares, errdefs.ErrInvalidArgument)
	case *c.Shares > maxShares:
		return fmt.Errorf("linux.resources.cpu.shares: the maximum allowed cpu-shares is %d: %w", maxShares, errdefs.ErrInvalidArgument)
	}
	return nil
}

func (l *list) memoryV1(m *specs.LinuxMemory, now state) {
	if m == nil {
		return
	}
	var memory, swap list
	addNonZero(&memory, "memory.limit", "memory", "memory.limit_in_bytes", m.Limit)
	addNonZero(&swap, "memory.swap", "memory", "memory.memsw.limit_in_bytes", m.Swap)
	if len(swap) > 0 && *m.Swap == -1 {
		swap[0].moot = true // what does not count swap does not limit it
	}
	if len(memory) > 0 && *m.Limit == -1 && len(swap) == 0 {
		// Memory without a limit needs the sum without one, where it is counted.
		swap = list{{field: "memory.swap", controller: "memory", file: "memory.memsw.limit_in_bytes", value: "-1", moot: true}}
	}
	// The kernel keeps memory below memory and swap at every step.
	if old, err := strconv.ParseUint(now("memory", "memory.limit_in_bytes"), 10, 64); err == nil && len(swap) > 0 &&
		(swap[0].value == "-1" || old < uint64(*m.Swap)) {
		*l = append(append(*l, swap...), memory...)
	} else {
		*l = append(append(*l, memory...), swap...)
	}
	addNonZero(l, "memory.reservation", "memory", "memory.soft_limit_in_bytes", m.Reservation)
	//lint:ignore SA1019 the kernel says whether it still has it
	addNonZero(l, "memory.kernel", "memory", "memory.kmem.limit_in_bytes", m.Kernel)
	addNonZero(l, "memory.kernelTCP", "memory", "memory.kmem.tcp.limit_in_bytes", m.KernelTCP)
	addNumber(l, "memory.swappiness", "memory", "memory.swappiness", m.Swappiness)
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		l.add("memory.disableOOMKiller", "memory", "memory.oom_control", "1")
	}
	if m.UseHierarchy != nil && *m.UseHierarchy {
		*l = append(*l, setting{field: "memory.useHierarchy", controller: "memory", file: "memory.use_hierarchy", value: "1", moot: true})
	}
}

func (l *list) cpuset(c *specs.LinuxCPU) {
	if c.Cpus != "" {
		l.add("cpu.cpus", "cpuset", "cpuset.cpus", c.Cpus)
	}
	if c.Mems != "" {
		l.add("cpu.mems", "cpuset", "cpuset.mems", c.Mems)
	}
}

func (l *list) blkio(b *specs.LinuxBlockIO) {
	if b == nil {
		return
	}
	// CFQ's files were BFQ's names' without "bfq"; a kernel has one of both.
	add := func(field, file, old, value string) {
		s := setting{field: "blockIO." + field, controller: "blkio", file: file, value: value}
		if old != "" {
			s.alternative = &setting{file: old, value: value}
		}
		*l = append(*l, s)
	}
	if b.Weight != nil && *b.Weight != 0 {
		add("weight", "blkio.bfq.weight", "blkio.weight", strconv.Itoa(int(*b.Weight)))
	}
	if b.LeafWeight != nil && *b.LeafWeight != 0 {
		add("leafWeight", "blkio.leaf_weight", "", strconv.Itoa(int(*b.LeafWeight)))
	}
	for _, w := range b.WeightDevice {
		if w.Weight != nil {
			add("weightDevice", "blkio.bfq.weight_device", "blkio.weight_device", fmt.Sprintf("%d:%d %d", w.Major, w.Minor, *w.Weight))
		}
		if w.LeafWeight != nil {
			add("weightDevice", "blkio.leaf_weight_device", "", fmt.Sprintf("%d:%d %d", w.Major, w.Minor, *w.LeafWeight))
		}
	}
	for _, t := range throttles(b) {
		for _, d := range t.devices {
			add(t.field, t.v1, "", fmt.Sprintf("%d:%d %d", d.Major, d.Minor, d.Rate))
		}
	}
}

type throttle struct {
	field, v1, v2 string
	devices       []specs.LinuxThrottleDevice
}

func throttles(b *specs.LinuxBlockIO) []throttle {
	return []throttle{
		{"throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps", b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops", b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops", b.ThrottleWriteIOPSDevice},
	}
}
