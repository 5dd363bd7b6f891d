package state

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/volume"
)

func TestVolumesKeepTheSizesThatAreKnown(t *testing.T) {
	s := New()
	list := []volume.Volume{{Name: "b\x1b[2J", Driver: "local", CreatedAt: "2026-11-20T08:30:00Z"}, {Name: "a", Labels: map[string]string{AnonymousVolume: ""}}}
	s.SetVolumes(FromVolumes(list))
	s.SetSizes(map[string]int64{"b": 7, "gone": 9})
	s.PutVolumes(FromVolumes(append(list, volume.Volume{Name: "c"})))
	rows := s.Volumes(ByName)
	if len(rows) != 3 || rows[0].Name != "b" || rows[0].Size != 7 || rows[1].Size != -1 || !rows[2].Anonymous() {
		t.Errorf("%+v", rows)
	}
	if got := s.Volumes(BySize)[0].Name; got != "b" {
		t.Errorf("the largest is %s", got)
	}
	if got := s.Volumes(ByAge)[0].Name; got != "b" {
		t.Errorf("the newest is %s", got)
	}
}

// What a container's row says is all that is needed to know who uses what.
func TestWhoUsesWhat(t *testing.T) {
	s := New()
	c := summary("a", "web", container.StateRunning)
	c.Mounts = []container.MountPoint{{Type: "volume", Name: "data", Destination: "/data"}, {Type: "bind", Source: "/srv", Destination: "/srv", RW: true}}
	c.NetworkSettings = &container.NetworkSettingsSummary{Networks: map[string]*network.EndpointSettings{
		"front": {NetworkID: "f", IPAddress: netip.MustParseAddr("10.0.0.2"), Aliases: []string{"www", "www"}}, "back": nil}}
	all, one := netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("127.0.0.1")
	c.Ports = []container.PortSummary{{IP: one, PublicPort: 9000, PrivatePort: 443, Type: "tcp"}, {IP: all, PublicPort: 80, PrivatePort: 8080, Type: "tcp"},
		{IP: netip.MustParseAddr("::"), PublicPort: 80, PrivatePort: 8080, Type: "tcp"}, {PrivatePort: 1}}
	c.Labels = map[string]string{ComposeProject: "shop", ComposeService: "www", ComposeDir: "/srv/shop"}
	stopped := summary("b", "old", container.StateExited)
	stopped.Labels, stopped.Ports = map[string]string{ComposeProject: "shop"}, c.Ports
	s.SetContainers([]container.Summary{c, stopped})

	if u := s.UsersOf("data"); len(u) != 1 || u[0].Path != "/data" || !u[0].ReadOnly {
		t.Errorf("users: %+v", u)
	}
	m := s.MembersOf(Network{ID: "f", Name: "front"})
	if len(m) != 1 || m[0].Endpoint.IPv4 != "10.0.0.2" || !slices.Equal(m[0].Endpoint.Aliases, []string{"www"}) {
		t.Errorf("members: %+v", m)
	}
	ports := s.AllPorts(ByPort)
	if len(ports) != 2 {
		t.Fatalf("ports: %+v", ports)
	}
	for i, want := range [][4]string{{"*:80", "8080/tcp", "http://localhost:80", "80:8080"}, {"127.0.0.1:9000", "443/tcp", "https://localhost:9000", "127.0.0.1:9000:443"}} {
		if p := ports[i]; p.Address() != want[0] || p.Target() != want[1] || p.URL() != want[2] || p.Flag() != want[3] {
			t.Errorf("%+v: %s %s %s %s", p, p.Address(), p.Target(), p.URL(), p.Flag())
		}
	}
	p := s.Projects(ByState)
	if len(p) != 1 || len(p[0].Containers) != 2 || p[0].Dir != "/srv/shop" {
		t.Fatalf("projects: %+v", p)
	}
	if running, all := p[0].Counts(); running != 1 || all != 2 {
		t.Errorf("%d of %d run", running, all)
	}
}

func TestNetworksOfEveryEngineComeLast(t *testing.T) {
	s := New()
	s.SetNetworks(FromNetworks([]network.Summary{{Network: network.Network{Name: "bridge", ID: "1"}}, {Network: network.Network{Name: "zoo", ID: "2",
		IPAM: network.IPAM{Config: []network.IPAMConfig{{Subnet: netip.MustParsePrefix("10.1.0.0/16"), Gateway: netip.MustParseAddr("10.1.0.1")}}}}}}))
	rows := s.Networks(ByName)
	if rows[0].Name != "zoo" || rows[0].Subnets[0] != "10.1.0.0/16" || rows[0].Gateways[0] != "10.1.0.1" || !rows[1].Builtin() {
		t.Errorf("%+v", rows)
	}
}

// An event of a volume or a network fetches its list, one of a member its row;
// never twice at once.
func TestEventsOfVolumesAndNetworks(t *testing.T) {
	s := New()
	s.SetContainers([]container.Summary{summary("a", "web", container.StateRunning)})
	for _, c := range []struct {
		typ    events.Type
		action events.Action
		member string
		want   Fetch
		id     string
	}{
		{events.VolumeEventType, events.ActionCreate, "", AllVolumes, ""},
		{events.VolumeEventType, events.ActionDestroy, "", Nothing, ""}, // the fetch is under way
		{events.VolumeEventType, events.ActionMount, "a", Nothing, ""},
		{events.NetworkEventType, events.ActionCreate, "", AllNetworks, ""},
		{events.NetworkEventType, events.ActionConnect, "a", Row, "a"},
		{events.NetworkEventType, events.ActionConnect, "unknown", Nothing, ""},
	} {
		m := events.Message{Type: c.typ, Action: c.action, Actor: events.Actor{ID: "x", Attributes: map[string]string{"container": c.member}}}
		if got, id := s.Event(m); got != c.want || id != c.id {
			t.Errorf("%s %s of %q: %v %q", c.typ, c.action, c.member, got, id)
		}
	}
	if !s.PutVolumes(nil) {
		t.Error("a volume changed during the fetch, and the list is not fetched again")
	}
	s.FailedList(AllNetworks)
	if f, _ := s.Event(events.Message{Type: events.NetworkEventType, Action: events.ActionDestroy}); f != AllNetworks {
		t.Error("a fetch that failed blocks the next")
	}
}
