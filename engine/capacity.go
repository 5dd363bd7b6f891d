package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// capacity is what the kernel's cgroups can limit.
type capacity struct {
	unified                                               bool // cgroup v2
	memory, swap, reservation, swappiness, oomKillDisable bool
	cpuShares, cpuCFS, cpuRealtime, cpuset, pids          bool
	blkioWeight, blkioWeightDevice                        bool
	readBps, writeBps, readIOps, writeIOps                bool
}

// findCapacity looks at the hierarchies below root, at what docker's engine looks at.
func findCapacity(root string) capacity {
	has := func(path ...string) bool {
		_, err := os.Stat(filepath.Join(append([]string{root}, path...)...))
		return err == nil
	}
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return capacity{
			memory: has("memory"), swap: has("memory", "memory.memsw.limit_in_bytes"), reservation: has("memory", "memory.soft_limit_in_bytes"),
			swappiness: has("memory", "memory.swappiness"), oomKillDisable: has("memory", "memory.oom_control"),
			cpuShares: has("cpu", "cpu.shares"), cpuCFS: has("cpu", "cpu.cfs_quota_us"), cpuRealtime: has("cpu", "cpu.rt_period_us"),
			cpuset: has("cpuset"), pids: has("pids"),
			blkioWeight: has("blkio", "blkio.weight"), blkioWeightDevice: has("blkio", "blkio.weight_device"),
			readBps: has("blkio", "blkio.throttle.read_bps_device"), writeBps: has("blkio", "blkio.throttle.write_bps_device"),
			readIOps: has("blkio", "blkio.throttle.read_iops_device"), writeIOps: has("blkio", "blkio.throttle.write_iops_device"),
		}
	}
	on := map[string]bool{}
	for _, c := range strings.Fields(string(controllers)) {
		on[c] = true
	}
	return capacity{
		unified: true,
		memory:  on["memory"], swap: on["memory"], reservation: on["memory"],
		cpuShares: on["cpu"], cpuCFS: on["cpu"], cpuset: on["cpuset"], pids: on["pids"],
		blkioWeight: on["io"], blkioWeightDevice: on["io"], readBps: on["io"], writeBps: on["io"], readIOps: on["io"], writeIOps: on["io"],
	}
}

