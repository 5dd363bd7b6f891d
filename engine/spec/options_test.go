package spec

import (
	"slices"
	"testing"

	"github.com/moby/moby/api/types/blkiodev"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// null is a device that every machine has.
func null(rate uint64) []*blkiodev.ThrottleDevice {
	return []*blkiodev.ThrottleDevice{{Path: "/dev/null", Rate: rate}}
}

func TestRareLimitsReachTheSpec(t *testing.T) {
	swappiness, yes := int64(30), true
	s := build(t, func(in *Input) {
		in.HostConfig.Resources = container.Resources{
			CgroupParent: "/other/", BlkioWeight: 300,
			BlkioWeightDevice:  []*blkiodev.WeightDevice{{Path: "/dev/null", Weight: 400}},
			BlkioDeviceReadBps: null(1), BlkioDeviceWriteBps: null(2), BlkioDeviceReadIOps: null(3), BlkioDeviceWriteIOps: null(4),
			CPUPeriod: 50000, CPUQuota: 25000, CPURealtimePeriod: 1000, CPURealtimeRuntime: 500, CpusetMems: "0",
			Memory: 64 << 20, MemoryReservation: 32 << 20, MemorySwappiness: &swappiness, OomKillDisable: &yes, MemorySwap: -1,
		}
		in.HostConfig.OomScoreAdj = 77
	})
	if got := s.Linux.CgroupsPath; got != "/other/abc" {
		t.Errorf("cgroup %s", got)
	}
	b := s.Linux.Resources.BlockIO
	if *b.Weight != 300 || *b.WeightDevice[0].Weight != 400 || b.WeightDevice[0].Major != 1 || b.WeightDevice[0].Minor != 3 {
		t.Errorf("block I/O %+v", b)
	}
	for i, list := range [][]specs.LinuxThrottleDevice{b.ThrottleReadBpsDevice, b.ThrottleWriteBpsDevice, b.ThrottleReadIOPSDevice, b.ThrottleWriteIOPSDevice} {
		if len(list) != 1 || list[0].Rate != uint64(i+1) || list[0].Major != 1 || list[0].Minor != 3 {
			t.Errorf("throttle %d: %+v", i, list)
		}
	}
	c, m := s.Linux.Resources.CPU, s.Linux.Resources.Memory
	if *c.Period != 50000 || *c.Quota != 25000 || *c.RealtimePeriod != 1000 || *c.RealtimeRuntime != 500 || c.Mems != "0" {
		t.Errorf("cpu %+v", c)
	}
	if *m.Reservation != 32<<20 || *m.Swappiness != 30 || !*m.DisableOOMKiller || *m.Swap != -1 || *s.Process.OOMScoreAdj != 77 {
		t.Errorf("memory %+v", m)
	}
}

func TestDevicesReachTheSpec(t *testing.T) {
	s := build(t, func(in *Input) {
		in.HostConfig.Devices = []container.DeviceMapping{{PathOnHost: "/dev/full", PathInContainer: "/dev/mine", CgroupPermissions: "r"}, {PathOnHost: "/dev/null"}}
		in.HostConfig.DeviceCgroupRules = []string{"c 42:* rm", "a *:* rwm"}
	})
	find := func(path string) *specs.LinuxDevice {
		i := slices.IndexFunc(s.Linux.Devices, func(d specs.LinuxDevice) bool { return d.Path == path })
		if i < 0 {
			return nil
		}
		return &s.Linux.Devices[i]
	}
	if d := find("/dev/mine"); d == nil || d.Type != "c" || d.Major != 1 || d.Minor != 7 {
		t.Errorf("devices %+v", s.Linux.Devices)
	}
	if find("/dev/null") == nil {
		t.Error("a device without a path in the container keeps its own")
	}
	rules := s.Linux.Resources.Devices
	has := func(kind string, major, minor int64, access string) bool {
		return slices.ContainsFunc(rules, func(r specs.LinuxDeviceCgroup) bool {
			return r.Allow && r.Type == kind && r.Major != nil && *r.Major == major && *r.Minor == minor && r.Access == access
		})
	}
	if !has("c", 1, 7, "r") || !has("c", 42, -1, "rm") || !has("a", -1, -1, "rwm") {
		t.Errorf("rules %+v", rules)
	}
	for what, hc := range map[string]container.Resources{
		"missing":  {Devices: []container.DeviceMapping{{PathOnHost: "/dev/none"}}},
		"a file":   {Devices: []container.DeviceMapping{{PathOnHost: "/proc/version"}}},
		"bad rule": {DeviceCgroupRules: []string{"c 42 rwm"}},
	} {
		if _, err := Build(input(func(in *Input) { in.HostConfig.Resources = hc })); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	// A directory stands for the devices in it.
	s = build(t, func(in *Input) {
		in.HostConfig.Devices = []container.DeviceMapping{{PathOnHost: "/dev", PathInContainer: "/dev/host"}}
	})
	if find("/dev/host/null") == nil || find("/dev/host/full") == nil {
		t.Error("the devices of a directory are not all there")
	}
}

func TestProcessOptionsReachTheSpec(t *testing.T) {
	umask := uint32(0o27)
	s := build(t, func(in *Input) {
		in.Config.Tty, in.Config.Domainname = true, "example.org"
		hc := in.HostConfig
		hc.ConsoleSize, hc.Umask = [2]uint{24, 80}, &umask
		hc.Annotations = map[string]string{"who": "me"}
		hc.MaskedPaths, hc.ReadonlyPaths = []string{"/proc/mask"}, []string{}
		hc.Sysctls = map[string]string{"net.core.somaxconn": "100"}
		hc.CgroupnsMode = "private"
	})
	p := s.Process
	if !p.Terminal || p.ConsoleSize.Height != 24 || p.ConsoleSize.Width != 80 || *p.User.Umask != umask || s.Domainname != "example.org" {
		t.Errorf("process %+v, domain %s", p, s.Domainname)
	}
	if s.Annotations["who"] != "me" || !slices.Equal(s.Linux.MaskedPaths, []string{"/proc/mask"}) || len(s.Linux.ReadonlyPaths) != 0 {
		t.Errorf("annotations %v, masked %v, read-only %v", s.Annotations, s.Linux.MaskedPaths, s.Linux.ReadonlyPaths)
	}
	if s.Linux.Sysctl["net.core.somaxconn"] != "100" || namespaceOf(s, specs.CgroupNamespace) == nil {
		t.Errorf("sysctls %v, namespaces %v", s.Linux.Sysctl, s.Linux.Namespaces)
	}
}

func TestSharedIPCNamespace(t *testing.T) {
	s := build(t, func(in *Input) {
		in.HostConfig.IpcMode, in.IPCNS, in.Shm = "container:x", "/proc/1/fd/5", "/run/shm/x"
	})
	if ns := namespaceOf(s, specs.IPCNamespace); ns == nil || ns.Path != "/proc/1/fd/5" {
		t.Errorf("namespace %+v", ns)
	}
	if m := mountAt(s, "/dev/shm"); m.Type != "bind" || m.Source != "/run/shm/x" || !slices.Contains(m.Options, "noexec") {
		t.Errorf("/dev/shm is %+v", m)
	}
}

// A host that has not mounted its message queues has containers with its IPC all the same.
func TestIPCNamespaceOfTheHost(t *testing.T) {
	s := build(t, func(in *Input) { in.HostConfig.IpcMode = "host" })
	if ns := namespaceOf(s, specs.IPCNamespace); ns != nil {
		t.Errorf("namespace %+v", ns)
	}
	if m := mountAt(s, "/dev/shm"); m.Type != "bind" || m.Source != "/dev/shm" {
		t.Errorf("/dev/shm is %+v", m)
	}
	if m := mountAt(s, "/dev/mqueue"); m.Type != "mqueue" {
		t.Errorf("/dev/mqueue is %+v", m)
	}
}
