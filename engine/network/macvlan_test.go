package network

import (
	"net/netip"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/vishvananda/netlink"
)

func macvlanNetwork(t *testing.T, f *fixture, name string, v4 Pool, options map[string]string) Network {
	t.Helper()
	n, err := f.Create(t.Context(), CreateSpec{Name: name, Driver: Macvlan, IPv4: true, V4: v4, Options: options})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Endpoints of a macvlan network are machines on the parent's link: they reach each
// other and the neighbour there as their mode says, and are seen by their own addresses.
func TestMacvlan(t *testing.T) {
	if !ownHost(t) {
		return
	}
	f := newFixture(t)
	outside := neighbour(t, "up0", "203.0.113")
	serve(t, outside, "outside")
	for mode, together := range map[string]bool{"bridge": true, "private": false, "vepa": false} {
		name := "on-" + mode
		n := macvlanNetwork(t, f, name, Pool{Subnet: netip.MustParsePrefix("203.0.113.0/24"), Gateway: netip.MustParseAddr("203.0.113.2"), Range: netip.MustParsePrefix("203.0.113.16/28")}, map[string]string{"parent": "up0", "macvlan_mode": mode})
		if n.Driver != Macvlan || n.Internal {
			t.Errorf("%s: the network is %+v", mode, n)
		}
		a, b := newSandbox(t), newSandbox(t)
		ea := join(t, f, AttachSpec{ContainerID: "a", Network: name, Ports: []PortBinding{webPort}}, a)
		eb := join(t, f, AttachSpec{ContainerID: "b", Network: name}, b)
		serve(t, b, "b")
		if len(ea.Ports) != 0 {
			t.Errorf("%s: it publishes %v", mode, ea.Ports)
		}
		if got := inside(t, a, func() (string, error) { return read("203.0.113.2:80") }); got != "outside from "+ea.IP.String() {
			t.Errorf("%s: the container reads %q from the neighbour", mode, got)
		}
		if got := inside(t, outside, func() (string, error) { return read(eb.IP.String() + ":80") }); got != "b from 203.0.113.2" {
			t.Errorf("%s: the neighbour reads %q from the container", mode, got)
		}
		if together {
			if got := inside(t, a, func() (string, error) { return read(eb.IP.String() + ":80") }); got != "b from "+ea.IP.String() {
				t.Errorf("%s: one container reads %q from the other", mode, got)
			}
		} else {
			closed(t, a, eb.IP.String()+":80")
		}
		if _, err := f.Create(t.Context(), CreateSpec{Name: "other", Driver: Macvlan, IPv4: true, Options: map[string]string{"parent": "up0"}}); !errdefs.IsPermissionDenied(err) {
			t.Errorf("%s: a second network on the parent: %v", mode, err)
		}
		if _, err := f.Disconnect(t.Context(), "a", name, a); err != nil {
			t.Fatal(err)
		}
		inside(t, a, func() (struct{}, error) {
			if _, err := netlink.LinkByName("eth0"); err == nil {
				t.Errorf("%s: the device is there after the disconnect", mode)
			}
			return struct{}{}, nil
		})
		if err := f.Detach(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		b.Close() // and with it the device
		eventually(t, "the network is removed", func() bool { _, err := f.Delete(t.Context(), name); return err == nil || errdefs.IsNotFound(err) })
		if _, err := netlink.LinkByName("up0"); err != nil {
			t.Errorf("%s: the parent went with the network: %v", mode, err)
		}
	}
	// Passthru: one container has the parent for itself, with its address.
	macvlanNetwork(t, f, "passthru", Pool{Subnet: netip.MustParsePrefix("203.0.113.0/24"), Gateway: netip.MustParseAddr("203.0.113.2")}, map[string]string{"parent": "up0", "macvlan_mode": "passthru"})
	a := newSandbox(t)
	ea := join(t, f, AttachSpec{ContainerID: "a", Network: "passthru", IP: netip.MustParseAddr("203.0.113.40")}, a)
	if got := inside(t, a, func() (string, error) { return read("203.0.113.2:80") }); got != "outside from "+ea.IP.String() {
		t.Errorf("passthru: the container reads %q from the neighbour", got)
	}
	if _, err := f.Attach(t.Context(), AttachSpec{ContainerID: "b", Network: "passthru"}, newSandbox(t)); err == nil {
		t.Error("two containers have one parent by passthru")
	}
}

// Without a parent the network is by itself; its device comes and goes with it, and is
// there again after a reboot took it.
func TestMacvlanWithoutAParent(t *testing.T) {
	if !ownHost(t) {
		return
	}
	f := newFixture(t)
	n := macvlanNetwork(t, f, "alone", Pool{}, nil)
	if !n.Internal {
		t.Error("it is not internal")
	}
	link, err := netlink.LinkByName(n.Device)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkDel(link); err != nil {
		t.Fatal(err)
	}
	f.reopen(t)
	a, b := newSandbox(t), newSandbox(t)
	ea := join(t, f, AttachSpec{ContainerID: "a", Network: "alone"}, a)
	eb := join(t, f, AttachSpec{ContainerID: "b", Network: "alone"}, b)
	serve(t, b, "b")
	if got := inside(t, a, func() (string, error) { return read(eb.IP.String() + ":80") }); got != "b from "+ea.IP.String() {
		t.Errorf("one container reads %q from the other", got)
	}
	if ea.Gateway.IsValid() {
		t.Errorf("it has the gateway %s", ea.Gateway)
	}
	for _, id := range []string{"a", "b"} {
		if err := f.Detach(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Delete(t.Context(), "alone"); err != nil {
		t.Fatal(err)
	}
	if _, err := netlink.LinkByName(n.Device); err == nil {
		t.Error("its device is left")
	}
	for what, options := range map[string]map[string]string{
		"an unknown mode":     {"parent": "lo", "macvlan_mode": "sideways"},
		"no device":           {"parent": "nothing0"},
		"the loopback":        {"parent": "lo"},
		"no VLAN":             {"parent": "lo.5000"},
		"a VLAN of no device": {"parent": "nothing0.10"},
		"a bridge's option":   {"parent": "lo", optICC: "false"},
	} {
		if _, err := f.Create(t.Context(), CreateSpec{Name: "bad", Driver: Macvlan, IPv4: true, Options: options}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(f.List()) != 1 {
		t.Errorf("left are %v", f.List())
	}
}
