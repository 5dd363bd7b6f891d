package engine

import (
	"cmp"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	engnet "berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// bare is the part of an engine that checks configurations, on a machine that can limit everything.
func bare() *Containers {
	e := &Engine{capacity: capacity{
		memory: true, swap: true, reservation: true, swappiness: true, oomKillDisable: true, cpuShares: true, cpuCFS: true,
		cpuset: true, pids: true, blkioWeight: true, blkioWeightDevice: true, readBps: true, writeBps: true, readIOps: true, writeIOps: true,
	}}
	e.current.Store(&Settings{})
	return &Containers{e: e}
}

func TestCheckConfigFillsInDefaults(t *testing.T) {
	asked := &container.HostConfig{}
	cs := bare()
	cfg, hc, _, err := cs.checkConfig(CreateOptions{Config: &container.Config{Image: "x"}, HostConfig: asked})
	if err != nil {
		t.Fatal(err)
	}
	if hc.RestartPolicy.Name != "no" || hc.NetworkMode != "bridge" || hc.IpcMode != "private" || hc.ShmSize != 64<<20 ||
		hc.LogConfig.Type != "json-file" || hc.Runtime != runtimeName {
		t.Errorf("%+v", hc)
	}
	if asked.NetworkMode != "" || cfg.Image != "x" {
		t.Error("what the client sent must stay as it is")
	}
	if _, hc, _, err = cs.checkConfig(CreateOptions{Config: &container.Config{Image: "x"}}); err != nil || hc == nil {
		t.Errorf("without HostConfig: %v", err)
	}
}

func TestCheckConfigRefuses(t *testing.T) {
	for what, edit := range map[string]func(*container.Config, *container.HostConfig){
		"no image":       func(c *container.Config, _ *container.HostConfig) { c.Image = "" },
		"restart policy": func(_ *container.Config, h *container.HostConfig) { h.RestartPolicy.Name = "sometimes" },
		"retries of always": func(_ *container.Config, h *container.HostConfig) {
			h.RestartPolicy = container.RestartPolicy{Name: "always", MaximumRetryCount: 3}
		},
		"hostname of another": func(c *container.Config, h *container.HostConfig) { c.Hostname, h.NetworkMode = "h", "container:x" },
		"ports of another": func(_ *container.Config, h *container.HostConfig) {
			h.PublishAllPorts, h.NetworkMode = true, "container:x"
		},
		"exposed ports of another": func(c *container.Config, h *container.HostConfig) {
			c.ExposedPorts, h.NetworkMode = network.PortSet{network.MustParsePort("80/tcp"): {}}, "container:x"
		},
		"hosts of another": func(_ *container.Config, h *container.HostConfig) {
			h.ExtraHosts, h.NetworkMode = []string{"a:1.1.1.1"}, "container:x"
		},
		"dns of another": func(_ *container.Config, h *container.HostConfig) {
			h.DNS, h.NetworkMode = []netip.Addr{netip.IPv4Unspecified()}, "container:x"
		},
		"log option": func(_ *container.Config, h *container.HostConfig) {
			h.LogConfig.Config = map[string]string{"speed": "9"}
		},
		"regular expression of the log": func(_ *container.Config, h *container.HostConfig) {
			h.LogConfig.Config = map[string]string{"env-regex": "("}
		},
		"tag of the log": func(_ *container.Config, h *container.HostConfig) {
			h.LogConfig.Config = map[string]string{"tag": "{{.Nonsense}}"}
		},
		"PID mode":               func(_ *container.Config, h *container.HostConfig) { h.PidMode = "hots" },
		"IPC mode":               func(_ *container.Config, h *container.HostConfig) { h.IpcMode = "hots" },
		"UTS mode":               func(_ *container.Config, h *container.HostConfig) { h.UTSMode = "hots" },
		"cgroup namespace":       func(_ *container.Config, h *container.HostConfig) { h.CgroupnsMode = "hots" },
		"more CPUs than present": func(_ *container.Config, h *container.HostConfig) { h.NanoCPUs = 4096e9 },
		"a quota":                func(_ *container.Config, h *container.HostConfig) { h.StorageOpt = map[string]string{"size": "1g"} },
		"a storage option":       func(_ *container.Config, h *container.HostConfig) { h.StorageOpt = map[string]string{"sise": "1g"} },
		"user namespace mode":    func(_ *container.Config, h *container.HostConfig) { h.UsernsMode = "private" },
		"isolation":              func(_ *container.Config, h *container.HostConfig) { h.Isolation = "hyperv" },
		"Cgroup":                 func(_ *container.Config, h *container.HostConfig) { h.Cgroup = "x" },
		"IOMaximumIOps":          func(_ *container.Config, h *container.HostConfig) { h.IOMaximumIOps = 10 },
		"real-time period":       func(_ *container.Config, h *container.HostConfig) { h.CPURealtimePeriod = 10 },
		"a short period":         func(_ *container.Config, h *container.HostConfig) { h.CPUPeriod = 999 },
		"a short quota":          func(_ *container.Config, h *container.HostConfig) { h.CPUQuota = 999 },
		"a small reservation":    func(_ *container.Config, h *container.HostConfig) { h.MemoryReservation = 1 << 20 },
		"shared memory":          func(_ *container.Config, h *container.HostConfig) { h.ShmSize = -1 },
		"oom score":              func(_ *container.Config, h *container.HostConfig) { h.OomScoreAdj = 1001 },
		"a link to nobody":       func(_ *container.Config, h *container.HostConfig) { h.Links = []string{"nobody:x"} },
		"a link with two colons": func(_ *container.Config, h *container.HostConfig) { h.Links = []string{"a:b:c"} },
		"links of the host": func(_ *container.Config, h *container.HostConfig) {
			h.Links, h.NetworkMode = []string{"x"}, "host"
		},
		"links of another": func(_ *container.Config, h *container.HostConfig) {
			h.Links, h.NetworkMode = []string{"x"}, "container:x"
		},
		"swap below the memory": func(_ *container.Config, h *container.HostConfig) { h.Memory, h.MemorySwap = 64<<20, 1<<20 },
	} {
		o := CreateOptions{Config: &container.Config{Image: "x"}, HostConfig: &container.HostConfig{}}
		edit(o.Config, o.HostConfig)
		if _, _, _, err := bare().checkConfig(o); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: got %v, want an invalid argument", what, err)
		}
	}
	for what, hc := range map[string]*container.HostConfig{
		"cgroup": {Cgroup: "container:x"},
	} {
		if _, _, _, err := bare().checkConfig(CreateOptions{Config: &container.Config{Image: "x"}, HostConfig: hc}); !errdefs.IsNotImplemented(err) {
			t.Errorf("%s: got %v, want not implemented", what, err)
		}
	}
}

