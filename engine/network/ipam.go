package network

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// pools4 are the subnets a new network is chosen from, in this order: Docker's
// default address pools.
func pools4(yield func(netip.Prefix) bool) {
	for b := byte(17); b <= 31; b++ {
		if !yield(netip.PrefixFrom(netip.AddrFrom4([4]byte{172, b, 0, 0}), 16)) {
			return
		}
	}
	for c := 0; c < 256; c += 16 {
		if !yield(netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(c), 0}), 20)) {
			return
		}
	}
}

// pools6 are the /64 subnets of a unique local /48 (RFC 4193, 3.2) that follows
// from the engine's state directory, so that two engines hardly ever meet.
func pools6(state string) func(func(netip.Prefix) bool) {
	sum := sha256.Sum256([]byte("berth " + state))
	return func(yield func(netip.Prefix) bool) {
		a := [16]byte{0xfd}
		copy(a[1:6], sum[:])
		for i := range 1 << 16 {
			a[6], a[7] = byte(i>>8), byte(i)
			if !yield(netip.PrefixFrom(netip.AddrFrom16(a), 64)) {
				return
			}
		}
	}
}

// lockSubnets makes other engines of this machine wait until unlock: from the
// choice of a subnet until a bridge has an address of it and so shows that it is taken.
func lockSubnets() (unlock func() error, err error) {
	lock, err := os.Open("/run")
	if err != nil {
		return nil, fmt.Errorf("lock the choice of a subnet: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the choice of a subnet by /run: %w", err), lock.Close())
	}
	return lock.Close, nil
}

// freeSubnet returns prefer, if it overlaps neither a route nor an address of
// the host nor a network of this engine, else the first subnet of the pools that
// does not. What belongs to n does not count.
func (m *Manager) freeSubnet(n *Network, prefer []netip.Prefix, six bool) (netip.Prefix, error) {
	family, pools := netlink.FAMILY_V4, m.defaults.pools(m.state, six)
	if six {
		family = netlink.FAMILY_V6
	}
	taken, err := takenPrefixes(n.Device, family)
	if err != nil {
		return netip.Prefix{}, err
	}
	for _, other := range m.nets {
		if other.ID != n.ID {
			taken = append(taken, other.V4.Subnet, other.V6.Subnet) // invalid ones overlap nothing
		}
	}
	free := func(p netip.Prefix) bool {
		return !slices.ContainsFunc(taken, p.Overlaps)
	}
	if i := slices.IndexFunc(prefer, free); i >= 0 {
		return prefer[i], nil
	}
	for p := range pools {
		if free(p) {
			return p, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("could not find an available, non-overlapping address pool among the defaults to assign to the network: "+
		"every one overlaps a route of this host or another network; remove networks or name a subnet: %w", errdefs.ErrResourceExhausted)
}

// takenPrefixes are the subnets that the host's routes and addresses use,
// without the default route and without those of the device except.
func takenPrefixes(except string, family int) ([]netip.Prefix, error) {
	own := -1
	var absent netlink.LinkNotFoundError
	switch link, err := netlink.LinkByName(except); {
	case err == nil:
		own = link.Attrs().Index
	case !errors.As(err, &absent): // else its own subnet would count as somebody else's
		return nil, fmt.Errorf("look for interface %s: %w", except, err)
	}
	var taken []netip.Prefix
	routes, err := dump(func() ([]netlink.Route, error) { return netlink.RouteList(nil, family) })
	if err != nil {
		return nil, fmt.Errorf("list the host's routes: %w", err)
	}
	for _, r := range routes {
		if p, ok := prefixOf(r.Dst); ok && p.Bits() > 0 && r.LinkIndex != own {
			taken = append(taken, p)
		}
	}
	addrs, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, family) })
	if err != nil {
		return nil, fmt.Errorf("list the host's addresses: %w", err)
	}
	for _, a := range addrs {
		if p, ok := prefixOf(a.IPNet); ok && a.LinkIndex != own {
			taken = append(taken, p)
		}
	}
	return taken, nil
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	ones, bits := n.Mask.Size()
	if !ok || bits == 0 {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a.Unmap(), ones).Masked(), true
}

