package engine

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"
	"golang.org/x/sys/unix"
)

func TestParseSignal(t *testing.T) {
	for s, want := range map[string]unix.Signal{
		"KILL": 9, "SIGTERM": 15, "sigusr1": 10, "2": 2, "64": 64, "RTMIN": 34, "SIGRTMIN+3": 37, "RTMAX-1": 63,
	} {
		if got, err := parseSignal(s); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "0", "65", "-1", "SIG", "NOPE", "RTMIN-1", "RTMAX+1", "RTMIN+99", "KILL "} {
		if got, err := parseSignal(s); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: got %d, %v, want an invalid argument", s, got, err)
		}
	}
}

func TestStatusText(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for want, s := range map[string]state{
		"Created":                           {},
		"Up 5 minutes":                      {Running: true, StartedAt: ago(5 * time.Minute)},
		"Up 5 minutes (Paused)":             {Running: true, Paused: true, StartedAt: ago(5 * time.Minute)},
		"Exited (3) 2 hours ago":            {ExitCode: 3, StartedAt: ago(3 * time.Hour), FinishedAt: ago(2 * time.Hour)},
		"Restarting (1) 4 seconds ago":      {Running: true, Restarting: true, ExitCode: 1, StartedAt: ago(time.Hour), FinishedAt: ago(4 * time.Second)},
		"Exited (0) Less than a second ago": {StartedAt: ago(time.Second), FinishedAt: now},
	} {
		if got := statusText(s, false, now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := statusText(state{Running: true}, true, now); got != "Removal In Progress" {
		t.Errorf("got %q", got)
	}
}

func TestRandomNamesAndIDs(t *testing.T) {
	seen := make(map[string]bool)
	for i := range 1000 {
		id := newID()
		if len(id) != 64 || seen[id] || strings.Trim(id[:12], "0123456789") == "" {
			t.Fatalf("ID %s", id)
		}
		seen[id] = true
		if name := randomName(i % 5); !strings.Contains(name, "_") || strings.ToLower(name) != name {
			t.Fatalf("name %s", name)
		}
	}
}

func TestNamesAreReservedOnce(t *testing.T) {
	cs := &Containers{names: make(map[string]string)}
	if name, err := cs.reserve("/web", "1"); err != nil || name != "web" {
		t.Errorf("%q, %v", name, err)
	}
	if _, err := cs.reserve("web", "2"); !errdefs.IsConflict(err) {
		t.Errorf("twice: %v", err)
	}
	cs.release("web", "2") // not its own
	if _, err := cs.reserve("web", "2"); !errdefs.IsConflict(err) {
		t.Errorf("after another's release: %v", err)
	}
	cs.release("web", "1")
	if _, err := cs.reserve("web", "2"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"a", "-a", "a b", "ä1", "a/b", ".."} {
		if _, err := cs.reserve(name, "3"); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: %v", name, err)
		}
	}
	// Made-up names stay apart even when most are taken.
	for range 5000 {
		if _, err := cs.reserve("", "x"); err != nil {
			t.Fatal(err)
		}
	}
	if len(cs.names) != 5001 {
		t.Errorf("%d names", len(cs.names))
	}
}

func TestPorts(t *testing.T) {
	p80, p53 := api.MustParsePort("80"), api.MustParsePort("53/udp")
	rec := record{
		Config: &container.Config{ExposedPorts: api.PortSet{p80: {}, api.MustParsePort("443"): {}}},
		HostConfig: &container.HostConfig{PublishAllPorts: true, PortBindings: api.PortMap{
			p80: {{HostPort: "8080"}, {HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: "8081"}},
			p53: nil,
		}},
	}
	want, err := portBindings(rec)
	if err != nil || len(want) != 4 {
		t.Fatalf("%v, %v", want, err)
	}
	if want[0].HostPort != 8080 || want[1].HostPort != 8081 {
		t.Errorf("what leaves no choice is not first: %+v", want)
	}
	if b := want[2]; b.ContainerPort != 53 || b.Proto != "udp" || b.HostPort != 0 {
		t.Errorf("%+v", b)
	}
	if b := want[3]; b.ContainerPort != 443 || b.HostPort != 0 {
		t.Errorf("%+v", b)
	}
	rec.HostConfig.PortBindings[p80] = []api.PortBinding{{HostPort: "8000-8010"}, {HostPort: "9000-9000"}}
	if got, err := portBindings(rec); err != nil || got[0].HostPort != 9000 || got[0].HostPortEnd != 0 || got[1].HostPort != 8000 || got[1].HostPortEnd != 8010 {
		t.Errorf("ranges: %+v, %v", got, err)
	}
	for _, bad := range []string{"70000", "8010-8000", "8000-", "-8000", "8000-70000", "0-5", "x"} {
		rec.HostConfig.PortBindings[p80] = []api.PortBinding{{HostPort: bad}}
		if _, err := portBindings(rec); !errdefs.IsInvalidArgument(err) {
			t.Errorf("port %s: %v", bad, err)
		}
	}
	ep := []network.Endpoint{{Ports: []network.PortBinding{{Proto: "tcp", ContainerPort: 80, HostIP: netip.IPv4Unspecified(), HostPort: 8080}}}}
	m := portMap(rec, ep)
	if b := m[p80]; len(b) != 1 || b[0].HostIP.String() != "0.0.0.0" || b[0].HostPort != "8080" {
		t.Errorf("%+v", m)
	}
	if list := portSummaries(rec, ep); len(list) != 2 || list[0].PublicPort != 8080 || list[1].PrivatePort != 443 || list[1].PublicPort != 0 {
		t.Errorf("%+v", list)
	}
	if !hasPort(rec, "80", true) || !hasPort(rec, "50-60/udp", true) || hasPort(rec, "443", true) || !hasPort(rec, "443/tcp", false) || hasPort(rec, "x", false) {
		t.Error("the filter on ports")
	}
}

func TestLogAttributes(t *testing.T) {
	rec := record{
		ID: strings.Repeat("a", 64), Name: "web", ImageID: "sha256:" + strings.Repeat("b", 64),
		Config: &container.Config{Image: "busybox", Labels: map[string]string{"tier": "front", "team": "x", "": "odd"}, Env: []string{"HOME=/", "LANG=C", "odd"}},
		HostConfig: &container.HostConfig{LogConfig: container.LogConfig{Config: map[string]string{
			"labels": "tier,none", "env-regex": "^LA", "tag": "{{.Name}}/{{.ID}} of {{.ImageName}} {{.ImageID}}",
		}}},
	}
	want := map[string]string{"tier": "front", "LANG": "C", "tag": "web/aaaaaaaaaaaa of busybox bbbbbbbbbbbb"}
	if got := logAttrs(rec); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	rec.HostConfig = &container.HostConfig{}
	if got := logAttrs(rec); len(got) != 0 {
		t.Errorf("not asked for: %q", got)
	}
}

func TestStatsOfUnifiedCgroups(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"cpu.stat": "usage_usec 2000\nuser_usec 1500\nsystem_usec 500\nnr_throttled 3\nthrottled_usec 7\n", "memory.current": "4096\n",
		"memory.max": "max\n", "memory.stat": "anon 100\ninactive_file 50\n", "memory.events": "oom 2\n", "pids.current": "5\n", "pids.max": "max\n",
		"io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n", "cgroup.procs": "12\n7\n7\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, "berth/c"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "berth/c", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := cgroupfs{unified: true, mounts: map[string]string{"": dir}}
	var s container.StatsResponse
	c.statsV2("/berth/c", &s)
	if s.CPUStats.CPUUsage.TotalUsage != 2e6 || s.CPUStats.ThrottlingData.ThrottledPeriods != 3 || s.MemoryStats.Usage != 4096 ||
		s.MemoryStats.Stats["inactive_file"] != 50 || s.MemoryStats.Failcnt != 2 || s.PidsStats.Current != 5 || s.PidsStats.Limit != 0 {
		t.Errorf("%+v", s)
	}
	if io := s.BlkioStats.IoServiceBytesRecursive; len(io) != 2 || io[0].Op != "read" || io[1].Value != 20 || io[1].Major != 8 {
		t.Errorf("%+v", io)
	}
	if pids, err := c.pids("/berth/c"); err != nil || len(pids) != 2 || pids[0] != 7 {
		t.Errorf("%v, %v", pids, err)
	}
	if _, err := c.pids("/berth/none"); err == nil {
		t.Error("a cgroup that is not there")
	}
	if a, b := cgroupParent("/run/berth"), cgroupParent("/tmp/x"); a != "/berth" || b == a || b == cgroupParent("/tmp/y") {
		t.Errorf("%s, %s", a, b)
	}
}

func TestTopOfThisProcess(t *testing.T) {
	resp := topProc([]int{os.Getpid(), 1 << 22})
	if len(resp.Processes) != 1 || len(resp.Processes[0]) != len(resp.Titles) || !strings.Contains(resp.Processes[0][7], "test") {
		t.Errorf("%+v", resp)
	}
	for nr, want := range map[int64]string{0: "?", 136<<8 | 3: "pts/3", 4<<8 | 1: "tty1"} {
		if got := ttyName(nr); got != want {
			t.Errorf("%d: got %s, want %s", nr, got, want)
		}
	}
	if _, err := topPS(t.Context(), nil, []string{"aux;", "rm"}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("strange arguments: %v", err)
	}
}

func TestResolvConf(t *testing.T) {
	rec := record{HostConfig: &container.HostConfig{NetworkMode: "bridge",
		DNS: []netip.Addr{netip.MustParseAddr("9.9.9.9")}, DNSSearch: []string{"."}, DNSOptions: []string{"ndots:1"}}}
	b, err := resolvConf(rec)
	if got, want := string(b), "nameserver 9.9.9.9\noptions ndots:1\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	rec.HostConfig.DNSOptions = []string{"timeout:1"}
	rec.Networking = &api.NetworkingConfig{EndpointsConfig: map[string]*api.EndpointSettings{"bridge": {}, "front": {}}}
	b, err = resolvConf(rec)
	if got, want := string(b), "nameserver 127.0.0.11\noptions timeout:1 ndots:0\n"; err != nil || got != want {
		t.Errorf("in a user-defined network: got %q, %v, want %q", got, err, want)
	}
	if f, err := forwarders(rec); err != nil || len(f) != 1 || f[0].Addr.String() != "9.9.9.9:53" || f[0].Host {
		t.Errorf("forwarders: %v, %v", f, err)
	}
}