func TestEndpointConfigs(t *testing.T) {
	mac := network.HardwareAddr{2, 0, 0, 0, 0, 1}
	for what, c := range map[string]struct {
		mode container.NetworkMode
		name string
		es   network.EndpointSettings
		kind error
	}{
		"what the CLI sends":    {"bridge", "default", network.EndpointSettings{}, nil},
		"an address of its own": {"bridge", "bridge", network.EndpointSettings{MacAddress: mac}, nil},
		"the host's":            {"host", "host", network.EndpointSettings{}, nil},
		"another container's":   {"container:x", "container:x", network.EndpointSettings{}, nil},
		"by its name":           {"container:0123", "container:x", network.EndpointSettings{}, nil},
		"MAC of another's":      {"container:0123", "container:x", network.EndpointSettings{MacAddress: mac}, errdefs.ErrInvalidArgument},
		"aliases of another's":  {"container:0123", "container:x", network.EndpointSettings{Aliases: []string{"db"}}, errdefs.ErrInvalidArgument},
		"a second network":      {"bridge", "other", network.EndpointSettings{}, nil},
		"more than the host's":  {"host", "other", network.EndpointSettings{}, errdefs.ErrInvalidArgument},
		"more than none":        {"none", "other", network.EndpointSettings{}, errdefs.ErrInvalidArgument},
		"more than another's":   {"container:x", "other", network.EndpointSettings{}, errdefs.ErrInvalidArgument},
		"none beside":           {"other", "none", network.EndpointSettings{}, errdefs.ErrInvalidArgument},
		"aliases where it can":  {"other", "other", network.EndpointSettings{Aliases: []string{"db"}}, nil},
		"aliases":               {"bridge", "default", network.EndpointSettings{Aliases: []string{"db"}}, errdefs.ErrInvalidArgument},
		"links":                 {"bridge", "default", network.EndpointSettings{Links: []string{"db"}}, errdefs.ErrInvalidArgument},
		"others' driver option": {"bridge", "default", network.EndpointSettings{DriverOpts: map[string]string{"a": "b"}}, nil},
		"driver option":         {"bridge", "default", network.EndpointSettings{DriverOpts: map[string]string{"com.docker.network.endpoint.exposed": "b"}}, errdefs.ErrNotImplemented},
		"sysctls":               {"bridge", "default", network.EndpointSettings{DriverOpts: map[string]string{optSysctls: "net.ipv4.conf.IFNAME.log_martians=1"}}, nil},
		"no sysctls":            {"bridge", "default", network.EndpointSettings{DriverOpts: map[string]string{optSysctls: "b"}}, errdefs.ErrInvalidArgument},
		"an interface's name":   {"bridge", "default", network.EndpointSettings{DriverOpts: map[string]string{optInterface: "left"}}, nil},
		"no interface's name":   {"bridge", "default", network.EndpointSettings{DriverOpts: map[string]string{optInterface: "a/b"}}, errdefs.ErrInvalidArgument},
		"link-local":            {"bridge", "default", network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{LinkLocalIPs: []netip.Addr{netip.MustParseAddr("169.254.1.1")}}}, nil},
		"no link-local":         {"bridge", "default", network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{LinkLocalIPs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}}, errdefs.ErrInvalidArgument},
		"IPv6": {"bridge", "default", network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{
			IPv6Address: netip.IPv6LinkLocalAllNodes()}}, errdefs.ErrInvalidArgument},
	} {
		asked := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{c.name: &c.es}}
		_, err := endpointConfigs(c.mode, asked, func(ref string) string { return ref })
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %v", what, err, c.kind)
		}
	}
}

