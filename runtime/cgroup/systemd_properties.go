package cgroup

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"berth/runtime/systemd"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// propertyValue reads the value of an annotation, in the text form of GVariant as
// far as units need it.
func propertyValue(text string) (any, error) {
	if b, err := strconv.ParseBool(text); err == nil && len(text) > 1 {
		return b, nil
	}
	if n, ok := strings.CutPrefix(text, "uint64 "); ok {
		return strconv.ParseUint(strings.TrimSpace(n), 10, 64)
	}
	if n := len(text); n >= 2 && (text[0] == '\'' || text[0] == '"') && text[n-1] == text[0] && !strings.ContainsAny(text[1:n-1], "'\"\\") {
		return text[1 : n-1], nil
	}
	return nil, errdefs.ErrInvalidArgument
}

// limitProperties are the limits that systemd knows as well.
func limitProperties(r *specs.LinuxResources, unified bool, now state) (list []systemd.Property) {
	if r == nil {
		return nil
	}
	add := func(v1, v2 string, n *int64) {
		name := v1
		if unified {
			name = v2
		}
		if n == nil || *n == 0 || name == "" {
			return
		}
		value := uint64(math.MaxUint64) // no limit
		if *n > 0 {
			value = uint64(*n)
		}
		list = append(list, systemd.Property{Name: name, Value: value})
	}
	if m := r.Memory; m != nil {
		add("MemoryLimit", "MemoryMax", m.Limit)
		add("", "MemoryLow", m.Reservation)
		if swap, err := swapV2(m.Swap, m.Limit); err == nil && m.Swap != nil && unified {
			n, err := strconv.ParseInt(swap, 10, 64)
			switch {
			case swap == "max":
				n = -1
				add("", "MemorySwapMax", &n)
			case err == nil:
				list = append(list, systemd.Property{Name: "MemorySwapMax", Value: uint64(n)})
			}
		}
	}
	if p := r.Pids; p != nil {
		add("TasksMax", "TasksMax", p.Limit)
	}
	if b := r.BlockIO; b != nil && b.Weight != nil && *b.Weight != 0 {
		old, wide := int64(*b.Weight), ioWeight(*b.Weight)
		add("BlockIOWeight", "", &old)
		add("", "IOWeight", &wide)
	}
	if c := r.CPU; c != nil {
		list = append(list, cpuProperties(c, unified, now)...)
	}
	return list
}

func cpuProperties(c *specs.LinuxCPU, unified bool, now state) (list []systemd.Property) {
	if c.Shares != nil && *c.Shares != 0 {
		if unified {
			list = append(list, systemd.Property{Name: "CPUWeight", Value: weight(*c.Shares)})
		} else {
			list = append(list, systemd.Property{Name: "CPUShares", Value: *c.Shares})
		}
	}
	if quota, ok := quotaPerSecond(c, unified, now); ok {
		list = append(list, systemd.Property{Name: "CPUQuotaPerSecUSec", Value: quota})
	}
	if !unified {
		return list // cpuset is not systemd's under v1
	}
	for name, cpus := range map[string]string{"AllowedCPUs": c.Cpus, "AllowedMemoryNodes": c.Mems} {
		if cpus == "" {
			continue
		}
		var mask []byte
		for _, n := range numbers(cpus) {
			for len(mask) <= int(n/8) {
				mask = append(mask, 0)
			}
			mask[n/8] |= 1 << (n % 8)
		}
		list = append(list, systemd.Property{Name: name, Value: mask})
	}
	return list
}

// quotaPerSecond is the quota in microseconds of a second, in steps of ten
// milliseconds, as systemd knows it.
func quotaPerSecond(c *specs.LinuxCPU, unified bool, now state) (uint64, bool) {
	var quota int64
	var period uint64
	if unified {
		q, p, _ := strings.Cut(now("cpu", "cpu.max"), " ")
		quota, _ = strconv.ParseInt(q, 10, 64) // "max" is no quota
		period = parse(p)
	} else {
		quota, _ = strconv.ParseInt(now("cpu", "cpu.cfs_quota_us"), 10, 64)
		period = parse(now("cpu", "cpu.cfs_period_us"))
	}
	if c.Quota != nil && *c.Quota != 0 {
		quota = *c.Quota
	}
	if c.Period != nil && *c.Period != 0 {
		period = *c.Period
	}
	if c.Quota == nil && c.Period == nil || quota == 0 {
		return 0, false
	}
	if quota < 0 {
		return math.MaxUint64, true
	}
	if period == 0 {
		period = 100000 // the kernel's default
	}
	const step = 10000
	return (uint64(quota)*1000000/period + step - 1) / step * step, true
}

// deviceProperties have systemd keep the container from the host's devices as
// well: without them it allows all when it is reloaded. It only knows what is
// allowed; what is denied of that is our own rules' work.
func deviceProperties(rules []rule) []systemd.Property {
	allowed := [][2]string{}
	for _, r := range rules {
		switch {
		case r.kind == 'a' && r.allow:
			return []systemd.Property{{Name: "DevicePolicy", Value: "auto"}, {Name: "DeviceAllow", Value: [][2]string{}}}
		case r.kind == 'a':
			allowed = allowed[:0]
		case r.allow:
			if name := deviceName(r); name != "" {
				allowed = append(allowed, [2]string{name, r.access})
			}
		}
	}
	return []systemd.Property{{Name: "DevicePolicy", Value: "strict"}, {Name: "DeviceAllow", Value: allowed}}
}

// deviceName is what systemd calls devices: a node's path, or the driver's group
// of /proc/devices (systemd.resource-control(5)).
func deviceName(r rule) string {
	kind, section := "char", "Character devices:"
	if r.kind == 'b' {
		kind, section = "block", "Block devices:"
	}
	switch {
	case r.major < 0:
		return kind + "-*"
	case r.minor >= 0:
		return fmt.Sprintf("/dev/%s/%d:%d", kind, r.major, r.minor)
	}
	b, err := os.ReadFile("/proc/devices")
	if err != nil {
		return ""
	}
	_, list, _ := strings.Cut(string(b), section)
	list, _, _ = strings.Cut(list, "\n\n")
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == strconv.FormatInt(r.major, 10) {
			return kind + "-" + f[1]
		}
	}
	return ""
}
