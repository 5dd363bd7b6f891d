package network

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

// A container of an internal network does not get at a port that another container, which has
// no IPv6, has published on the host: the shim's socket for it is the host's, and beyond what the
// forward chain sees. The host itself does, and one of a network with a way out.
func TestInternalNetworkReachesNoProxiedPort(t *testing.T) {
	f := newFixture(t)
	in := create(t, f, CreateSpec{Name: "in", IPv4: true, IPv6: true, Internal: true})
	out := create(t, f, CreateSpec{Name: "out", IPv4: true, IPv6: true})
	a, b, c := newSandbox(t), newSandbox(t), newSandbox(t)
	join(t, f, AttachSpec{ContainerID: "a", Network: "in"}, a)
	join(t, f, AttachSpec{ContainerID: "b", Network: "out"}, b)
	dial := func(ns *os.File, ip netip.Addr, port uint16) error {
		try := func() error {
			c, err := net.DialTimeout("tcp", netip.AddrPortFrom(ip, port).String(), 500*time.Millisecond)
			if err == nil {
				c.Close()
			}
			return err
		}
		if ns == nil {
			return try()
		}
		return enter(ns, try)
	}
	for _, host := range []netip.Addr{{}, in.V6.Gateway} { // everywhere, and there alone
		e, err := f.Attach(t.Context(), AttachSpec{ContainerID: "c", Name: "c", Ports: []PortBinding{{Proto: "tcp", ContainerPort: 80, HostIP: host}}}, c)
		if err != nil {
			t.Fatal(err)
		}
		port := e.Ports[len(e.Ports)-1].HostPort
		if err := dial(a, in.V6.Gateway, port); err == nil {
			t.Errorf("published at %v: reached from the internal network", host)
		}
		if err := dial(nil, in.V6.Gateway, port); err != nil {
			t.Errorf("published at %v: the host: %v", host, err)
		}
		if err := dial(b, out.V6.Gateway, port); err != nil && !host.IsValid() {
			t.Errorf("from a network with a way out: %v", err)
		}
		// The next engine's table says the same.
		if err := f.fw.setup(f.nets, f.ends); err != nil {
			t.Fatal(err)
		}
		if err := dial(a, in.V6.Gateway, port); err == nil {
			t.Errorf("published at %v: reached once the rules are set up anew", host)
		}
		if err := f.Detach(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		// Whoever has the port next is not kept from it.
		l, err := net.Listen("tcp", netip.AddrPortFrom(in.V6.Gateway, port).String())
		if err != nil {
			t.Fatal(err)
		}
		if err := dial(a, in.V6.Gateway, port); err != nil {
			t.Errorf("a port of the host's own: %v", err)
		}
		l.Close()
		c = newSandbox(t)
	}
}
