package network

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestPoolsOfTheUser(t *testing.T) {
	d := Defaults{Pools: []AddressPool{{netip.MustParsePrefix("10.9.254.0/23"), 24}, {netip.MustParsePrefix("255.255.255.0/24"), 25}, {netip.MustParsePrefix("fd00:1::/62"), 64}}}
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	for six, want := range map[bool]string{
		false: "10.9.254.0/24 10.9.255.0/24 255.255.255.0/25 255.255.255.128/25",
		true:  "fd00:1::/64 fd00:1:0:1::/64 fd00:1:0:2::/64 fd00:1:0:3::/64",
	} {
		var got []string
		for p := range d.pools("/x", six) {
			got = append(got, p.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v", got)
		}
	}
	d.Pools = d.Pools[:1]
	for p := range d.pools("/x", true) {
		if !slices.Contains([]byte{0xfd}, p.Addr().As16()[0]) {
			t.Errorf("%v is not of the engine's own", p)
		}
		break
	}
}

func TestDefaultsThatCannotBe(t *testing.T) {
	prefix := netip.MustParsePrefix
	for want, d := range map[string]Defaults{
		"an MTU is":                {MTU: 1},
		"bip 10.0.0.0/24":          {Address: prefix("10.0.0.0/24")},
		"bip fd00::1/64":           {Address: prefix("fd00::1/64")},
		"bip 10.0.0.1/31":          {Address: prefix("10.0.0.1/31")},
		"fixed-cidr 10.1.0.0/25":   {Address: prefix("10.0.0.1/24"), Range: prefix("10.1.0.0/25")},
		"base 10.0.0.1/24 cannot":  {Pools: []AddressPool{{prefix("10.0.0.1/24"), 25}}},
		"base 10.0.0.0/24 cannot":  {Pools: []AddressPool{{prefix("10.0.0.0/24"), 31}}},
		"10.0.0.0/8 overlaps 10.1": {Pools: []AddressPool{{prefix("10.1.0.0/16"), 24}, {prefix("10.0.0.0/8"), 16}}},
	} {
		if err := d.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", d, err, want)
		}
	}
}

// The default network is what the user chose, also where an engine before chose, until
// another engine is told otherwise.
func TestDefaultNetworkOfTheUser(t *testing.T) {
	cfg := Config{State: t.TempDir(), Networks: records{}, Endpoints: records{}}
	open := func(d Defaults) Network {
		t.Helper()
		cfg.Defaults = d
		m, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		n, _, err := m.Inspect(Bridge)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := open(Defaults{})
	if first.MTU != 1500 || !first.V4.Chosen {
		t.Errorf("docker's: %+v", first)
	}
	chosen := open(Defaults{MTU: 1300, Address: netip.MustParsePrefix("10.98.7.5/24"), Range: netip.MustParsePrefix("10.98.7.128/25")})
	if chosen.ID != first.ID || chosen.MTU != 1300 || chosen.V4.Chosen || chosen.V4.Subnet.String() != "10.98.7.0/24" || chosen.V4.Gateway.String() != "10.98.7.5" || chosen.V4.Range.String() != "10.98.7.128/25" {
		t.Errorf("the user's: %+v", chosen)
	}
	pool := open(Defaults{Pools: []AddressPool{{netip.MustParsePrefix("10.97.0.0/16"), 26}}})
	if pool.MTU != 1500 || !pool.V4.Chosen || pool.V4.Subnet.String() != "10.97.0.0/26" || pool.V4.Gateway.String() != "10.97.0.1" || pool.V4.Range.IsValid() {
		t.Errorf("of the user's pools: %+v", pool)
	}
	if again := open(cfg.Defaults); again.V4.Subnet != pool.V4.Subnet {
		t.Errorf("moved to %v", again.V4)
	}
	if back := open(Defaults{}); back.V4.Subnet != pool.V4.Subnet || !back.V4.Chosen {
		t.Errorf("without wishes: %+v", back)
	}
	cfg.Defaults = Defaults{MTU: 1}
	if _, err := Open(cfg); err == nil {
		t.Error("an impossible MTU is taken")
	}
}
