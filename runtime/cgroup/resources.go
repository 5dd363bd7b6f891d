package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// setting is one value to write to one file of a cgroup.
type setting struct {
	field       string // of linux.resources, for errors
	controller  string
	file, value string
	// alternative is a file to write to if file does not exist: another I/O
	// scheduler's name for the same.
	alternative string
}

func (m *Manager) write(s setting) error {
	dir := m.Paths[""]
	if !m.Unified {
		if dir = m.Paths[s.controller]; dir == "" {
			return fmt.Errorf("linux.resources.%s: the %s cgroup is not mounted: %w", s.field, s.controller, errdefs.ErrFailedPrecondition)
		}
	}
	err := writeFile(path.Join(dir, s.file), s.value)
	if errors.Is(err, os.ErrNotExist) && s.alternative != "" {
		err = writeFile(path.Join(dir, s.alternative), s.value)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("linux.resources.%s: this kernel has no %s: %w", s.field, s.file, errdefs.ErrNotImplemented)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ERANGE):
		return fmt.Errorf("linux.resources.%s: set %s to %q: %w: %w", s.field, s.file, s.value, err, errdefs.ErrInvalidArgument)
	}
	return fmt.Errorf("linux.resources.%s: set %s to %q: %w", s.field, s.file, s.value, err)
}

// writeFile writes to a file that must exist already.
func writeFile(name, value string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

// list collects settings.
type list []setting

func (l *list) add(field, controller, file, value string) {
	*l = append(*l, setting{field: field, controller: controller, file: file, value: value})
}

type numeric interface{ ~int64 | ~uint64 | ~uint32 }

// addNumber adds a value that the spec gives.
func addNumber[T numeric](l *list, field, controller, file string, v *T) {
	if v != nil {
		l.add(field, controller, file, fmt.Sprint(*v))
	}
}

// addNonZero is addNumber for the values of which 0 leaves things as they are,
// as with the other runtimes.
func addNonZero[T numeric](l *list, field, controller, file string, v *T) {
	if v != nil && *v != 0 {
		addNumber(l, field, controller, file, v)
	}
}

// settings turns linux.resources, except devices, into what is to be written, in
// an order in which the kernel takes it for a new cgroup.
func settings(r *specs.LinuxResources, unified bool) ([]setting, error) {
	var l list
	if unified {
		if err := l.v2(r); err != nil {
			return nil, err
		}
	} else {
		if len(r.Unified) > 0 {
			return nil, fmt.Errorf("linux.resources.unified: this machine has cgroup v1: %w", errdefs.ErrFailedPrecondition)
		}
		l.v1(r)
	}
	if r.Pids != nil && r.Pids.Limit != nil && *r.Pids.Limit != 0 {
		value := "max"
		if *r.Pids.Limit > 0 {
			value = strconv.FormatInt(*r.Pids.Limit, 10)
		}
		l.add("pids.limit", "pids", "pids.max", value)
	}
	devices := make([]string, 0, len(r.Rdma))
	for d := range r.Rdma {
		devices = append(devices, d)
	}
	sort.Strings(devices)
	for _, d := range devices {
		value := d
		if n := r.Rdma[d].HcaHandles; n != nil {
			value += fmt.Sprintf(" hca_handle=%d", *n)
		}
		if n := r.Rdma[d].HcaObjects; n != nil {
			value += fmt.Sprintf(" hca_object=%d", *n)
		}
		l.add("rdma", "rdma", "rdma.max", value)
	}
	return l, nil
}

func (l *list) v1(r *specs.LinuxResources) {
	if m := r.Memory; m != nil {
		addNonZero(l, "memory.limit", "memory", "memory.limit_in_bytes", m.Limit)
		addNonZero(l, "memory.swap", "memory", "memory.memsw.limit_in_bytes", m.Swap)
		addNonZero(l, "memory.reservation", "memory", "memory.soft_limit_in_bytes", m.Reservation)
		addNumber(l, "memory.swappiness", "memory", "memory.swappiness", m.Swappiness)
		if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
			l.add("memory.disableOOMKiller", "memory", "memory.oom_control", "1")
		}
	}
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
		l.add("hugepageLimits", "hugetlb", "hugetlb."+h.Pagesize+".limit_in_bytes", strconv.FormatUint(h.Limit, 10))
	}
	if n := r.Network; n != nil {
		addNumber(l, "network.classID", "net_cls", "net_cls.classid", n.ClassID)
		for _, p := range n.Priorities {
			l.add("network.priorities", "net_prio", "net_prio.ifpriomap", fmt.Sprintf("%s %d", p.Name, p.Priority))
		}
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
	add := func(field, file, alternative, value string) {
		*l = append(*l, setting{"blockIO." + field, "blkio", file, value, alternative})
	}
	if b.Weight != nil && *b.Weight != 0 {
		add("weight", "blkio.weight", "blkio.bfq.weight", strconv.Itoa(int(*b.Weight)))
	}
	if b.LeafWeight != nil && *b.LeafWeight != 0 {
		add("leafWeight", "blkio.leaf_weight", "", strconv.Itoa(int(*b.LeafWeight)))
	}
	for _, w := range b.WeightDevice {
		if w.Weight != nil {
			add("weightDevice", "blkio.weight_device", "blkio.bfq.weight_device", fmt.Sprintf("%d:%d %d", w.Major, w.Minor, *w.Weight))
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

// checkKey refuses keys of linux.resources.unified that leave the directory.
func checkKey(key string) error {
	if key == "" || strings.ContainsAny(key, "/\x00") || key == "." || key == ".." {
		return fmt.Errorf("linux.resources.unified: %q is not a file name: %w", key, errdefs.ErrInvalidArgument)
	}
	return nil
}
