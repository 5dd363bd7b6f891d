package cgroup

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func (l *list) v2(r *specs.LinuxResources, now state) error {
	if err := l.memoryV2(r.Memory, now); err != nil {
		return err
	}
	if c := r.CPU; c != nil {
		l.cpuV2(c, now)
		l.cpuset(c)
		if c.RealtimePeriod != nil && *c.RealtimePeriod != 0 || c.RealtimeRuntime != nil && *c.RealtimeRuntime != 0 {
			return notInV2("cpu: realtime limits do")
		}
	}
	if err := l.ioV2(r.BlockIO); err != nil {
		return err
	}
	for _, h := range r.HugepageLimits {
		value := strconv.FormatUint(h.Limit, 10)
		l.add("hugepageLimits", "", "hugetlb."+h.Pagesize+".max", value)
		*l = append(*l, setting{field: "hugepageLimits", file: "hugetlb." + h.Pagesize + ".rsvd.max", value: value, moot: true})
	}
	if n := r.Network; n != nil && (n.ClassID != nil && *n.ClassID != 0 || len(n.Priorities) > 0) {
		return notInV2("network: does")
	}
	for _, k := range slices.Sorted(maps.Keys(r.Unified)) {
		if err := checkKey("unified", k); err != nil {
			return err
		}
		l.add("unified", "", k, r.Unified[k])
	}
	return nil
}

func notInV2(what string) error {
	return fmt.Errorf("linux.resources.%s not exist in cgroup v2: %w", what, errdefs.ErrNotImplemented)
}

// limit writes a number as v2 does, where -1 is "max".
func limit(n int64) string {
	if n == -1 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

func (l *list) memoryV2(m *specs.LinuxMemory, now state) error {
	if m == nil {
		return nil
	}
	for field, set := range map[string]bool{
		"disableOOMKiller": m.DisableOOMKiller != nil && *m.DisableOOMKiller,
		"swappiness":       m.Swappiness != nil,
		//lint:ignore SA1019 to refuse it
		"kernel":    m.Kernel != nil && *m.Kernel != 0,
		"kernelTCP": m.KernelTCP != nil && *m.KernelTCP != 0,
	} {
		if set {
			return notInV2("memory." + field + ": does")
		}
	}
	memory := m.Limit
	if memory == nil || *memory == 0 {
		if n, err := strconv.ParseInt(now("memory", "memory.max"), 10, 64); err == nil {
			memory = &n // that of a living container
		}
	}
	swap, err := swapV2(m.Swap, memory)
	if err != nil {
		return err
	}
	if swap != "" {
		// A kernel that does not count swap has none to limit, or to use.
		*l = append(*l, setting{field: "memory.swap", file: "memory.swap.max", value: swap, moot: swap == "max" || swap == "0"})
	}
	if m.Limit != nil && *m.Limit != 0 {
		l.add("memory.limit", "", "memory.max", limit(*m.Limit))
	}
	if m.Reservation != nil && *m.Reservation != 0 {
		l.add("memory.reservation", "", "memory.low", limit(*m.Reservation))
	}
	return nil
}

// swapV2 turns a limit of memory and swap together into v2's, of swap alone; ""
// leaves it.
func swapV2(swap, memory *int64) (string, error) {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("linux.resources.memory.swap: "+format+": %w", append(args, errdefs.ErrInvalidArgument)...)
	}
	if swap == nil || *swap == 0 {
		if memory != nil && *memory == -1 {
			return "max", nil // memory without a limit means swap without one
		}
		return "", nil
	}
	switch {
	case *swap == -1:
		return "max", nil
	case *swap < 0:
		return "", invalid("%d is no limit", *swap)
	case memory == nil || *memory <= 0:
		return "", invalid("needs memory.limit, as it counts both")
	case *swap < *memory:
		return "", invalid("%d is below memory.limit, %d, which it includes", *swap, *memory)
	}
	return limit(*swap - *memory), nil
}

func (l *list) cpuV2(c *specs.LinuxCPU, now state) {
	if c.Shares != nil && *c.Shares != 0 {
		l.add("cpu.shares", "", "cpu.weight", strconv.FormatUint(weight(*c.Shares), 10))
	}
	quota, period := "", ""
	switch {
	case c.Quota != nil && *c.Quota > 0:
		quota = strconv.FormatInt(*c.Quota, 10)
	case c.Quota != nil && *c.Quota < 0:
		quota = "max"
	}
	if c.Period != nil && *c.Period > 0 {
		period = " " + strconv.FormatUint(*c.Period, 10)
		if quota == "" {
			if quota, _, _ = strings.Cut(now("cpu", "cpu.max"), " "); quota == "" {
				quota = "max"
			}
		}
	}
	// A burst above the quota is refused, so one goes down before the quota and
	// up after it.
	burst := c.Burst
	if burst != nil && *burst == 0 {
		addNumber(l, "cpu.burst", "", "cpu.max.burst", burst)
		burst = nil
	}
	if quota != "" {
		l.add("cpu.quota", "", "cpu.max", quota+period)
	}
	addNumber(l, "cpu.burst", "", "cpu.max.burst", burst)
	addNumber(l, "cpu.idle", "", "cpu.idle", c.Idle)
}

// weight maps v1's cpu.shares (2 to 262144, normally 1024) to v2's cpu.weight (1
// to 10000, normally 100) linearly, as systemd and the other runtimes do.
func weight(shares uint64) uint64 {
	return 1 + (min(max(shares, minShares), maxShares)-minShares)*9999/(maxShares-minShares)
}

// ioWeight turns a weight of v1 and BFQ, 10 to 1000, into the range of the
// others, 1 to 10000.
func ioWeight(w uint16) int64 { return 1 + (int64(w)-10)*9999/990 }

func (l *list) ioV2(b *specs.LinuxBlockIO) error {
	if b == nil {
		return nil
	}
	add := func(device string, w uint16) {
		field := "weight"
		if device != "" {
			field = "weightDevice"
		}
		wide := strconv.FormatInt(ioWeight(w), 10)
		if device == "" {
			wide = "default " + wide
		}
		*l = append(*l, setting{field: "blockIO." + field, file: "io.bfq.weight", value: device + strconv.Itoa(int(w)),
			alternative: &setting{file: "io.weight", value: device + wide}})
	}
	leaf := b.LeafWeight != nil && *b.LeafWeight != 0
	if b.Weight != nil && *b.Weight != 0 {
		add("", *b.Weight)
	}
	for _, w := range b.WeightDevice {
		if w.Weight != nil {
			add(fmt.Sprintf("%d:%d ", w.Major, w.Minor), *w.Weight)
		}
		leaf = leaf || w.LeafWeight != nil && *w.LeafWeight != 0
	}
	if leaf {
		return notInV2("blockIO.leafWeight: does")
	}
	for _, t := range throttles(b) {
		for _, d := range t.devices {
			l.add("blockIO."+t.field, "", "io.max", fmt.Sprintf("%d:%d %s=%d", d.Major, d.Minor, t.v2, d.Rate))
		}
	}
	return nil
}
