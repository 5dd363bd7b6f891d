package network

import (
	"net/netip"
	"testing"

	"github.com/containerd/errdefs"
)

func TestFreeAddressSkipsGatewayUsedAndBroadcast(t *testing.T) {
	n := &Pool{Subnet: netip.MustParsePrefix("10.9.0.0/29"), Gateway: netip.MustParseAddr("10.9.0.1")}
	used := map[netip.Addr]string{}
	for want := netip.MustParseAddr("10.9.0.2"); want != netip.MustParseAddr("10.9.0.7"); want = want.Next() {
		got, err := n.free(used, netip.Addr{})
		if err != nil || got != want {
			t.Fatalf("free = %s, %v; want %s", got, err, want)
		}
		used[got] = "someone"
	}
	if got, err := n.free(used, netip.Addr{}); !errdefs.IsResourceExhausted(err) {
		t.Fatalf("free of a full subnet = %s, %v; want an exhausted error", got, err)
	}
}

func TestFreeAddressOfOnesChoice(t *testing.T) {
	n := &Pool{Subnet: netip.MustParsePrefix("10.9.0.0/24"), Gateway: netip.MustParseAddr("10.9.0.1"), Aux: map[string]netip.Addr{"router": netip.MustParseAddr("10.9.0.9")}}
	used := map[netip.Addr]string{netip.MustParseAddr("10.9.0.7"): "holder"}
	for _, c := range []struct {
		want string
		ok   func(error) bool
	}{
		{"10.9.0.8", func(err error) bool { return err == nil }},
		{"10.9.0.7", errdefs.IsPermissionDenied},
		{"10.9.0.1", errdefs.IsPermissionDenied},
		{"10.9.0.0", errdefs.IsPermissionDenied},
		{"10.9.0.255", errdefs.IsPermissionDenied},
		{"10.9.0.9", errdefs.IsPermissionDenied},
		{"10.9.1.3", errdefs.IsInvalidArgument},
	} {
		if _, err := n.free(used, netip.MustParseAddr(c.want)); !c.ok(err) {
			t.Errorf("free(%s): %v", c.want, err)
		}
	}
}

func TestLastAddr(t *testing.T) {
	for in, want := range map[string]string{
		"172.17.0.0/16": "172.17.255.255", "192.168.16.0/20": "192.168.31.255", "10.0.0.8/29": "10.0.0.15", "10.0.0.1/32": "10.0.0.1", "fd00::/64": "fd00::ffff:ffff:ffff:ffff",
	} {
		if got := lastAddr(netip.MustParsePrefix(in)); got.String() != want {
			t.Errorf("lastAddr(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestFreeAddressOfARange(t *testing.T) {
	p := &Pool{Subnet: netip.MustParsePrefix("fd00::/64"), Gateway: netip.MustParseAddr("fd00::1:0"), Range: netip.MustParsePrefix("fd00::1:0/126")}
	used := map[netip.Addr]string{}
	for _, want := range []string{"fd00::1:1", "fd00::1:2", "fd00::1:3"} {
		got, err := p.free(used, netip.Addr{})
		if err != nil || got.String() != want {
			t.Errorf("free = %s, %v; want %s", got, err, want)
		}
		used[got] = "someone"
	}
	if got, err := p.free(used, netip.Addr{}); !errdefs.IsResourceExhausted(err) {
		t.Errorf("free of a full range = %s, %v", got, err)
	}
}

func TestFreeSubnetKeepsWhatIsFree(t *testing.T) {
	m := &Manager{state: t.TempDir(), nets: map[string]*Network{}}
	none, lo := &Network{}, &Network{Device: "lo"}
	first, err := m.freeSubnet(none, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	mine := netip.MustParsePrefix("10.213.0.0/24")
	if got, err := m.freeSubnet(none, []netip.Prefix{mine}, false); err != nil || got != mine {
		t.Errorf("freeSubnet with a free preference = %s, %v", got, err)
	}
	loopback := netip.MustParsePrefix("127.0.0.0/24")
	if got, err := m.freeSubnet(none, []netip.Prefix{loopback}, false); err != nil || got != first {
		t.Errorf("freeSubnet with a taken preference = %s, %v; want %s", got, err, first)
	}
	if got, err := m.freeSubnet(lo, []netip.Prefix{loopback}, false); err != nil || got != loopback {
		t.Errorf("freeSubnet with what its own device has = %s, %v", got, err)
	}
	m.nets["other"] = &Network{ID: "1", V4: Pool{Subnet: first}}
	if got, err := m.freeSubnet(none, nil, false); err != nil || got == first {
		t.Errorf("freeSubnet beside a network of our own = %s, %v", got, err)
	}
	six, err := m.freeSubnet(none, nil, true)
	if err != nil || six.Bits() != 64 || !netip.MustParsePrefix("fd00::/8").Contains(six.Addr()) {
		t.Errorf("freeSubnet for IPv6 = %s, %v", six, err)
	}
}
