package network

import (
	"net/netip"
	"testing"

	"github.com/containerd/errdefs"
)

func TestFreeAddrSkipsGatewayUsedAndBroadcast(t *testing.T) {
	n := &Network{Name: "n", Subnet: netip.MustParsePrefix("10.9.0.0/29"), Gateway: netip.MustParseAddr("10.9.0.1")}
	used := map[netip.Addr]string{}
	for want := netip.MustParseAddr("10.9.0.2"); want != netip.MustParseAddr("10.9.0.7"); want = want.Next() {
		got, err := freeAddr(n, used, netip.Addr{})
		if err != nil || got != want {
			t.Fatalf("freeAddr = %s, %v; want %s", got, err, want)
		}
		used[got] = "someone"
	}
	if got, err := freeAddr(n, used, netip.Addr{}); !errdefs.IsResourceExhausted(err) {
		t.Fatalf("freeAddr of a full subnet = %s, %v; want an exhausted error", got, err)
	}
}

func TestFreeAddrOfOnesChoice(t *testing.T) {
	n := &Network{Name: "n", Subnet: netip.MustParsePrefix("10.9.0.0/24"), Gateway: netip.MustParseAddr("10.9.0.1")}
	used := map[netip.Addr]string{netip.MustParseAddr("10.9.0.7"): "holder"}
	for _, c := range []struct {
		want string
		ok   func(error) bool
	}{
		{"10.9.0.8", func(err error) bool { return err == nil }},
		{"10.9.0.7", errdefs.IsConflict},
		{"10.9.0.1", errdefs.IsConflict},
		{"10.9.0.0", errdefs.IsInvalidArgument},
		{"10.9.0.255", errdefs.IsInvalidArgument},
		{"10.9.1.3", errdefs.IsInvalidArgument},
	} {
		if _, err := freeAddr(n, used, netip.MustParseAddr(c.want)); !c.ok(err) {
			t.Errorf("freeAddr(%s): %v", c.want, err)
		}
	}
}

func TestLastAddr(t *testing.T) {
	for in, want := range map[string]string{
		"172.17.0.0/16": "172.17.255.255", "192.168.16.0/20": "192.168.31.255", "10.0.0.8/29": "10.0.0.15", "10.0.0.1/32": "10.0.0.1",
	} {
		if got := lastAddr(netip.MustParsePrefix(in)); got.String() != want {
			t.Errorf("lastAddr(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestFreeSubnetKeepsWhatIsFree(t *testing.T) {
	first, err := freeSubnet("", nil)
	if err != nil {
		t.Fatal(err)
	}
	mine := netip.MustParsePrefix("10.213.0.0/24")
	if got, err := freeSubnet("", []netip.Prefix{mine}); err != nil || got != mine {
		t.Errorf("freeSubnet with a free preference = %s, %v", got, err)
	}
	loopback := netip.MustParsePrefix("127.0.0.0/24")
	if got, err := freeSubnet("", []netip.Prefix{loopback}); err != nil || got != first {
		t.Errorf("freeSubnet with a taken preference = %s, %v; want %s", got, err, first)
	}
	if got, err := freeSubnet("lo", []netip.Prefix{loopback}); err != nil || got != loopback {
		t.Errorf("freeSubnet with what its own device has = %s, %v", got, err)
	}
}
