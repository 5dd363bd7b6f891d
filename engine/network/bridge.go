package network

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/containerd/errdefs"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ensureBridge makes n's bridge device exist, be up and own the gateways'
// addresses, and returns its index. It is idempotent. A device that it makes says in its
// alias whose it is, for who has lost the records.
func ensureBridge(n *Network, owner string) (int, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = n.Device, n.MTU
	if own := n.ownAddress(n.V4); own.IsValid() {
		attrs.HardwareAddr = macOf(own) // else it follows the lowest port's
	} else if own := n.ownAddress(n.V6); own.IsValid() {
		attrs.HardwareAddr = macOf(own)
	}
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
		return 0, fmt.Errorf("create bridge %s: %w", n.Device, err)
	}
	link, err := netlink.LinkByName(n.Device)
	if err != nil {
		return 0, fmt.Errorf("find bridge %s: %w", n.Device, err)
	}
	if link.Type() != "bridge" {
		return 0, notBridge(link)
	}
	// A container may send router advertisements (it has CAP_NET_RAW): believed, they
	// would make it the host's IPv6 router (CVE-2020-13401). Before the device is up.
	if !n.Borrowed {
		if err := mark(link, owner); err != nil {
			return 0, err
		}
		if err := setSysctl("net/ipv6/conf/"+n.Device+"/accept_ra", "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
	}
	if n.Gateway6 == Apart {
		err := netlink.LinkSetIP6AddrGenMode(link, nl.IN6_ADDR_GEN_MODE_NONE)
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EOPNOTSUPP) {
			return 0, fmt.Errorf("keep IPv6 off bridge %s: %w", n.Device, err)
		}
	}
	for _, p := range []Pool{n.V4, n.V6} {
		own := n.ownAddress(p)
		if !p.Valid() || !own.IsValid() {
			continue
		}
		addr := address(own, p.Subnet.Bits())
		if err := netlink.AddrReplace(link, addr); err != nil {
			return 0, fmt.Errorf("give %s to bridge %s: %w", addr, n.Device, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return 0, fmt.Errorf("set bridge %s up: %w", n.Device, err)
	}
	// This lets 127.0.0.1:port of the host reach a container (the guard chain closes
	// the way back).
	if err := setSysctl("net/ipv4/conf/"+n.Device+"/route_localnet", "1"); err != nil {
		return 0, err
	}
	return link.Attrs().Index, nil
}

// mark says in the alias of a device whose it is. The kernel takes none with the creation
// (net/core/rtnetlink.c, rtnl_create_link).
func mark(link netlink.Link, owner string) error {
	if link.Attrs().Alias == owner {
		return nil
	}
	if err := netlink.LinkSetAlias(link, owner); err != nil {
		return fmt.Errorf("set the alias of %s: %w", link.Attrs().Name, err)
	}
	return nil
}

// bridgeExists tells whether there is a bridge called name. That there is another
// device of this name is an error.
func bridgeExists(name string) (bool, error) {
	link, err := netlink.LinkByName(name)
	switch {
	case errors.As(err, new(netlink.LinkNotFoundError)):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for device %s: %w", name, err)
	case link.Type() != "bridge":
		return false, notBridge(link)
	}
	return true, nil
}

func notBridge(link netlink.Link) error {
	return fmt.Errorf("existing interface %s is not a bridge (it is a %s): choose another name, or rename or remove it: %w",
		link.Attrs().Name, link.Type(), errdefs.ErrInvalidArgument)
}

// removeBridge deletes n's bridge unless it was there before the network.
func removeBridge(n *Network) error {
	if n.Borrowed {
		return nil
	}
	return removeLink(n.Device)
}

// address is a as netlink takes it. Nobody else has it, so that an IPv6 address
// is usable at once rather than after its duplicate is looked for.
func address(a netip.Addr, bits int) *netlink.Addr {
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, a.BitLen())}}
	if a.Is6() {
		addr.Flags = unix.IFA_F_NODAD
	}
	return addr
}

// removeLink deletes the device called name; that there is none is no error.
func removeLink(name string) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	// The kernel removes a veth by itself when its namespace goes.
	if err != nil && !errors.Is(err, unix.ENODEV) && !errors.As(err, new(netlink.LinkNotFoundError)) {
		return fmt.Errorf("remove device %s: %w", name, err)
	}
	return nil
}

// setSysctl writes value to /proc/sys/name of the calling thread's network
// namespace unless it is set, since writing ip_forward resets other settings of
// every device. Without IPv6 in the kernel, its settings are os.ErrNotExist.
func setSysctl(name, value string) error {
	path := filepath.Join("/proc/sys", name)
	if b, err := os.ReadFile(path); err == nil && string(bytes.TrimSpace(b)) == value {
		return nil
	}
	// Not created: that /proc/sys refuses with another error.
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("set sysctl %s to %s: %w", name, value, err)
	}
	return nil
}

// dump repeats a netlink listing that the kernel interrupted because the set
// changed meanwhile, which it does often on a busy host.
func dump[T any](list func() (T, error)) (T, error) {
	for range 50 {
		if v, err := list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return v, err
		}
	}
	return list()
}
