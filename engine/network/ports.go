package network

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"

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

	socket *os.File // reserves the port until a Holder does
}

// choosePorts reserves every wanted host port by a socket that is bound to it, and
// fills in those left to us; where the network is routed there is none. Where no host address is given there is a binding for
// each address family. On an error nothing is reserved.
func (m *Manager) choosePorts(n *Network, e *Endpoint, want []PortBinding) (out []PortBinding, err error) {
	defer func() {
		if err != nil {
			closePorts(out)
			out = nil
			err = fmt.Errorf("driver failed programming external connectivity on endpoint %s (%s): %w", e.Name, e.ID, err)
		}
	}()
	for _, b := range want {
		if _, ok := protocols[b.Proto]; !ok {
			return out, fmt.Errorf("publish port %d/%s: unknown protocol, want tcp, udp or sctp: %w", b.ContainerPort, b.Proto, errdefs.ErrInvalidArgument)
		}
		both := hostAddresses(n, e, b)
		direct := func(b PortBinding) bool { return n.mode(b.HostIP.Is6()) == Routed }
		for _, b := range slices.DeleteFunc(slices.Clone(both), func(b PortBinding) bool { return !direct(b) }) {
			b.HostPort, b.HostPortEnd = 0, 0
			out = append(out, b)
		}
		if both = slices.DeleteFunc(both, direct); len(both) == 0 {
			continue
		}
		if both, err = m.choosePort(both, b.HostIP.IsValid(), append(out, e.Ports...)); err != nil {
			return out, err
		}
		out = append(out, both...)
	}
	return out, nil
}

// closePorts gives up what choosePorts reserved, or what a Holder has taken over.
func closePorts(ports []PortBinding) {
	for i := range ports {
		if ports[i].socket != nil {
			ports[i].socket.Close()
			ports[i].socket = nil
		}
	}
}

// hostAddresses is b once for each host address that it stands for.
func hostAddresses(n *Network, e *Endpoint, b PortBinding) []PortBinding {
	if !b.HostIP.IsValid() && n.HostBinding.IsValid() && !n.HostBinding.IsUnspecified() {
		b.HostIP = n.HostBinding
	}
	if b.HostIP.IsValid() {
		b.HostIP = b.HostIP.Unmap()
		return []PortBinding{b}
	}
	four, six := b, b
	four.HostIP, six.HostIP = netip.IPv4Unspecified(), netip.IPv6Unspecified()
	if n.mode(false) == Routed && e.IP.IsValid() && !e.IP6.IsValid() { // the host passes nothing on, either
		return []PortBinding{four}
	}
	if !e.IP.IsValid() { // nothing of IPv4 leads to it, as with docker
		return []PortBinding{six}
	}
	return []PortBinding{four, six}
}

// choosePort gives all of bs, which are one port on several addresses, the same host
// port, and reserves it. If it is not named where, a host without IPv6 has the port
// for IPv4 alone.
func (m *Manager) choosePort(bs []PortBinding, named bool, own []PortBinding) ([]PortBinding, error) {
	var err error
	try := func(p int) (out []PortBinding, ok bool) {
		for _, b := range bs {
			b.HostPort, b.HostPortEnd = uint16(p), 0
			b.socket, err = bind(b)
			if !named && len(out) > 0 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
				err = nil
				continue
			}
			if err != nil {
				closePorts(out)
				return nil, false
			}
			out = append(out, b)
		}
		return out, true
	}
	first, last := int(bs[0].HostPort), int(max(bs[0].HostPort, bs[0].HostPortEnd))
	next := first
	if first == 0 {
		if first, last, err = m.localPorts(); err != nil {
			return nil, err
		}
		// One after the other, as docker does: who had one before may still be asked at it.
		if next = m.nextPort; next < first || next > last {
			next = first
		}
	}
	for range last - first + 1 {
		p := next
		if next++; next > last {
			next = first
		}
		if out, ok := try(p); ok {
			if bs[0].HostPort == 0 {
				m.nextPort = next
			}
			return out, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) && !errors.Is(err, unix.EACCES) { // no other port will do
			break
		}
	}
	if first != last && errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("publish port %d/%s: all host ports from %d to %d are allocated: %w", bs[0].ContainerPort, bs[0].Proto, first, last, errdefs.ErrInternal)
	}
	return nil, m.explain(bs, uint16(first), err, own)
}

// localPorts is the range that the host chooses ports from, and docker too. The file
// stays open: looking it up takes longer the more network namespaces there are (see
// procfs.New). m.mu is held.
func (m *Manager) localPorts() (first, last int, err error) {
	const file = "/proc/sys/net/ipv4/ip_local_port_range"
	if m.portRange == nil {
		m.portRange, err = os.Open(file)
	}
	buf := make([]byte, 64) // read at once: the kernel gives no later part of it
	if err == nil {
		var n int
		if n, err = m.portRange.ReadAt(buf, 0); errors.Is(err, io.EOF) {
			_, err = fmt.Sscan(string(buf[:n]), &first, &last)
		}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read the range of ports to choose from, %s: %w", file, err)
	}
	return first, last, nil
}

// bind makes a socket that has the host port of b to itself.
func bind(b PortBinding) (*os.File, error) {
	p := protocols[b.Proto]
	domain := unix.AF_INET
	var addr unix.Sockaddr
	if b.HostIP.Is4() {
		addr = &unix.SockaddrInet4{Port: int(b.HostPort), Addr: b.HostIP.As4()}
	} else {
		domain, addr = unix.AF_INET6, &unix.SockaddrInet6{Port: int(b.HostPort), Addr: b.HostIP.As16()}
	}
	fd, err := unix.Socket(domain, p.typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, p.proto)
	if err != nil {
		if errors.Is(err, unix.EPROTONOSUPPORT) {
			return nil, fmt.Errorf("publish port %d/%s: this kernel has no %s: %w", b.HostPort, b.Proto, b.Proto, errdefs.ErrNotImplemented)
		}
		return nil, fmt.Errorf("open a %s socket: %w", b.Proto, err)
	}
	f := os.NewFile(uintptr(fd), fmt.Sprintf("%s %s", b.Proto, netip.AddrPortFrom(b.HostIP, b.HostPort)))
	set := func(level, option int) {
		if err == nil {
			err = unix.SetsockoptInt(fd, level, option, 1)
		}
	}
	if p.typ == unix.SOCK_STREAM { // else a connection in TIME_WAIT would count as a holder
		set(unix.SOL_SOCKET, unix.SO_REUSEADDR)
	}
	if domain == unix.AF_INET6 { // the IPv4 side is a binding of its own
		set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	}
	if err == nil {
		err = unix.Bind(fd, addr)
	}
	// Two sockets may be bound to one port that nobody listens at.
	if err == nil && p.typ == unix.SOCK_STREAM {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
