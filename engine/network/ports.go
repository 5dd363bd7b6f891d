package network

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

var protocols = map[string]struct{ typ, proto int }{
	"tcp":  {unix.SOCK_STREAM, unix.IPPROTO_TCP},
	"udp":  {unix.SOCK_DGRAM, unix.IPPROTO_UDP},
	"sctp": {unix.SOCK_STREAM, unix.IPPROTO_SCTP},
}

// PortBinding publishes one port of a container on the host.
type PortBinding struct {
	Proto         string     // "tcp", "udp" or "sctp"
	ContainerPort uint16     // 1–65535
	HostIP        netip.Addr // invalid: where the network says, else every address of the host
	HostPort      uint16     // 0: a free one is chosen
	HostPortEnd   uint16     // with HostPort, the last of the ports to choose from; 0: HostPort alone
}

// choosePorts checks that every wanted host port is free, among our endpoints
// and on the host, and fills in those left to us. Where no host address is given
// there is a binding for each address family that e has.
func (m *Manager) choosePorts(n *Network, e *Endpoint, want []PortBinding) ([]PortBinding, error) {
	var out []PortBinding
	for _, b := range want {
		if _, ok := protocols[b.Proto]; !ok {
			return nil, fmt.Errorf("publish port %d/%s: unknown protocol, want tcp, udp or sctp: %w", b.ContainerPort, b.Proto, errdefs.ErrInvalidArgument)
		}
		both, err := hostAddresses(n, e, b)
		if err != nil {
			return nil, err
		}
		if both, err = m.choosePort(both, out); err != nil {
			return nil, err
		}
		out = append(out, both...)
	}
	return out, nil
}

// hostAddresses is b once for each host address that it stands for.
func hostAddresses(n *Network, e *Endpoint, b PortBinding) ([]PortBinding, error) {
	if !b.HostIP.IsValid() && n.HostBinding.IsValid() {
		b.HostIP = n.HostBinding
	}
	all := []netip.Addr{b.HostIP}
	if !b.HostIP.IsValid() {
		all = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
	var out []PortBinding
	for _, a := range all {
		if b.HostIP = a.Unmap(); b.HostIP.Is4() && e.IP.IsValid() || b.HostIP.Is6() && e.IP6.IsValid() {
			out = append(out, b)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("publish port %d/%s on %s: the container has no address of that family in network %s: create the network with --ipv6 for both: %w",
			b.ContainerPort, b.Proto, b.HostIP, n.Name, errdefs.ErrNotImplemented)
	}
	return out, nil
}

// choosePort gives all of bs, which are one port on several addresses, the same host port.
func (m *Manager) choosePort(bs, own []PortBinding) ([]PortBinding, error) {
	first, last := bs[0].HostPort, max(bs[0].HostPort, bs[0].HostPortEnd)
	if first == 0 {
		first, last = 49153, 65535 // the range that Docker chooses from
	}
	var err error
	for p := int(first); p <= int(last); p++ {
		err = nil
		for i := range bs {
			bs[i].HostPort, bs[i].HostPortEnd = uint16(p), 0
			if err = m.portFree(bs[i], own); err != nil {
				break
			}
		}
		if err == nil {
			return bs, nil
		}
	}
	if first == last {
		return nil, err
	}
	return nil, fmt.Errorf("publish port %d/%s: no host port from %d to %d is free; the last answer was: %w", bs[0].ContainerPort, bs[0].Proto, first, last, err)
}

// portFree tells who has the host port of b, if anybody.
func (m *Manager) portFree(b PortBinding, own []PortBinding) error {
	holder := func(o PortBinding, who string) error {
		same := o.HostIP == b.HostIP || o.HostIP.Is4() == b.HostIP.Is4() && (o.HostIP.IsUnspecified() || b.HostIP.IsUnspecified())
		if o.Proto == b.Proto && o.HostPort == b.HostPort && same {
			//lint:ignore ST1005 the words are docker's, and tools look for them
			return fmt.Errorf("Bind for %s failed: port is already allocated by %s: %w", netip.AddrPortFrom(b.HostIP, b.HostPort), who, errdefs.ErrConflict)
		}
		return nil
	}
	for _, o := range own {
		if err := holder(o, "this container"); err != nil {
			return err
		}
	}
	for _, ends := range m.ends {
		for _, e := range ends {
			for _, o := range e.Ports {
				if err := holder(o, fmt.Sprintf("container %s (%.12s)", e.Name, e.ContainerID)); err != nil {
					return err
				}
			}
		}
	}
	return bindable(b)
}

// bindable asks the kernel whether some process of the host holds the port.
func bindable(b PortBinding) error {
	p := protocols[b.Proto]
	domain := unix.AF_INET
	var addr unix.Sockaddr
	if b.HostIP.Is4() {
		addr = &unix.SockaddrInet4{Port: int(b.HostPort), Addr: b.HostIP.As4()}
	} else {
		domain, addr = unix.AF_INET6, &unix.SockaddrInet6{Port: int(b.HostPort), Addr: b.HostIP.As16()}
	}
	fd, err := unix.Socket(domain, p.typ|unix.SOCK_CLOEXEC, p.proto)
	if err != nil {
		if errors.Is(err, unix.EPROTONOSUPPORT) {
			return fmt.Errorf("publish port %d/%s: this kernel has no %s: %w", b.HostPort, b.Proto, b.Proto, errdefs.ErrNotImplemented)
		}
		return fmt.Errorf("open a %s socket: %w", b.Proto, err)
	}
	defer unix.Close(fd)
	if b.Proto == "tcp" { // else a connection in TIME_WAIT would count as a holder
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return fmt.Errorf("set SO_REUSEADDR: %w", err)
		}
	}
	if domain == unix.AF_INET6 { // the IPv4 side is a binding of its own
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return fmt.Errorf("set IPV6_V6ONLY: %w", err)
		}
	}
	if err := unix.Bind(fd, addr); err != nil {
		var kind error = errdefs.ErrConflict
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			kind = errdefs.ErrInvalidArgument
		}
		//lint:ignore ST1005 the words are docker's, and tools look for them
		return fmt.Errorf("Bind for %s failed: %w: %w", netip.AddrPortFrom(b.HostIP, b.HostPort), err, kind)
	}
	return nil
}
