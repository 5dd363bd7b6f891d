package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/vishvananda/netlink"
)

func create(t *testing.T, f *fixture, spec CreateSpec) Network {
	t.Helper()
	spec.IPv4 = true
	n, err := f.Create(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Before the fixture looks for what is left.
		if err := f.Reconcile(t.Context(), nil); err != nil {
			t.Error(err)
		}
		if _, err := f.Delete(t.Context(), n.ID); err != nil && !errdefs.IsNotFound(err) {
			t.Error(err)
		}
	})
	return n
}

func join(t *testing.T, f *fixture, spec AttachSpec, ns *os.File) Endpoint {
	t.Helper()
	spec.Name = spec.ContainerID
	e, err := f.Attach(t.Context(), spec, ns)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// closed tells that nobody answers at addr when asked from within ns.
func closed(t *testing.T, ns *os.File, addr string) {
	t.Helper()
	inside(t, ns, func() (struct{}, error) {
		c, err := net.DialTimeout("tcp", addr, 300*time.Millisecond)
		if err == nil {
			c.Close()
			return struct{}{}, fmt.Errorf("%s was reached", addr)
		}
		return struct{}{}, nil
	})
}

func TestNetworksAreApart(t *testing.T) {
	f := newFixture(t)
	one, two := create(t, f, CreateSpec{Name: "one"}), create(t, f, CreateSpec{Name: "two"})
	a, b, c := newSandbox(t), newSandbox(t), newSandbox(t)
	join(t, f, AttachSpec{ContainerID: "a", Network: "one"}, a)
	join(t, f, AttachSpec{ContainerID: "b", Network: one.ID[:8]}, b)
	ec := join(t, f, AttachSpec{ContainerID: "c", Network: "two", Ports: []PortBinding{{Proto: "tcp", ContainerPort: 80}}}, c)
	eb := f.Endpoints("b")[0]
	serve(t, b, "b")
	serve(t, c, "c")
	if got := inside(t, a, func() (string, error) { return read(eb.IP.String() + ":80") }); !strings.HasPrefix(got, "b from") {
		t.Errorf("a neighbour reads %q", got)
	}
	closed(t, a, ec.IP.String()+":80")
	published := fmt.Sprintf("%s:%d", two.V4.Gateway, ec.Ports[0].HostPort)
	if got := inside(t, a, func() (string, error) { return read(published) }); !strings.HasPrefix(got, "c from") {
		t.Errorf("a published port of another network reads %q", got)
	}
}

func TestSeveralNetworksOfOneContainer(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "one"})
	create(t, f, CreateSpec{Name: "two"})
	ns := newSandbox(t)
	serve(t, ns, "a")
	via := func() string {
		return inside(t, ns, func() (string, error) {
			routes, err := netlink.RouteGet(net.IPv4(203, 0, 113, 1))
			if err != nil {
				return "", err
			}
			link, err := netlink.LinkByIndex(routes[0].LinkIndex)
			if err != nil {
				return "", err
			}
			return link.Attrs().Name, nil
		})
	}
	ports := []PortBinding{{Proto: "tcp", ContainerPort: 80}}
	two := join(t, f, AttachSpec{ContainerID: "a", Network: "two", Ports: ports}, ns)
	answers := func(when string) {
		t.Helper()
		if got, err := read(fmt.Sprintf("127.0.0.1:%d", two.Ports[0].HostPort)); err != nil || !strings.HasPrefix(got, "a from") {
			t.Errorf("%s the published port reads %q, %v", when, got, err)
		}
	}
	answers("in one network")
	one := join(t, f, AttachSpec{ContainerID: "a", Network: "one", Ports: ports}, ns)
	if one.Interface != "eth1" || two.Interface != "eth0" || via() != "eth1" {
		t.Errorf("interfaces %s and %s, default route by %s; want that of the first network by name", two.Interface, one.Interface, via())
	}
	answers("in two networks")
	if got := f.Endpoints("a"); len(got[0].Ports) != 0 || len(got[1].Ports) != 2 {
		t.Errorf("the ports did not move with the default route: %+v", got)
	}
	if _, err := f.Disconnect(t.Context(), "a", "one", ns); err != nil {
		t.Fatal(err)
	}
	if via() != "eth0" {
		t.Errorf("default route by %s after Disconnect", via())
	}
	answers("after Disconnect")
	if e := join(t, f, AttachSpec{ContainerID: "a", Network: Bridge, GwPriority: 5}, ns); e.Interface != "eth1" || via() != "eth1" {
		t.Errorf("a network of higher priority is %s, the default route by %s", e.Interface, via())
	}
	answers("after a network of higher priority came")
	f.reopen(t)
	if err := f.Reconcile(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	answers("after a restart")
	if _, err := f.Disconnect(t.Context(), "a", "one", ns); !errdefs.IsNotFound(err) {
		t.Errorf("Disconnect from a network it is not in: %v", err)
	}
}

