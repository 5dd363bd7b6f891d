package engine

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// fields says of every field that a client can set in a request to create a container
// by which test it is shown to be honoured, or refused ("-" and why nothing is done).
var fields = map[reflect.Type]string{
	reflect.TypeFor[container.Config](): `
		Hostname TestSettingsInTheContainer
		Domainname TestProcessOptionsReachTheSpec
		User TestUserOfTheSpec
		AttachStdin - a client's note to itself: it attaches by a request of its own
		AttachStdout - as AttachStdin
		AttachStderr - as AttachStdin
		ExposedPorts TestPorts
		Tty TestTerminal
		OpenStdin TestAttachBeforeStartLosesNothing
		StdinOnce TestAttachByWebsocket
		Env TestSettingsInTheContainer
		Cmd TestMerge
		Healthcheck TestHealthGoesUpAndDown
		ArgsEscaped - of Windows
		Image TestLifeOfAContainer
		Volumes TestMerge
		WorkingDir TestSettingsInTheContainer
		Entrypoint TestMerge
		NetworkDisabled TestNetworkDisabled
		OnBuild - kept for commit; a builder's
		Labels TestListFilters
		StopSignal TestStopKillPauseRestart
		StopTimeout TestStopKillPauseRestart
		Shell - kept for commit; a builder's`,
	reflect.TypeFor[container.HostConfig](): `
		Binds TestParseBind
		ContainerIDFile - the client writes it
		LogConfig TestLogConfig
		NetworkMode TestNamespaceModes
		PortBindings TestPorts
		RestartPolicy TestRestartPolicies
		AutoRemove TestAutoRemove
		VolumeDriver TestVolumesThatAreRefused
		VolumesFrom TestParseVolumesFrom
		ConsoleSize TestProcessOptionsReachTheSpec
		Annotations TestProcessOptionsReachTheSpec
		CapAdd TestCapabilities
		CapDrop TestCapabilities
		CgroupnsMode TestProcessOptionsReachTheSpec
		DNS TestResolvConf
		DNSOptions TestSettingsInTheContainer
		DNSSearch TestSettingsInTheContainer
		ExtraHosts TestHostsFile
		GroupAdd TestLookupUser
		IpcMode TestSharedMemoryOfAnotherContainer
		Cgroup TestCheckConfigRefuses
		Links TestLinksOfTheDefaultNetwork
		OomScoreAdj TestRareLimitsReachTheSpec
		PidMode TestJoinNamespaces
		Privileged TestPrivileged
		PublishAllPorts TestPorts
		ReadonlyRootfs TestSettingsInTheContainer
		SecurityOpt TestSecurityOptions
		StorageOpt TestCheckConfigRefuses
		Tmpfs TestSettingsInTheContainer
		UTSMode TestNamespaceModes
		UsernsMode TestCheckConfigRefuses
		ShmSize TestSettingsInTheContainer
		Sysctls TestProcessOptionsReachTheSpec
		Runtime TestCheckConfigFillsInDefaults
		Umask TestProcessOptionsReachTheSpec
		Isolation TestCheckConfigRefuses
		Resources - its fields are listed for themselves
		Mounts TestWhatInspectShowsOfMounts
		MaskedPaths TestProcessOptionsReachTheSpec
		ReadonlyPaths TestProcessOptionsReachTheSpec
		Init TestInitRunsTheCommandAsItsChild`,
	reflect.TypeFor[container.Resources](): `
		CPUShares TestResources
		Memory TestResources
		NanoCPUs TestResources
		CgroupParent TestRareLimitsReachTheSpec
		BlkioWeight TestRareLimitsReachTheSpec
		BlkioWeightDevice TestRareLimitsReachTheSpec
		BlkioDeviceReadBps TestRareLimitsReachTheSpec
		BlkioDeviceWriteBps TestRareLimitsReachTheSpec
		BlkioDeviceReadIOps TestRareLimitsReachTheSpec
		BlkioDeviceWriteIOps TestRareLimitsReachTheSpec
		CPUPeriod TestRareLimitsReachTheSpec
		CPUQuota TestRareLimitsReachTheSpec
		CPURealtimePeriod TestRareLimitsReachTheSpec
		CPURealtimeRuntime TestRareLimitsReachTheSpec
		CpusetCpus TestResources
		CpusetMems TestRareLimitsReachTheSpec
		Devices TestDevicesReachTheSpec
		DeviceCgroupRules TestDevicesReachTheSpec
		DeviceRequests TestDeviceRequestsFindNoDriver
		MemoryReservation TestRareLimitsReachTheSpec
		MemorySwap TestResources
		MemorySwappiness TestRareLimitsReachTheSpec
		OomKillDisable TestRareLimitsReachTheSpec
		PidsLimit TestSettingsInTheContainer
		Ulimits TestSettingsInTheContainer
		CPUCount TestLimitsThatTheKernelLacksAreDiscarded
		CPUPercent TestLimitsThatTheKernelLacksAreDiscarded
		IOMaximumIOps TestCheckConfigRefuses
		IOMaximumBandwidth TestCheckConfigRefuses`,
	reflect.TypeFor[container.LogConfig](): `
		Type TestLogConfig
		Config TestLogConfig`,
	reflect.TypeFor[container.RestartPolicy](): `
		Name TestRestartPolicies
		MaximumRetryCount TestRestartPolicies`,
	reflect.TypeFor[network.NetworkingConfig](): `
		EndpointsConfig TestNetworksOfAContainer`,
	reflect.TypeFor[network.EndpointSettings](): `
		IPAMConfig TestEndpointConfigs
		Links TestNamesOfNeighbours
		Aliases TestContainersFindEachOtherByName
		DriverOpts TestEndpointConfigs
		GwPriority TestSeveralNetworksOfOneContainer
		NetworkID - the engine's answer, not read
		EndpointID - the engine's answer, not read
		Gateway - the engine's answer, not read
		IPAddress - the engine's answer, not read
		MacAddress TestEndpointConfigs
		IPPrefixLen - the engine's answer, not read
		IPv6Gateway - the engine's answer, not read
		GlobalIPv6Address - the engine's answer, not read
		GlobalIPv6PrefixLen - the engine's answer, not read
		DNSNames - the engine's answer, not read`,
	reflect.TypeFor[network.EndpointIPAMConfig](): `
		IPv4Address TestEndpointConfigs
		IPv6Address TestEndpointConfigs
		LinkLocalIPs TestEndpointConfigs`,
}