func TestHostsFile(t *testing.T) {
	e := &Engine{cfg: Config{Root: t.TempDir()}}
	cs := &Containers{e: e}
	rec := record{ID: "c1", Config: &container.Config{Hostname: "box", Domainname: "lan"}, HostConfig: &container.HostConfig{NetworkMode: "bridge"}}
	if err := os.MkdirAll(cs.dir("c1"), 0o700); err != nil {
		t.Fatal(err)
	}
	ends := []engnet.Endpoint{{IP: netip.MustParseAddr("10.1.2.3"), Gateway: netip.MustParseAddr("10.1.2.1")}}
	lines := func() []string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(cs.dir("c1"), hostsFile))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	rec.HostConfig.ExtraHosts = []string{"db:10.0.0.9", "up:host-gateway", "six=[fe80::1]", "two=1.1.1.1,2.2.2.2"}
	if err := cs.writeHosts(rec, ends); err != nil {
		t.Fatal(err)
	}
	want := []string{"10.0.0.9\tdb", "10.1.2.1\tup", "fe80::1\tsix", "1.1.1.1\ttwo", "2.2.2.2\ttwo", "10.1.2.3\tbox.lan box"}
	if got := lines(); len(got) < 6 || got[0] != "127.0.0.1\tlocalhost" || !slices.Equal(got[len(got)-6:], want) {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"nothing", "a:300.1.1.1", "a:"} {
		rec.HostConfig.ExtraHosts = []string{bad}
		if err := cs.writeHosts(rec, ends); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	rec.HostConfig.ExtraHosts = nil
	if err := cs.writeHosts(rec, nil); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(lines(), " "); strings.Contains(got, "box") {
		t.Errorf("without a network: %s", got)
	}
}

func TestNamesOfHosts(t *testing.T) {
	cs := &Containers{}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	id := newID()
	if got := cs.defaultHostname(&container.HostConfig{NetworkMode: "host"}, id); got != host {
		t.Errorf("in the host's network: %s", got)
	}
	if got := cs.defaultHostname(&container.HostConfig{}, id); got != id[:12] {
		t.Errorf("its own: %s", got)
	}
}

func TestNetworksOfAContainer(t *testing.T) {
	db := &network.EndpointSettings{Aliases: []string{"db"}}
	asked := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"1234": db, "back": nil}}
	name := func(ref string) string { return map[string]string{"1234": "front"}[ref] }
	for _, c := range []struct {
		mode  container.NetworkMode
		asked *network.NetworkingConfig
		want  []string
	}{
		{"bridge", nil, []string{"bridge"}},
		{"host", nil, []string{"host"}},
		{"container:x", nil, nil},
		{"1234", asked, []string{"front", "back"}},
		{"bridge", asked, []string{"back", "front"}}, // the default is for those who ask for none
	} {
		nc, err := endpointConfigs(c.mode, c.asked, func(ref string) string { return cmp.Or(name(ref), ref) })
		rec := record{ID: strings.Repeat("0", 64), HostConfig: &container.HostConfig{NetworkMode: container.NetworkMode(cmp.Or(name(string(c.mode)), string(c.mode)))}, Config: &container.Config{}, Networking: nc}
		if got := networkNames(rec); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.mode, got, err, c.want)
		}
		if m := endpointSettings(rec, nil); len(m) != len(c.want) {
			t.Errorf("%s shows %v", c.mode, m)
		} else if m["front"] != nil && !slices.Equal(m["front"].DNSNames, []string{"db", "000000000000"}) {
			t.Errorf("in the network it is called %v", m["front"].DNSNames)
		}
	}
}

func TestCommandLine(t *testing.T) {
	if got := commandLine(record{Path: "sh", Args: []string{"-c", "echo a b", "x"}}); got != "sh -c 'echo a b' x" {
		t.Errorf("got %s", got)
	}
}

func TestFindCgroups(t *testing.T) {
	c, err := findCgroups("/p")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.mounts) == 0 {
		t.Skip("no cgroup hierarchy is mounted here")
	}
	if c.unified {
		if c.dir("memory", "/x") != filepath.Join(c.mounts[""], "x") {
			t.Error("with cgroup v2 there is one directory for all controllers")
		}
		return
	}
	if dir := c.dir("memory", "/x"); dir != "" && !strings.HasSuffix(dir, "/x") {
		t.Errorf("memory is in %s", dir)
	}
	if c.dir("nonsense", "/x") != "" || number("", "x") != 0 || number("/none", "x") != 0 || len(table("/none", "x")) != 0 {
		t.Error("what is not there is empty")
	}
}