func TestInternalNetwork(t *testing.T) {
	f := newFixture(t)
	n := create(t, f, CreateSpec{Name: "inner", Internal: true})
	create(t, f, CreateSpec{Name: "outer"})
	a, b, out := newSandbox(t), newSandbox(t), newSandbox(t)
	ea := join(t, f, AttachSpec{ContainerID: "a", Network: "inner", Ports: []PortBinding{{Proto: "tcp", ContainerPort: 80}}}, a)
	join(t, f, AttachSpec{ContainerID: "b", Network: "inner"}, b)
	eo := join(t, f, AttachSpec{ContainerID: "out", Network: "outer", Ports: []PortBinding{{Proto: "tcp", ContainerPort: 80}}}, out)
	serve(t, a, "a")
	serve(t, out, "out")
	if len(ea.Ports) != 0 || ea.Gateway.IsValid() {
		t.Errorf("an endpoint of an internal network publishes %v and has the gateway %v", ea.Ports, ea.Gateway)
	}
	if got := inside(t, b, func() (string, error) { return read(ea.IP.String() + ":80") }); !strings.HasPrefix(got, "a from") {
		t.Errorf("a neighbour reads %q", got)
	}
	// Even with a route that it makes itself.
	inside(t, b, func() (struct{}, error) {
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: n.V4.Gateway.AsSlice()})
	})
	closed(t, b, eo.IP.String()+":80")
	closed(t, b, fmt.Sprintf("%s:%d", eo.Gateway, eo.Ports[0].HostPort))
	closed(t, out, ea.IP.String()+":80")
}

func TestWithoutInterContainerCommunication(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "shy", Options: map[string]string{optICC: "false"}})
	a, b := newSandbox(t), newSandbox(t)
	ea := join(t, f, AttachSpec{ContainerID: "a", Network: "shy"}, a)
	join(t, f, AttachSpec{ContainerID: "b", Network: "shy"}, b)
	serve(t, a, "a")
	closed(t, b, ea.IP.String()+":80")
	if got, err := read(ea.IP.String() + ":80"); err != nil || !strings.HasPrefix(got, "a from") {
		t.Errorf("the host reads %q, %v", got, err)
	}
}

