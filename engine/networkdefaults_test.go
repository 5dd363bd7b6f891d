package engine

import (
	"net/netip"
	"strings"
	"testing"

	"berth/engine/network"
)

// What the user chose for the default network is what a container on it finds.
func TestDefaultNetworkInAContainer(t *testing.T) {
	r := newRig(t)
	r.close()
	cfg := testConfig(r.dir)
	cfg.Networks = network.Defaults{
		MTU: 1280, Address: netip.MustParsePrefix("10.98.7.5/24"), Range: netip.MustParsePrefix("10.98.7.128/25"),
		Pools: []network.AddressPool{{Base: netip.MustParsePrefix("10.97.0.0/16"), Size: 26}},
	}
	e, err := Open(r.ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Engine = e
	o := shell("ip addr show eth0; ip route; cat /sys/class/net/eth0/mtu")
	o.HostConfig.NetworkMode = "bridge"
	out, code := r.output(o)
	for _, want := range []string{"inet 10.98.7.128/24", "default via 10.98.7.5 dev eth0", "\n1280\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %q, exit %d", want, out, code)
		}
	}
	info, err := r.Info(r.ctx)
	if err != nil || len(info.DefaultAddressPools) != 1 || info.DefaultAddressPools[0].Size != 26 {
		t.Errorf("info: %+v, %v", info.DefaultAddressPools, err)
	}
}
