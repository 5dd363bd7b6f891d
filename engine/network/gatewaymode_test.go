package network

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/vishvananda/netlink"
)

// Two containers share a subnet of two addresses where the host needs none, and reach each other but not the host.
func TestIsolatedGatewayMode(t *testing.T) {
	if !ownHost(t) { // for the subnets are no others
		return
	}
	for name, options := range map[string]map[string]string{
		"isolated": {optMode4: "isolated", optMode6: "isolated"}, "inhibited": {optInhibit4: "true", optMode6: "isolated"},
	} {
		f := newFixture(t)
		spec := CreateSpec{
			Name: "_pair", IPv4: true, IPv6: true, Internal: true, Options: options,
			V4: Pool{Subnet: netip.MustParsePrefix("10.231.0.0/31")}, V6: Pool{Subnet: netip.MustParsePrefix("fdb5:1::/127")},
		}
		n := create(t, f, spec)
		link, err := netlink.LinkByName(n.Device)
		if err != nil {
			t.Fatal(err)
		}
		if addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL); err != nil || len(addrs) != 0 {
			t.Errorf("%s: the bridge has %v, %v", name, addrs, err)
		}
		a, b := newSandbox(t), newSandbox(t)
		ea := join(t, f, AttachSpec{ContainerID: "a", Network: "_pair"}, a)
		eb := join(t, f, AttachSpec{ContainerID: "b", Network: "_pair"}, b)
		serve(t, a, "a")
		if got := inside(t, b, func() (string, error) { return read(ea.IP.String() + ":80") }); !strings.HasPrefix(got, "a from") {
			t.Errorf("%s: the neighbour reads %q", name, got)
		}
		if !ea.IP6.IsValid() || !eb.IP6.IsValid() || ea.Gateway.IsValid() || ea.Gateway6.IsValid() {
			t.Errorf("%s: %+v and %+v", name, ea, eb)
		}
		if _, err := f.Attach(t.Context(), AttachSpec{ContainerID: "c", Network: "_pair"}, newSandbox(t)); !errdefs.IsResourceExhausted(err) {
			t.Errorf("%s: a third one: %v", name, err)
		}
		for _, id := range []string{"a", "b"} {
			if err := f.Detach(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
		if _, err := f.Delete(t.Context(), "_pair"); err != nil {
			t.Error(err)
		}
	}
}

// Who has a route reaches every port of an unprotected network, but for containers of other networks.
func TestUnprotectedGatewayMode(t *testing.T) {
	f, elsewhere := newFixture(t), newFixture(t)
	create(t, f, CreateSpec{Name: "open", Options: map[string]string{optMode4: string(Unprotected), optName: "bt" + f.hash}})
	a, neighbour, outsider := newSandbox(t), newSandbox(t), newSandbox(t)
	ea := join(t, f, AttachSpec{ContainerID: "a", Network: "open"}, a)
	attach(t, f, "neighbour", neighbour)
	attach(t, elsewhere, "outsider", outsider)
	serve(t, a, "a")
	addr := ea.IP.String() + ":80"
	if got := inside(t, outsider, func() (string, error) { return read(addr) }); !strings.HasPrefix(got, "a from") {
		t.Errorf("the outsider reads %q", got)
	}
	closed(t, neighbour, addr)
}

func TestGatewayModesRefused(t *testing.T) {
	f := newFixture(t)
	for value, want := range map[string]string{
		"isolated": "gateway mode 'isolated' can only be used for an internal network", "nat2": "unknown gateway mode nat2",
	} {
		_, err := f.Create(t.Context(), CreateSpec{Name: "n", IPv4: true, Options: map[string]string{optMode4: value}})
		if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", value, err)
		}
	}
}

// An interface has the name and the further addresses that were asked for.
func TestInterfaceNameAndLinkLocalAddresses(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "n"})
	create(t, f, CreateSpec{Name: "m"})
	ns := newSandbox(t)
	local := []netip.Addr{netip.MustParseAddr("169.254.7.7"), netip.MustParseAddr("fe80::7")}
	join(t, f, AttachSpec{ContainerID: "a", Network: "n", Interface: "left", LinkLocal: local}, ns)
	got := inside(t, ns, func() (string, error) {
		link, err := netlink.LinkByName("left")
		if err != nil {
			return "", err
		}
		addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		return fmt.Sprint(addrs), err
	})
	for _, want := range []string{"169.254.7.7/16", "fe80::7/64"} {
		if !strings.Contains(got, want) {
			t.Errorf("the interface has %s and not %s", got, want)
		}
	}
	if _, err := f.Attach(t.Context(), AttachSpec{ContainerID: "a", Network: "m", Interface: "left"}, ns); !errdefs.IsPermissionDenied(err) {
		t.Errorf("a second one of the name: %v", err)
	}
	if e := join(t, f, AttachSpec{ContainerID: "a", Network: "m"}, ns); e.Interface != "eth0" {
		t.Errorf("the next one is %s", e.Interface)
	}
}