func TestIPv6(t *testing.T) {
	f := newFixture(t)
	n := create(t, f, CreateSpec{Name: "six", IPv6: true})
	create(t, f, CreateSpec{Name: "other", IPv6: true})
	a, b, out := newSandbox(t), newSandbox(t), newSandbox(t)
	ea := join(t, f, AttachSpec{ContainerID: "a", Network: "six", Ports: []PortBinding{{Proto: "tcp", ContainerPort: 80}}}, a)
	join(t, f, AttachSpec{ContainerID: "b", Network: "six"}, b)
	join(t, f, AttachSpec{ContainerID: "out", Network: "other"}, out)
	l := inside(t, a, func() (net.Listener, error) { return net.Listen("tcp6", "[::]:80") })
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "six")
			c.Close()
		}
	}()
	ask := func(addr string) (string, error) {
		c, err := net.DialTimeout("tcp6", addr, 3*time.Second)
		if err != nil {
			return "", err
		}
		defer c.Close()
		b := make([]byte, 8)
		n, err := c.Read(b)
		return string(b[:n]), err
	}
	if len(ea.Ports) != 2 || ea.Ports[0].HostPort != ea.Ports[1].HostPort {
		t.Fatalf("published on %+v, want one port for both families", ea.Ports)
	}
	direct := netip.AddrPortFrom(ea.IP6, 80).String()
	published := netip.AddrPortFrom(n.V6.Gateway, ea.Ports[0].HostPort).String()
	for name, c := range map[string]struct {
		ns   *os.File
		addr string
	}{"neighbour": {b, direct}, "neighbour by the host": {b, published}, "another network": {out, published}} {
		if got := inside(t, c.ns, func() (string, error) { return ask(c.addr) }); got != "six" {
			t.Errorf("%s reads %q from %s", name, got, c.addr)
		}
	}
	for _, addr := range []string{direct, published} {
		if got, err := ask(addr); err != nil || got != "six" {
			t.Errorf("the host reads %q, %v from %s", got, err, addr)
		}
	}
	closed(t, out, direct)
}

func TestCreateRefuses(t *testing.T) {
	if !ownHost(t) { // for the subnets are no others
		return
	}
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "there", V4: Pool{Subnet: netip.MustParsePrefix("10.213.0.0/24")}})
	pool := func(subnet, gateway string) Pool {
		p := Pool{Subnet: netip.MustParsePrefix(subnet)}
		if gateway != "" {
			p.Gateway = netip.MustParseAddr(gateway)
		}
		return p
	}
	for name, c := range map[string]struct {
		spec CreateSpec
		is   func(error) bool
	}{
		"a name that is taken":       {CreateSpec{Name: "there", IPv4: true}, errdefs.IsAlreadyExists},
		"the default network's name": {CreateSpec{Name: Bridge, IPv4: true}, errdefs.IsAlreadyExists},
		"no name":                    {CreateSpec{Name: " ", IPv4: true}, errdefs.IsInvalidArgument},
		"a name that is not seen":    {CreateSpec{Name: "a\x1b[2J", IPv4: true}, errdefs.IsInvalidArgument},
		"a name without end":         {CreateSpec{Name: strings.Repeat("a", maxName+1), IPv4: true}, errdefs.IsInvalidArgument},
		"an overlap":                 {CreateSpec{Name: "n", IPv4: true, V4: pool("10.213.0.128/25", "")}, errdefs.IsPermissionDenied},
		"host bits":                  {CreateSpec{Name: "n", IPv4: true, V4: pool("10.214.0.1/24", "")}, errdefs.IsInvalidArgument},
		"a gateway elsewhere":        {CreateSpec{Name: "n", IPv4: true, V4: pool("10.214.0.0/24", "10.215.0.1")}, errdefs.IsInvalidArgument},
		"the wrong family":           {CreateSpec{Name: "n", IPv4: true, V4: pool("fd00::/64", "")}, errdefs.IsInvalidArgument},
		"no family":                  {CreateSpec{Name: "n"}, errdefs.IsInvalidArgument},
		"an MTU of nothing":          {CreateSpec{Name: "n", IPv4: true, Options: map[string]string{optMTU: "0"}}, errdefs.IsInvalidArgument},
		"a long device name":         {CreateSpec{Name: "n", IPv4: true, Options: map[string]string{optName: "a-device-too-long"}}, errdefs.IsInvalidArgument},
		"a pattern as device name":   {CreateSpec{Name: "n", IPv4: true, Options: map[string]string{optName: "br%d"}}, errdefs.IsInvalidArgument},
		"ports on an IPv6 address":   {CreateSpec{Name: "n", IPv4: true, Options: map[string]string{optHostBinding: "::1"}}, errdefs.IsInvalidArgument},
		"IPv4 in IPv6":               {CreateSpec{Name: "n", IPv6: true, V6: pool("::ffff:10.214.0.0/120", "")}, errdefs.IsInvalidArgument},
		"an unknown option":          {CreateSpec{Name: "n", IPv4: true, Options: map[string]string{"com.docker.network.bridge.nothing": "1"}}, errdefs.IsInvalidArgument},
		"somebody else's device":     {CreateSpec{Name: "n", IPv4: true, Options: map[string]string{optName: "lo"}}, errdefs.IsInvalidArgument},
	} {
		if _, err := f.Create(t.Context(), c.spec); !c.is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all := f.List(); len(all) != 2 {
		t.Errorf("what was refused is there: %+v", all)
	}
	if _, err := netlink.LinkByName("lo"); err != nil {
		t.Errorf("the host's loopback device is gone: %v", err)
	}
}

