package cgroup

import (
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// convert turns linux.resources into what the library writes. Devices are not
// among it.
func convert(r *specs.LinuxResources, unified bool) (*cgroups.Resources, error) {
	c := &cgroups.Resources{}
	if r == nil {
		return c, nil
	}
	if err := checkDevices(r); err != nil {
		return nil, err
	}
	if len(r.Unified) > 0 && !unified {
		return nil, fmt.Errorf("linux.resources.unified: this machine has cgroup v1: %w", errdefs.ErrFailedPrecondition)
	}
	c.Unified = r.Unified
	memory(c, r.Memory, unified)
	cpu(c, r.CPU, unified)
	blockIO(c, r.BlockIO)
	if r.Pids != nil && r.Pids.Limit != nil {
		c.PidsLimit = r.Pids.Limit
	}
	for _, h := range r.HugepageLimits {
		c.HugetlbLimit = append(c.HugetlbLimit, &cgroups.HugepageLimit{Pagesize: h.Pagesize, Limit: h.Limit})
	}
	if n := r.Network; n != nil {
		set(&c.NetClsClassid, n.ClassID)
		for _, p := range n.Priorities {
			c.NetPrioIfpriomap = append(c.NetPrioIfpriomap, &cgroups.IfPrioMap{Interface: p.Name, Priority: int64(p.Priority)})
		}
	}
	for name, l := range r.Rdma {
		if c.Rdma == nil {
			c.Rdma = map[string]cgroups.LinuxRdma{}
		}
		c.Rdma[name] = cgroups.LinuxRdma{HcaHandles: l.HcaHandles, HcaObjects: l.HcaObjects}
	}
	return c, nil
}

// set copies a value that the spec gives.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func memory(c *cgroups.Resources, m *specs.LinuxMemory, unified bool) {
	if m == nil {
		return
	}
	set(&c.Memory, m.Limit)
	set(&c.MemoryReservation, m.Reservation)
	set(&c.MemorySwap, m.Swap)
	if !unified {
		c.MemorySwappiness = m.Swappiness
	}
	set(&c.OomKillDisable, m.DisableOOMKiller)
	set(&c.MemoryCheckBeforeUpdate, m.CheckBeforeUpdate)
}

func cpu(c *cgroups.Resources, r *specs.LinuxCPU, unified bool) {
	if r == nil {
		return
	}
	set(&c.CpuShares, r.Shares)
	if r.Shares != nil && unified {
		c.CpuWeight = weight(*r.Shares)
	}
	set(&c.CpuQuota, r.Quota)
	c.CpuBurst = r.Burst
	set(&c.CpuPeriod, r.Period)
	set(&c.CpuRtRuntime, r.RealtimeRuntime)
	set(&c.CpuRtPeriod, r.RealtimePeriod)
	c.CpusetCpus, c.CpusetMems = r.Cpus, r.Mems
	c.CPUIdle = r.Idle
}

// weight maps v1's cpu.shares (2 to 262144, normally 1024) to v2's cpu.weight (1
// to 10000, normally 100) linearly, as systemd and the other runtimes do.
func weight(shares uint64) uint64 {
	switch {
	case shares == 0:
		return 0
	case shares <= 2:
		return 1
	case shares >= 262144:
		return 10000
	}
	return 1 + (shares-2)*9999/262142
}

func blockIO(c *cgroups.Resources, b *specs.LinuxBlockIO) {
	if b == nil {
		return
	}
	set(&c.BlkioWeight, b.Weight)
	set(&c.BlkioLeafWeight, b.LeafWeight)
	for _, w := range b.WeightDevice {
		var weight, leaf uint16
		set(&weight, w.Weight)
		set(&leaf, w.LeafWeight)
		c.BlkioWeightDevice = append(c.BlkioWeightDevice, cgroups.NewWeightDevice(w.Major, w.Minor, weight, leaf))
	}
	for _, t := range []struct {
		to   *[]*cgroups.ThrottleDevice
		from []specs.LinuxThrottleDevice
	}{
		{&c.BlkioThrottleReadBpsDevice, b.ThrottleReadBpsDevice},
		{&c.BlkioThrottleWriteBpsDevice, b.ThrottleWriteBpsDevice},
		{&c.BlkioThrottleReadIOPSDevice, b.ThrottleReadIOPSDevice},
		{&c.BlkioThrottleWriteIOPSDevice, b.ThrottleWriteIOPSDevice},
	} {
		for _, d := range t.from {
			*t.to = append(*t.to, cgroups.NewThrottleDevice(d.Major, d.Minor, d.Rate))
		}
	}
}