// free returns the lowest address of the pool's range that is neither the
// network's, the gateway's, the broadcast's, an auxiliary one nor in used, which
// says which container has it; or want, when that one is free.
func (p *Pool) free(used map[netip.Addr]string, want netip.Addr) (netip.Addr, error) {
	last := lastAddr(p.Subnet)
	reserved := func(a netip.Addr) bool {
		pair := a.BitLen()-p.Subnet.Bits() <= 1 // both ends of a point-to-point link are hosts (RFC 3021, 6164)
		return a == p.Gateway || !pair && (a == p.Subnet.Addr() || a == last && a.Is4())
	}
	if want.IsValid() {
		name, taken := used[want]
		holder := "container " + name
		for name, a := range p.Aux {
			if a == want {
				holder, taken = "auxiliary address "+name, true
			}
		}
		switch {
		case !p.Subnet.Contains(want):
			return want, fmt.Errorf("no configured subnet contains IP address %s: %w", want, errdefs.ErrInvalidArgument)
		case taken:
			//lint:ignore ST1005 the words are docker's, and tools look for them
			return want, fmt.Errorf("Address already in use: %s belongs to %s: %w", want, holder, errdefs.ErrPermissionDenied)
		case reserved(want):
			//lint:ignore ST1005 as above
			return want, fmt.Errorf("Address already in use: %s is the network's own: %w", want, errdefs.ErrPermissionDenied)
		}
		return want, nil
	}
	from := p.Subnet
	if p.Range.IsValid() {
		from = p.Range.Masked()
	}
	for a := from.Addr(); from.Contains(a); a = a.Next() {
		if _, taken := used[a]; !taken && !reserved(a) && !slices.Contains(auxiliary(p.Aux), a) {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("no available IPv4 or IPv6 addresses on this network's address pools: %s is exhausted; remove containers or use a larger subnet: %w",
		from, errdefs.ErrResourceExhausted)
}

func auxiliary(aux map[string]netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range aux {
		out = append(out, a)
	}
	return out
}

// lastAddr is the highest address of a subnet, for IPv4 that of the broadcast.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := range b {
		bits := min(max(p.Bits()-8*i, 0), 8)
		b[i] |= byte(0xff >> bits)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// macOf derives the hardware address from the IPv4 address as Docker does, so
// that a reused address never meets a stale neighbour entry; for an IPv6 address
// from its last four bytes.
func macOf(a netip.Addr) net.HardwareAddr {
	b := a.AsSlice()
	b = b[len(b)-4:]
	return net.HardwareAddr{0x02, 0x42, b[0], b[1], b[2], b[3]}
}

// fillPool checks what the user chose and chooses the rest.
func (m *Manager) fillPool(n *Network, p *Pool, six bool) error {
	if !p.Subnet.IsValid() {
		if p.Gateway.IsValid() || p.Range.IsValid() || len(p.Aux) > 0 {
			return fmt.Errorf("a gateway, a range or auxiliary addresses need a subnet: %w", errdefs.ErrInvalidArgument)
		}
		subnet, err := m.freeSubnet(n, nil, six)
		if err != nil {
			return err
		}
		p.Subnet, p.Chosen = subnet, true
	}
	if p.Subnet.Addr().Is6() != six || p.Subnet.Addr().Is4In6() {
		return fmt.Errorf("subnet %s is of the wrong address family: %w", p.Subnet, errdefs.ErrInvalidArgument)
	}
	if p.Subnet != p.Subnet.Masked() {
		return fmt.Errorf("invalid subnet %s: it should be %s: %w", p.Subnet, p.Subnet.Masked(), errdefs.ErrInvalidArgument)
	}
	for _, other := range m.nets {
		for _, o := range []Pool{other.V4, other.V6} {
			if o.Valid() && o.Subnet.Overlaps(p.Subnet) {
				return fmt.Errorf("invalid pool request: Pool overlaps with other one on this address space: %s is in use by network %s (%s): %w",
					p.Subnet, other.Name, o.Subnet, errdefs.ErrPermissionDenied)
			}
		}
	}
	if p.Range.IsValid() && (p.Range.Bits() < p.Subnet.Bits() || !p.Subnet.Contains(p.Range.Addr())) {
		return fmt.Errorf("range %s is not in subnet %s: %w", p.Range, p.Subnet, errdefs.ErrInvalidArgument)
	}
	for name, a := range p.Aux {
		if !p.Subnet.Contains(a) {
			return fmt.Errorf("auxiliary address %s=%s is not in subnet %s: %w", name, a, p.Subnet, errdefs.ErrInvalidArgument)
		}
	}
	if !p.Gateway.IsValid() && n.selfSufficient(six) {
		return nil
	}
	if !p.Gateway.IsValid() {
		gateway, err := p.free(nil, netip.Addr{})
		if err != nil {
			return err
		}
		p.Gateway = gateway
	}
	if !p.Subnet.Contains(p.Gateway) {
		return fmt.Errorf("gateway %s is not in subnet %s: %w", p.Gateway, p.Subnet, errdefs.ErrInvalidArgument)
	}
	return nil
}
