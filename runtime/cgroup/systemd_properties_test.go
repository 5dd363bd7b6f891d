package cgroup

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestLimitsThatSystemdKnows has the properties that undo nothing of what is
// written to the cgroup when systemd is reloaded.
func TestLimitsThatSystemdKnows(t *testing.T) {
	for name, c := range map[string]struct {
		r      specs.LinuxResources
		v1, v2 string
	}{
		"memory": {specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(10)), Swap: ptr(int64(30)), Reservation: ptr(int64(5))}},
			"MemoryLimit=10", "MemoryMax=10 MemoryLow=5 MemorySwapMax=20"},
		"no limit": {specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(-1)), Swap: ptr(int64(-1))}, Pids: &specs.LinuxPids{Limit: ptr(int64(-1))}},
			"MemoryLimit=18446744073709551615 TasksMax=18446744073709551615",
			"MemoryMax=18446744073709551615 MemorySwapMax=18446744073709551615 TasksMax=18446744073709551615"},
		"no swap":  {specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(10)), Swap: ptr(int64(10))}}, "MemoryLimit=10", "MemoryMax=10 MemorySwapMax=0"},
		"shares":   {specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr(uint64(1024))}}, "CPUShares=1024", "CPUWeight=39"},
		"quota":    {specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(33333)), Period: ptr(uint64(100000))}}, "CPUQuotaPerSecUSec=340000", "CPUQuotaPerSecUSec=340000"},
		"no quota": {specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(-1))}}, "CPUQuotaPerSecUSec=18446744073709551615", "CPUQuotaPerSecUSec=18446744073709551615"},
		"cpus":     {specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0-2,9", Mems: ""}}, "", "AllowedCPUs=[7 2]"},
		"weight":   {specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(1000))}}, "BlockIOWeight=1000", "IOWeight=10000"},
	} {
		for unified, want := range map[bool]string{false: c.v1, true: c.v2} {
			var got []string
			for _, p := range limitProperties(&c.r, unified, unset) {
				got = append(got, fmt.Sprintf("%s=%v", p.Name, p.Value))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s, v2 %v: %q, want %q", name, unified, got, want)
			}
		}
	}
	now := func(_, file string) string {
		return map[string]string{"cpu.max": "50000 100000", "cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}[file]
	}
	for _, unified := range []bool{false, true} {
		if q, ok := quotaPerSecond(&specs.LinuxCPU{Period: ptr(uint64(200000))}, unified, now); q != 250000 || !ok {
			t.Errorf("a new period for an old quota: %d, %v", q, ok)
		}
	}
}

func TestDevicesThatSystemdKnows(t *testing.T) {
	all := deviceProperties([]rule{{false, 'a', -1, -1, "rwm"}, {true, 'a', -1, -1, "rwm"}})
	if fmt.Sprint(all) != "[{DevicePolicy auto} {DeviceAllow []}]" {
		t.Errorf("all devices: %v", all)
	}
	some := deviceProperties([]rule{{true, 'c', 1, 3, "rw"}, {false, 'a', -1, -1, "rwm"}, {true, 'b', 8, 1, "r"}, {false, 'c', 5, 1, "rwm"}})
	if fmt.Sprint(some) != "[{DevicePolicy strict} {DeviceAllow [[/dev/block/8:1 r]]}]" {
		t.Errorf("one device: %v", some)
	}
}
