package network

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// A machine that has a route to the subnet reaches a published port at the container's own
// address and no other, and the container is seen by its own address. The host has no port for it.
func TestRoutedGatewayMode(t *testing.T) {
	if !ownHost(t) { // for the subnets are no others
		return
	}
	f := newFixture(t)
	// Not of docker's pools: whatever it has left behind of rules would translate them.
	create(t, f, CreateSpec{Name: "r", IPv4: true, IPv6: true, Options: map[string]string{optMode4: "routed", optMode6: "routed"},
		V4: Pool{Subnet: netip.MustParsePrefix("10.231.7.0/24")}})
	out := neighbour(t, "brt"+f.hash, "203.0.113")
	a := newSandbox(t)
	e := join(t, f, AttachSpec{ContainerID: "a", Network: "r", Ports: []PortBinding{{Proto: "tcp", ContainerPort: 80, HostPort: 8123}}}, a)
	if len(e.Ports) != 2 || len(f.shims["a"].held) != 0 {
		t.Errorf("ports %+v, the shim holds %v", e.Ports, f.shims["a"].held)
	}
	for _, b := range e.Ports {
		if b.HostPort != 0 || b.socket != nil {
			t.Errorf("a port of the host: %+v", b)
		}
	}
	addr := e.IP.String() + ":80"
	serve(t, a, "a")
	if got := inside(t, out, func() (string, error) { return read(addr) }); got != "a from 203.0.113.2" {
		t.Errorf("from outside: %q", got)
	}
	l := inside(t, a, func() (net.Listener, error) { return net.Listen("tcp4", "0.0.0.0:81") })
	defer l.Close()
	closed(t, out, e.IP.String()+":81")
	// The other way the container is seen as itself.
	serve(t, out, "out")
	if got := inside(t, a, func() (string, error) { return read("203.0.113.2:80") }); got != "out from "+e.IP.String() {
		t.Errorf("outside sees %q, want %s", got, e.IP)
	}
	// So it is for the next engine, for a port that comes later, and when it goes.
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.reopen(t)
	if err := f.Resume("a", f.shims["a"], a); err != nil {
		t.Fatal(err)
	}
	if err := f.Reconcile(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if got := inside(t, out, func() (string, error) { return read(addr) }); !strings.HasPrefix(got, "a from") {
		t.Errorf("with the next engine: %q", got)
	}
	if err := f.SetPorts("a", []PortBinding{{Proto: "tcp", ContainerPort: 81}}); err != nil {
		t.Fatal(err)
	}
	closed(t, out, addr)
	inside(t, out, func() (struct{}, error) {
		c, err := net.Dial("tcp", e.IP.String()+":81")
		if err == nil {
			c.Close()
		}
		return struct{}{}, err
	})
}

// One family may be routed and the other one not.
func TestRoutedInOneFamily(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "r", IPv4: true, IPv6: true, Options: map[string]string{optMode6: "routed"}})
	a := newSandbox(t)
	e := join(t, f, AttachSpec{ContainerID: "a", Network: "r", Ports: []PortBinding{{Proto: "tcp", ContainerPort: 80, HostIP: netip.Addr{}}}}, a)
	four, six := 0, 0
	for _, b := range e.Ports {
		if b.HostIP.Is4() && b.HostPort != 0 {
			four++
		} else if b.HostIP.Is6() && b.routed() {
			six++
		}
	}
	if four != 1 || six != 1 || len(f.shims["a"].held) != 1 {
		t.Errorf("ports %+v, the shim holds %v", e.Ports, f.shims["a"].held)
	}
	if err := f.SetPorts("a", e.Ports); err != nil {
		t.Fatal(err)
	}
	if again := f.Endpoints("a")[0].Ports; len(again) != 2 {
		t.Errorf("ports that were there already: %+v", again)
	}
}

// Ports that move between a routed network and another one are what they would be in the new
// one from the start, and so are those of one family alone.
func TestPortsMoveBetweenRoutedAndTranslated(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "r", IPv4: true, IPv6: true, Options: map[string]string{optMode4: "routed", optMode6: "routed"}})
	create(t, f, CreateSpec{Name: "n", IPv4: true, IPv6: true})
	create(t, f, CreateSpec{Name: "half", IPv4: true, IPv6: true, Options: map[string]string{optMode6: "routed"}})
	a := newSandbox(t)
	want := []PortBinding{{Proto: "tcp", ContainerPort: 80}}
	join(t, f, AttachSpec{ContainerID: "a", Network: "r", Ports: want}, a)
	// check tells what is published in the network that has the default route now.
	check := func(network string, four, six bool) {
		t.Helper()
		if err := f.SetPorts("a", want); err != nil {
			t.Fatal(err)
		}
		var bs []PortBinding
		for _, e := range f.Endpoints("a") {
			if bs = append(bs, e.Ports...); len(e.Ports) > 0 && e.NetworkName != network {
				t.Errorf("network %s has the ports %+v", e.NetworkName, e.Ports)
			}
		}
		hosts := map[uint16]bool{}
		for _, b := range bs {
			if b.routed() == map[bool]bool{true: four, false: six}[b.HostIP.Is4()] {
				t.Errorf("in network %s: %+v", network, bs)
			}
			if !b.routed() {
				hosts[b.HostPort] = true
			}
		}
		held := 0
		for _, on := range []bool{four, six} {
			if on {
				held++
			}
		}
		if len(bs) != 2 || len(hosts) != min(held, 1) || len(f.shims["a"].held) != held {
			t.Errorf("in network %s: %+v, the shim holds %v", network, bs, f.shims["a"].held)
		}
		if ok, err := f.fw.intact(f.ends); !ok || err != nil {
			t.Errorf("in network %s the tables are not what they should be: %v", network, err)
		}
	}
	check("r", false, false)
	for i, step := range []struct {
		network   string
		four, six bool
	}{{"n", true, true}, {"half", true, false}} {
		join(t, f, AttachSpec{ContainerID: "a", Network: step.network, GwPriority: i + 1}, a)
		check(step.network, step.four, step.six)
	}
	for _, step := range []struct {
		leave, network string
		four, six      bool
	}{{"half", "n", true, true}, {"n", "r", false, false}} {
		if _, err := f.Disconnect(t.Context(), "a", step.leave, a); err != nil {
			t.Fatal(err)
		}
		check(step.network, step.four, step.six)
	}
}