// A network that is called like another one's ID hides neither that one nor itself.
func TestNetworkCalledLikeAnID(t *testing.T) {
	f := newFixture(t)
	bridge, _, err := f.Inspect(Bridge)
	if err != nil {
		t.Fatal(err)
	}
	whole, part := create(t, f, CreateSpec{Name: bridge.ID}), create(t, f, CreateSpec{Name: bridge.ID[:12]})
	for ref, want := range map[string]string{bridge.ID: bridge.ID, bridge.ID[:12]: part.ID, bridge.ID[:13]: bridge.ID, whole.ID: whole.ID} {
		if n, _, err := f.Inspect(ref); err != nil || n.ID != want {
			t.Errorf("%s is network %s, %v, want %s", ref, n.ID, err, want)
		}
	}
}

func TestForeignBridgeStays(t *testing.T) {
	f := newFixture(t)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "bt" + f.hash
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := removeLink(attrs.Name); err != nil {
			t.Error(err)
		}
	}()
	create(t, f, CreateSpec{Name: "n", Options: map[string]string{optName: attrs.Name}})
	join(t, f, AttachSpec{ContainerID: "a", Network: "n"}, newSandbox(t))
	if err := f.Detach(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Delete(t.Context(), "n"); err != nil {
		t.Fatal(err)
	}
	if _, err := netlink.LinkByName(attrs.Name); err != nil {
		t.Errorf("a bridge that was there before is gone: %v", err)
	}
}

// As in Docker, one's own address needs a subnet of one's own choice.
func TestOwnAddressNeedsOwnSubnet(t *testing.T) {
	f := newFixture(t)
	n := create(t, f, CreateSpec{Name: "n"})
	_, err := f.Attach(t.Context(), AttachSpec{ContainerID: "a", Network: "n", IP: n.V4.Gateway.Next()}, newSandbox(t))
	if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "user configured subnets") {
		t.Errorf("Attach: %v", err)
	}
	if got := f.Endpoints("a"); got != nil {
		t.Errorf("what was refused is there: %+v", got)
	}
}

func TestDelete(t *testing.T) {
	f := newFixture(t)
	n := create(t, f, CreateSpec{Name: "n"})
	join(t, f, AttachSpec{ContainerID: "a", Network: "n"}, newSandbox(t))
	if _, err := f.Delete(t.Context(), "n"); !errdefs.IsPermissionDenied(err) || !strings.Contains(err.Error(), "has active endpoints") {
		t.Errorf("Delete of a network in use: %v", err)
	}
	if _, err := f.Delete(t.Context(), Bridge); !errdefs.IsPermissionDenied(err) {
		t.Errorf("Delete of the default network: %v", err)
	}
	if err := f.Detach(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Delete(t.Context(), "n"); err != nil {
		t.Fatal(err)
	}
	if _, err := netlink.LinkByName(n.Device); !errors.As(err, new(netlink.LinkNotFoundError)) {
		t.Errorf("the bridge outlives its network: %v", err)
	}
	f.reopen(t)
	if _, _, err := f.Inspect("n"); !errdefs.IsNotFound(err) {
		t.Errorf("Inspect after Delete: %v", err)
	}
}
