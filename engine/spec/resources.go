package spec

import (
	"fmt"
	"runtime"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/blkiodev"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	minMemory = 6 << 20 // bytes; below it a process does not even start
	cpuPeriod = 100000  // microseconds of CFS
)

// Resources are the cgroup's limits; it completes hc as docker does (swap is as
// much again as memory). Unset limits stay nil: the cgroup's own default.
func Resources(hc *container.HostConfig) (*specs.LinuxResources, error) {
	return limits(&hc.Resources, false)
}

// Changes are the limits that a container gets beside those it has: what is zero in res
// stays as it is.
func Changes(res container.Resources) (*specs.LinuxResources, error) {
	return limits(&res, true)
}

func limits(res *container.Resources, update bool) (_ *specs.LinuxResources, err error) {
	if err := checkLimits(res, update); err != nil {
		return nil, err
	}
	// Memory and swap together, as cgroup v1 counts; the runtime converts for v2.
	if res.Memory > 0 && res.MemorySwap == 0 && !update {
		res.MemorySwap = 2 * res.Memory
	}
	r := &specs.LinuxResources{Memory: memory(res), CPU: cpu(res)}
	// 0 and -1 both mean "no limit", which is what a new cgroup has.
	if p := res.PidsLimit; p != nil && (*p > 0 || update) {
		limit := *p
		if limit <= 0 {
			limit = -1
		}
		r.Pids = &specs.LinuxPids{Limit: &limit}
	}
	r.BlockIO, err = blockIO(res)
	return r, err
}

// checkLimits refuses what contradicts itself or is out of range. The words are docker's:
// scripts look for them.
func checkLimits(res *container.Resources, update bool) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, errdefs.ErrInvalidArgument)...)
	}
	switch {
	case res.Memory > 0 && res.Memory < minMemory, res.Memory < 0 && !update:
		return invalid("Minimum memory limit allowed is 6MB")
	case res.Memory > 0 && res.MemorySwap > 0 && res.MemorySwap < res.Memory:
		return invalid("Minimum memoryswap limit should be larger than memory limit, see usage")
	case res.Memory == 0 && res.MemorySwap > 0 && !update:
		return invalid("You should always set the Memory limit when using Memoryswap limit, see usage")
	case res.Memory > 0 && res.MemoryReservation > res.Memory:
		return invalid("Minimum memory limit can not be less than memory reservation limit, see usage")
	case res.BlkioWeight > 0 && (res.BlkioWeight < 10 || res.BlkioWeight > 1000):
		return invalid("Range of blkio weight is from 10 to 1000")
	case res.NanoCPUs > 0 && (res.CPUPeriod > 0 || res.CPUQuota > 0):
		return invalid("Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set")
	case res.NanoCPUs < 0 || res.NanoCPUs > int64(runtime.NumCPU())*1e9:
		return invalid("range of CPUs is from 0.01 to %d.00, as there are only %[1]d CPUs available", runtime.NumCPU())
	}
	for _, set := range []struct{ what, option, value, online string }{
		{"CPUs", "cpus", res.CpusetCpus, "/sys/devices/system/cpu/online"},
		{"memory nodes", "mems", res.CpusetMems, "/sys/devices/system/node/online"},
	} {
		if err := checkSet(set.what, set.option, set.value, set.online); err != nil {
			return err
		}
	}
	if s := res.MemorySwappiness; s != nil && *s > 100 {
		return invalid("Invalid value: %d, valid memory swappiness range is 0-100", *s)
	}
	return nil
}

// memory is nil without any setting.
func memory(res *container.Resources) *specs.LinuxMemory {
	mem := &specs.LinuxMemory{}
	setIf(&mem.Limit, res.Memory, res.Memory > 0)
	setIf(&mem.Swap, res.MemorySwap, res.MemorySwap != 0)
	setIf(&mem.Reservation, res.MemoryReservation, res.MemoryReservation > 0)
	// -1 is how old clients say "unset".
	if s := res.MemorySwappiness; s != nil && *s >= 0 {
		v := uint64(*s)
		mem.Swappiness = &v
	}
	if res.OomKillDisable != nil && *res.OomKillDisable {
		mem.DisableOOMKiller = res.OomKillDisable
	}
	if *mem == (specs.LinuxMemory{}) {
		return nil
	}
	return mem
}

// setIf points dst at v where the limit is set; nil leaves the cgroup's default.
func setIf[T any](dst **T, v T, on bool) {
	if on {
		*dst = &v
	}
}

// cpu is nil without any setting. --cpus is a quota of a fixed period.
func cpu(res *container.Resources) *specs.LinuxCPU {
	c := &specs.LinuxCPU{Cpus: res.CpusetCpus, Mems: res.CpusetMems}
	setIf(&c.Shares, uint64(res.CPUShares), res.CPUShares > 0)
	setIf(&c.Period, uint64(res.CPUPeriod), res.CPUPeriod > 0)
	setIf(&c.Quota, res.CPUQuota, res.CPUQuota != 0)
	setIf(&c.RealtimePeriod, uint64(res.CPURealtimePeriod), res.CPURealtimePeriod > 0)
	setIf(&c.RealtimeRuntime, res.CPURealtimeRuntime, res.CPURealtimeRuntime > 0)
	if res.NanoCPUs > 0 {
		period, quota := uint64(cpuPeriod), res.NanoCPUs*cpuPeriod/1e9
		c.Period, c.Quota = &period, &quota
	}
	if *c == (specs.LinuxCPU{}) {
		return nil
	}
	return c
}

// blockIO resolves device paths to numbers, which is what the kernel takes.
func blockIO(res *container.Resources) (*specs.LinuxBlockIO, error) {
	b := &specs.LinuxBlockIO{}
	setIf(&b.Weight, res.BlkioWeight, res.BlkioWeight > 0)
	used := b.Weight != nil
	for _, w := range res.BlkioWeightDevice {
		major, minor, err := deviceNumber(w.Path)
		if err != nil {
			return nil, err
		}
		d := specs.LinuxWeightDevice{Weight: &w.Weight}
		d.Major, d.Minor = major, minor
		b.WeightDevice, used = append(b.WeightDevice, d), true
	}
	for _, t := range []struct {
		in  []*blkiodev.ThrottleDevice
		out *[]specs.LinuxThrottleDevice
	}{
		{res.BlkioDeviceReadBps, &b.ThrottleReadBpsDevice},
		{res.BlkioDeviceWriteBps, &b.ThrottleWriteBpsDevice},
		{res.BlkioDeviceReadIOps, &b.ThrottleReadIOPSDevice},
		{res.BlkioDeviceWriteIOps, &b.ThrottleWriteIOPSDevice},
	} {
		for _, dev := range t.in {
			major, minor, err := deviceNumber(dev.Path)
			if err != nil {
				return nil, err
			}
			d := specs.LinuxThrottleDevice{Rate: dev.Rate}
			d.Major, d.Minor = major, minor
			*t.out, used = append(*t.out, d), true
		}
	}
	if !used {
		return nil, nil
	}
	return b, nil
}

// deviceNumber are the numbers of the device node at path, through links.
func deviceNumber(path string) (major, minor int64, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, fmt.Errorf("find device %s: %w: %w", path, err, errdefs.ErrInvalidArgument)
	}
	return int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev)), nil
}
