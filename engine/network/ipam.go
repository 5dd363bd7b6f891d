package network

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/vishvananda/netlink"
)

// pools are the subnets a new network is chosen from, in this order: Docker's
// default address pools.
func pools(yield func(netip.Prefix) bool) {
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

// freeSubnet returns prefer, if it overlaps neither a route nor an address of
// the host, else the first pool subnet that does not. What belongs to the device
// except does not count. Networks of ours whose bridge is not up hold nothing.
func freeSubnet(except string, prefer []netip.Prefix) (netip.Prefix, error) {
	taken, err := takenPrefixes(except)
	if err != nil {
		return netip.Prefix{}, err
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
	return netip.Prefix{}, fmt.Errorf("choose a subnet: every default address pool overlaps a route of this host: %w", errdefs.ErrResourceExhausted)
}

// takenPrefixes are the subnets that the host's routes and addresses use,
// without the default route and without those of the device except.
func takenPrefixes(except string) ([]netip.Prefix, error) {
	own := -1
	if link, err := netlink.LinkByName(except); err == nil {
		own = link.Attrs().Index
	}
	var taken []netip.Prefix
	routes, err := dump(func() ([]netlink.Route, error) { return netlink.RouteList(nil, netlink.FAMILY_V4) })
	if err != nil {
		return nil, fmt.Errorf("list the host's routes: %w", err)
	}
	for _, r := range routes {
		if p, ok := prefixOf(r.Dst); ok && p.Bits() > 0 && r.LinkIndex != own {
			taken = append(taken, p)
		}
	}
	addrs, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_V4) })
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

// freeAddr returns the lowest address of n that is neither the network's, the
// gateway's, the broadcast's nor in used; or want, when that one is free.
func freeAddr(n *Network, used map[netip.Addr]string, want netip.Addr) (netip.Addr, error) {
	if want.IsValid() {
		switch holder, taken := used[want]; {
		case !n.Subnet.Contains(want) || want == n.Subnet.Addr() || want == lastAddr(n.Subnet):
			return want, fmt.Errorf("address %s is not usable in network %s (%s): %w", want, n.Name, n.Subnet, errdefs.ErrInvalidArgument)
		case want == n.Gateway:
			return want, fmt.Errorf("address %s is the gateway of network %s: %w", want, n.Name, errdefs.ErrConflict)
		case taken:
			return want, fmt.Errorf("address %s of network %s is in use by container %s: %w", want, n.Name, holder, errdefs.ErrConflict)
		}
		return want, nil
	}
	last := lastAddr(n.Subnet)
	for a := n.Subnet.Addr().Next(); a.Less(last); a = a.Next() {
		if _, taken := used[a]; !taken && a != n.Gateway {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("network %s (%s) has no free address: remove containers or use a larger subnet: %w", n.Name, n.Subnet, errdefs.ErrResourceExhausted)
}

// lastAddr is the broadcast address of an IPv4 subnet.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := range b {
		bits := min(max(p.Bits()-8*i, 0), 8)
		b[i] |= byte(0xff >> bits)
	}
	return netip.AddrFrom4(b)
}

// macOf derives the hardware address from the IPv4 address as Docker does, so
// that a reused address never meets a stale neighbour entry.
func macOf(a netip.Addr) net.HardwareAddr {
	b := a.As4()
	return net.HardwareAddr{0x02, 0x42, b[0], b[1], b[2], b[3]}
}