// discard takes the limits out of res that this machine cannot set, as docker does, and
// returns what docker says of each.
func (c capacity) discard(res *container.Resources) (warnings []string) {
	lacks := func(has, asked bool, warning string, drop func()) {
		if asked && !has {
			warnings = append(warnings, warning)
			drop()
		}
	}
	const lack = " or the cgroup is not mounted. "
	lacks(c.memory, res.Memory > 0, "Your kernel does not support memory limit capabilities"+lack+"Limitation discarded.", func() { res.Memory, res.MemorySwap = 0, -1 })
	lacks(c.swap, res.Memory > 0 && res.MemorySwap != -1, "Your kernel does not support swap limit capabilities"+lack+"Memory limited without swap.", func() { res.MemorySwap = -1 })
	lacks(c.swappiness, res.MemorySwappiness != nil && *res.MemorySwappiness != -1, "Your kernel does not support memory swappiness capabilities"+lack+"Memory swappiness discarded.", func() { res.MemorySwappiness = nil })
	lacks(c.reservation, res.MemoryReservation > 0, "Your kernel does not support memory soft limit capabilities"+lack+"Limitation discarded.", func() { res.MemoryReservation = 0 })
	if res.OomKillDisable != nil {
		lacks(c.oomKillDisable, *res.OomKillDisable, "Your kernel does not support OomKillDisable. OomKillDisable discarded.", func() {})
		if !c.oomKillDisable {
			res.OomKillDisable = nil
		} else if *res.OomKillDisable && res.Memory == 0 {
			warnings = append(warnings, "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.")
		}
	}
	lacks(c.pids, res.PidsLimit != nil && *res.PidsLimit != 0, "Your kernel does not support PIDs limit capabilities"+lack+"PIDs limit discarded.", func() { res.PidsLimit = nil })
	lacks(c.cpuShares, res.CPUShares > 0, "Your kernel does not support CPU shares"+lack+"Shares discarded.", func() { res.CPUShares = 0 })
	lacks(c.cpuCFS, res.CPUPeriod != 0 || res.CPUQuota != 0, "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.", func() { res.CPUPeriod, res.CPUQuota = 0, 0 })
	lacks(c.cpuset, res.CpusetCpus != "" || res.CpusetMems != "", "Your kernel does not support cpuset"+lack+"Cpuset discarded.", func() { res.CpusetCpus, res.CpusetMems = "", "" })
	lacks(false, res.CPUPercent > 0, runtime.GOOS+" does not support CPU percent. Percent discarded.", func() { res.CPUPercent = 0 })
	lacks(c.blkioWeight, res.BlkioWeight > 0, "Your kernel does not support Block I/O weight"+lack+"Weight discarded.", func() { res.BlkioWeight = 0 })
	lacks(c.blkioWeightDevice, len(res.BlkioWeightDevice) > 0, "Your kernel does not support Block I/O weight_device"+lack+"Weight-device discarded.", func() { res.BlkioWeightDevice = nil })
	lacks(c.readBps, len(res.BlkioDeviceReadBps) > 0, "Your kernel does not support BPS Block I/O read limit"+lack+"Block I/O BPS read limit discarded.", func() { res.BlkioDeviceReadBps = nil })
	lacks(c.writeBps, len(res.BlkioDeviceWriteBps) > 0, "Your kernel does not support BPS Block I/O write limit"+lack+"Block I/O BPS write limit discarded.", func() { res.BlkioDeviceWriteBps = nil })
	lacks(c.readIOps, len(res.BlkioDeviceReadIOps) > 0, "Your kernel does not support IOPS Block read limit"+lack+"Block I/O IOPS read limit discarded.", func() { res.BlkioDeviceReadIOps = nil })
	lacks(c.writeIOps, len(res.BlkioDeviceWriteIOps) > 0, "Your kernel does not support IOPS Block write limit"+lack+"Block I/O IOPS write limit discarded.", func() { res.BlkioDeviceWriteIOps = nil })
	return warnings
}

// refuse tells of limits that nobody can set here, or that contradict each other, in
// docker's words.
func (c capacity) refuse(res *container.Resources) error {
	bad := func(format string, args ...any) error { return kind(errdefs.ErrInvalidArgument, format, args...) }
	switch {
	case res.IOMaximumBandwidth != 0 || res.IOMaximumIOps != 0:
		return bad("Invalid QoS settings: %s does not support Maximum IO Bandwidth or Maximum IO IOps", runtime.GOOS)
	case res.CPURealtimePeriod > 0 && !c.cpuRealtime:
		return bad("Your kernel does not support cgroup cpu real-time period")
	case res.CPURealtimeRuntime > 0 && !c.cpuRealtime:
		return bad("Your kernel does not support cgroup cpu real-time runtime")
	case res.CPURealtimePeriod != 0 && res.CPURealtimeRuntime != 0 && res.CPURealtimeRuntime > res.CPURealtimePeriod:
		return bad("cpu real-time runtime cannot be higher than cpu real-time period")
	case res.NanoCPUs > 0 && !c.cpuCFS:
		return bad("NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted")
	case res.CPUPeriod != 0 && (res.CPUPeriod < 1000 || res.CPUPeriod > 1000000):
		return bad("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
	case res.CPUQuota > 0 && res.CPUQuota < 1000:
		return bad("CPU cfs quota can not be less than 1ms (i.e. 1000)")
	case res.MemoryReservation > 0 && res.MemoryReservation < 6<<20:
		return bad("Minimum memory reservation allowed is 6MB")
	}
	return nil
}

// deviceDriver tells, in docker's words, that no driver serves a request (--gpus): docker
// learns it when it starts the container, and so does whoever asked.
func deviceDriver(requests []container.DeviceRequest) error {
	for _, r := range requests {
		return fmt.Errorf("could not select device driver %q with capabilities: %v", r.Driver, r.Capabilities)
	}
	return nil
}