// A new version of Docker's API brings new fields: this fails until something is done about them.
func TestEveryFieldOfTheAPIIsAccountedFor(t *testing.T) {
	tests := testNames(t)
	for typ, text := range fields {
		said := map[string]string{}
		for line := range strings.Lines(strings.TrimSpace(text)) {
			name, how, _ := strings.Cut(strings.TrimSpace(line), " ")
			said[name] = how
		}
		for i := range typ.NumField() {
			name := typ.Field(i).Name
			how, ok := said[name]
			delete(said, name)
			switch {
			case !ok:
				t.Errorf("%s.%s is new: honour it, or refuse it, and say so here", typ, name)
			case strings.HasPrefix(how, "- "):
			case !tests[how]:
				t.Errorf("%s.%s: there is no test %s", typ, name, how)
			}
		}
		for name := range said {
			t.Errorf("%s has no field %s", typ, name)
		}
	}
}

// testNames are all tests of the engine.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	names := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(b, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Skip("the sources are not here: the test binary runs elsewhere")
	}
	return names
}

func TestNetworkDisabled(t *testing.T) {
	r := newRig(t)
	o := shell("ls /sys/class/net")
	o.HostConfig.NetworkMode, o.Config.NetworkDisabled = "bridge", true
	if got, code := r.output(o); got != "lo\n" || code != 0 {
		t.Errorf("it has %q (%d)", got, code)
	}
}

func TestDeviceRequestsFindNoDriver(t *testing.T) {
	r := newRig(t)
	o := shell("true")
	o.HostConfig.DeviceRequests = []container.DeviceRequest{{Count: -1, Capabilities: [][]string{{"gpu"}}}}
	err := r.Containers.Start(r.ctx, r.create(o), StartOptions{})
	if err == nil || err.Error() != `could not select device driver "" with capabilities: [[gpu]]` {
		t.Errorf("got %v", err)
	}
}

func TestLimitsThatTheKernelLacksAreDiscarded(t *testing.T) {
	swappiness, yes, pids := int64(10), true, int64(5)
	res := container.Resources{
		Memory: 64 << 20, MemorySwappiness: &swappiness, MemoryReservation: 32 << 20, OomKillDisable: &yes, PidsLimit: &pids,
		CPUShares: 1, CPUQuota: 2000, CpusetCpus: "0", CPUPercent: 5, CPUCount: 1, BlkioWeight: 100,
	}
	warnings := capacity{}.discard(&res)
	if len(warnings) != 10 || warnings[0] != "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded." {
		t.Errorf("warnings %q", warnings)
	}
	if !reflect.DeepEqual(res, container.Resources{MemorySwap: -1, CPUCount: 1}) {
		t.Errorf("left: %+v", res)
	}
	all := bare().e.capacity
	if got := all.discard(&container.Resources{Memory: 64 << 20, OomKillDisable: &yes, BlkioWeight: 100}); len(got) != 0 {
		t.Errorf("what can be done: %q", got)
	}
	if got := all.discard(&container.Resources{OomKillDisable: &yes}); len(got) != 1 || !strings.HasPrefix(got[0], "OOM killer is disabled for the container") {
		t.Errorf("without a limit: %q", got)
	}
}
