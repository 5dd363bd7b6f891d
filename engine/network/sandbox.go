package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"

	"berth/runtime/procfs"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// sandbox is a container's network namespace, from within.
type sandbox struct {
	ns *os.File
	h  *netlink.Handle
}

func openSandbox(ns *os.File) (*sandbox, error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(int(ns.Fd())), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink in the container's network namespace: %w", err)
	}
	return &sandbox{ns: ns, h: h}, nil
}

func (s *sandbox) close() { s.h.Close() }

// enter calls fn on a thread that is in the network namespace ns.
func enter(ns *os.File, fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, in the other namespace
		err := netns.Set(netns.NsHandle(int(ns.Fd())))
		if err == nil {
			err = fn()
		}
		done <- err
	}()
	return <-done
}

// Loopback brings lo up in the namespace that ns refers to; it is all that a
// container of network "none" gets.
func Loopback(ns *os.File) error {
	s, err := openSandbox(ns)
	if err != nil {
		return err
	}
	defer s.close()
	return s.loopbackUp()
}

func (s *sandbox) loopbackUp() error {
	// lo has index 1 in every namespace (net/core/dev.c, LOOPBACK_IFINDEX).
	lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Index: 1}}
	if err := s.h.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}

// configure brings lo and e's interface up, with its addresses and settings.
func (s *sandbox) configure(e *Endpoint, sysctls []Sysctl) error {
	if err := s.loopbackUp(); err != nil {
		return err
	}
	eth, err := s.h.LinkByName(e.Interface)
	if err != nil {
		return fmt.Errorf("find it: %w", err)
	}
	// In a network without IPv6 there is none on its own account, either: neighbours
	// could reach each other by link-local addresses, and one that advertises itself
	// as a router would get the others' traffic.
	if !e.IP6.IsValid() && !slices.ContainsFunc(e.LinkLocal, netip.Addr.Is6) {
		if err := enter(s.ns, func() error { return disableIPv6(e.Interface) }); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	addresses := []netip.Prefix{netip.PrefixFrom(e.IP, e.PrefixLen), netip.PrefixFrom(e.IP6, e.PrefixLen6)}
	for _, a := range e.LinkLocal {
		addresses = append(addresses, netip.PrefixFrom(a, linkLocalBits(a)))
	}
	for _, a := range addresses {
		if !a.IsValid() {
			continue
		}
		if err := s.h.AddrAdd(eth, address(a.Addr(), a.Bits())); err != nil {
			return fmt.Errorf("add address %s: %w", a, err)
		}
	}
	if len(sysctls) > 0 {
		if err := enter(s.ns, func() error { return setSysctls(e.Interface, sysctls) }); err != nil {
			return err
		}
	}
	if err := s.h.LinkSetUp(eth); err != nil {
		return fmt.Errorf("set it up: %w", err)
	}
	return nil
}

// disableIPv6 keeps IPv6 off a device of the calling thread's namespace. That there is
// none anyway is os.ErrNotExist.
func disableIPv6(device string) error {
	proc, err := netProc()
	if err != nil {
		return err
	}
	defer proc.Close()
	name := "sys/net/ipv6/conf/" + device + "/disable_ipv6"
	if err := procfs.Write(proc, name, "1"); err != nil {
		return fmt.Errorf("keep IPv6 off: set %s to 1: %w", name, err)
	}
	return nil
}

// netProc opens a proc with the sysctls of the calling thread's namespace.
func netProc() (*os.File, error) {
	proc, err := procfs.New()
	if err != nil {
		proc, err = procfs.Root()
	}
	return proc, err
}

// linkLocalBits are those of the prefix that a link-local address is in (RFC 3927, RFC 4291 2.5.6).
func linkLocalBits(a netip.Addr) int {
	if a.Is4() {
		return 16
	}
	return 64
}

// defaultRoute makes gateway, on the device called dev, the way out for its
// address family; without a gateway there is none.
func (s *sandbox) defaultRoute(gateway netip.Addr, dev string, six bool) error {
	dst := &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}
	if six {
		dst = &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
	}
	// Replacing adds a second next hop to an IPv6 route (net/ipv6/ip6_fib.c).
	if six || !gateway.IsValid() {
		err := s.h.RouteDel(&netlink.Route{Dst: dst})
		if err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove the default route: %w", err)
		}
	}
	if !gateway.IsValid() {
		return nil
	}
	eth, err := s.h.LinkByName(dev)
	if err != nil {
		return fmt.Errorf("find %s: %w", dev, err)
	}
	if err := s.h.RouteReplace(&netlink.Route{Dst: dst, LinkIndex: eth.Attrs().Index, Gw: gateway.AsSlice()}); err != nil {
		return fmt.Errorf("set the default route to %s: %w", gateway, err)
	}
	return nil
}
