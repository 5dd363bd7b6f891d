package cgroup

import (
	"fmt"
	"sort"
	"strconv"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func (l *list) v2(r *specs.LinuxResources) error {
	if err := l.memoryV2(r.Memory); err != nil {
		return err
	}
	if c := r.CPU; c != nil {
		l.cpuV2(c)
		l.cpuset(c)
		if c.RealtimePeriod != nil && *c.RealtimePeriod != 0 || c.RealtimeRuntime != nil && *c.RealtimeRuntime != 0 {
			return fmt.Errorf("linux.resources.cpu: realtime limits do not exist in cgroup v2: %w", errdefs.ErrNotImplemented)
		}
	}
	if b := r.BlockIO; b != nil {
		l.ioV2(b)
	}
	for _, h := range r.HugepageLimits {
		l.add("hugepageLimits", "", "hugetlb."+h.Pagesize+".max", strconv.FormatUint(h.Limit, 10))
	}
	if n := r.Network; n != nil && (n.ClassID != nil && *n.ClassID != 0 || len(n.Priorities) > 0) {
		return fmt.Errorf("linux.resources.network: does not exist in cgroup v2: %w", errdefs.ErrNotImplemented)
	}
	keys := make([]string, 0, len(r.Unified))
	for k := range r.Unified {
		if err := checkKey(k); err != nil {
			return err
		}
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		l.add("unified", "", k, r.Unified[k])
	}
	return nil
}

// limit writes a number as v2 does, where -1 is "max".
func limit(n int64) string {
	if n < 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

func (l *list) memoryV2(m *specs.LinuxMemory) error {
	if m == nil {
		return nil
	}
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		return fmt.Errorf("linux.resources.memory.disableOOMKiller: does not exist in cgroup v2: %w", errdefs.ErrNotImplemented)
	}
	if m.Swappiness != nil {
		return fmt.Errorf("linux.resources.memory.swappiness: does not exist in cgroup v2: %w", errdefs.ErrNotImplemented)
	}
	if m.Swap != nil && *m.Swap != 0 {
		swap := *m.Swap
		switch {
		case swap > 0 && (m.Limit == nil || *m.Limit <= 0):
			return fmt.Errorf("linux.resources.memory.swap: needs memory.limit, as it counts both: %w", errdefs.ErrInvalidArgument)
		case swap > 0 && swap < *m.Limit:
			return fmt.Errorf("linux.resources.memory.swap: %d is below memory.limit, %d, which it includes: %w", swap, *m.Limit, errdefs.ErrInvalidArgument)
		case swap > 0:
			swap -= *m.Limit // v2 counts swap alone
		}
		l.add("memory.swap", "", "memory.swap.max", limit(swap))
	}
	if m.Limit != nil && *m.Limit != 0 {
		l.add("memory.limit", "", "memory.max", limit(*m.Limit))
	}
	if m.Reservation != nil && *m.Reservation != 0 {
		l.add("memory.reservation", "", "memory.low", limit(*m.Reservation))
	}
	return nil
}

func (l *list) cpuV2(c *specs.LinuxCPU) {
	if c.Shares != nil && *c.Shares != 0 {
		l.add("cpu.shares", "", "cpu.weight", strconv.FormatUint(weight(*c.Shares), 10))
	}
	quota, period := "max", ""
	if c.Quota != nil && *c.Quota > 0 {
		quota = strconv.FormatInt(*c.Quota, 10)
	}
	if c.Period != nil && *c.Period > 0 {
		period = " " + strconv.FormatUint(*c.Period, 10)
	}
	if c.Quota != nil && *c.Quota != 0 || period != "" {
		l.add("cpu.quota", "", "cpu.max", quota+period)
	}
	addNumber(l, "cpu.burst", "", "cpu.max.burst", c.Burst)
	addNumber(l, "cpu.idle", "", "cpu.idle", c.Idle)
}

// weight maps v1's cpu.shares (2 to 262144, normally 1024) to v2's cpu.weight (1
// to 10000, normally 100) linearly, as systemd and the other runtimes do.
func weight(shares uint64) uint64 {
	switch {
	case shares <= 2:
		return 1
	case shares >= 262144:
		return 10000
	}
	return 1 + (shares-2)*9999/262142
}

func (l *list) ioV2(b *specs.LinuxBlockIO) {
	add := func(field, file, alternative, value string) {
		*l = append(*l, setting{"blockIO." + field, "", file, value, alternative})
	}
	if b.Weight != nil && *b.Weight != 0 {
		add("weight", "io.bfq.weight", "io.weight", strconv.Itoa(int(*b.Weight)))
	}
	for _, w := range b.WeightDevice {
		if w.Weight != nil {
			add("weightDevice", "io.bfq.weight", "io.weight", fmt.Sprintf("%d:%d %d", w.Major, w.Minor, *w.Weight))
		}
	}
	for _, t := range throttles(b) {
		for _, d := range t.devices {
			add(t.field, "io.max", "", fmt.Sprintf("%d:%d %s=%d", d.Major, d.Minor, t.v2, d.Rate))
		}
	}
}
