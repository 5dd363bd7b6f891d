package network

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"

	"github.com/containerd/errdefs"
)

// Defaults are what the user chose for the network "bridge", and where subnets are
// chosen from. The zero value is docker's defaults.
type Defaults struct {
	MTU     int          // of "bridge", bytes; 0: 1500
	Address netip.Prefix // the default bridge's own, with the length of its subnet; invalid: chosen
	Range   netip.Prefix // what "bridge" gives addresses from; invalid: all of its subnet
	Pools   []AddressPool
}

// AddressPool is divided into subnets for networks that name none. A family without a
// pool has the engine's own.
type AddressPool struct {
	Base netip.Prefix
	Size int // length of each subnet's prefix
}

// defaultMTU is that of Ethernet.
const defaultMTU = 1500

// maxPoolSubnets bounds how far a pool is searched.
const maxPoolSubnets = 1 << 16

// Check says what is wrong with the choices.
func (d *Defaults) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, errdefs.ErrInvalidArgument)...)
	}
	if d.MTU != 0 && (d.MTU < 68 || d.MTU > 65535) {
		return bad("mtu %d: an MTU is 68 to 65535 bytes", d.MTU)
	}
	if a := d.Address; a.IsValid() && (!a.Addr().Is4() || a.Bits() > 30 || a == a.Masked()) {
		return bad("bip %s: want the IPv4 address of the default bridge and the length of its subnet, such as 192.0.2.1/24", a)
	}
	if r := d.Range; r.IsValid() && (!d.Address.IsValid() || r.Bits() < d.Address.Bits() || !d.Address.Contains(r.Addr())) {
		return bad("fixed-cidr %s is not in the subnet of bip", r)
	}
	for i, p := range d.Pools {
		if !p.Base.IsValid() || p.Base != p.Base.Masked() || p.Size < p.Base.Bits() || p.Size > p.Base.Addr().BitLen()-2 {
			return bad("default-address-pools: base %s cannot be divided into subnets of size %d", p.Base, p.Size)
		}
		for _, other := range d.Pools[:i] {
			if other.Base.Overlaps(p.Base) {
				return bad("default-address-pools: %s overlaps %s", p.Base, other.Base)
			}
		}
	}
	return nil
}

// pools are the subnets of a family that the engine chooses from.
func (d *Defaults) pools(state string, six bool) iter.Seq[netip.Prefix] {
	var own []AddressPool
	for _, p := range d.Pools {
		if p.Base.Addr().Is6() == six {
			own = append(own, p)
		}
	}
	switch {
	case len(own) == 0 && six:
		return pools6(state)
	case len(own) == 0:
		return pools4
	}
	return func(yield func(netip.Prefix) bool) {
		for _, p := range own {
			subnet := netip.PrefixFrom(p.Base.Addr(), p.Size)
			for n := 0; n < maxPoolSubnets && p.Base.Contains(subnet.Addr()); n++ {
				if !yield(subnet) {
					return
				}
				next, ok := following(subnet)
				if !ok {
					break
				}
				subnet = next
			}
		}
	}
}

// following is the prefix after p, if there is one.
func following(p netip.Prefix) (netip.Prefix, bool) {
	b := p.Addr().AsSlice()
	for i, step := (p.Bits()-1)/8, byte(1)<<(7-(p.Bits()-1)%8); i >= 0; i, step = i-1, 1 {
		if b[i] += step; b[i] >= step {
			a, ok := netip.AddrFromSlice(b)
			return netip.PrefixFrom(a, p.Bits()), ok
		}
	}
	return netip.Prefix{}, false
}

// applyDefaults makes the default network as the user chose. One that containers are on
// stays as it is until they are gone and another engine opens.
func (m *Manager) applyDefaults() error {
	n, d := m.nets[Bridge], &m.defaults
	if len(m.members(n.ID)) > 0 {
		return nil
	}
	want := *n
	if want.MTU = d.MTU; want.MTU == 0 {
		want.MTU = defaultMTU
	}
	switch {
	case d.Address.IsValid():
		want.V4 = Pool{Subnet: d.Address.Masked(), Gateway: d.Address.Addr(), Range: d.Range}
		for _, other := range m.nets {
			if other.ID != n.ID && other.V4.Valid() && other.V4.Subnet.Overlaps(want.V4.Subnet) {
				return fmt.Errorf("bip %s overlaps the network %s (%s): %w", d.Address, other.Name, other.V4.Subnet, errdefs.ErrConflict)
			}
		}
	case !n.V4.Chosen || len(d.Pools) > 0 && !d.has(n.V4.Subnet):
		subnet, err := m.freeSubnet(n, nil, false)
		if err != nil {
			return err
		}
		want.V4 = Pool{Subnet: subnet, Gateway: subnet.Addr().Next(), Chosen: true}
	}
	if want.MTU == n.MTU && want.V4.Subnet == n.V4.Subnet && want.V4.Gateway == n.V4.Gateway && want.V4.Range == n.V4.Range && want.V4.Chosen == n.V4.Chosen {
		return nil
	}
	// The bridge of the engine before may still be there, with its address.
	if err := errors.Join(removeBridge(n), m.networks.Put(want.ID, &want)); err != nil {
		return fmt.Errorf("change network %s: %w", n.Name, err)
	}
	m.nets[Bridge] = &want
	return nil
}

// has tells whether a subnet is one of the pools'.
func (d *Defaults) has(subnet netip.Prefix) bool {
	for _, p := range d.Pools {
		if subnet.Bits() == p.Size && p.Base.Contains(subnet.Addr()) {
			return true
		}
	}
	return false
}
