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

// choosePorts checks that every wanted host port is free, among our endpoints
// and on the host, and fills in those left to us.
func (m *Manager) choosePorts(want []PortBinding) ([]PortBinding, error) {
	var out []PortBinding
	for _, b := range want {
		if _, ok := protocols[b.Proto]; !ok {
			return nil, fmt.Errorf("publish port %d/%s: unknown protocol, want tcp, udp or sctp: %w", b.ContainerPort, b.Proto, errdefs.ErrInvalidArgument)
		}
		if !b.HostIP.IsValid() {
			b.HostIP = netip.IPv4Unspecified()
		}
		if !b.HostIP.Is4() {
			return nil, fmt.Errorf("publish port %d/%s on %s: only IPv4 host addresses can be published: %w", b.ContainerPort, b.Proto, b.HostIP, errdefs.ErrNotImplemented)
		}
		if b.HostPort == 0 {
			port, err := m.anyPort(b, out)
			if err != nil {
				return nil, err
			}
			b.HostPort = port
		} else if err := m.portFree(b, out); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// anyPort returns a free port of the ephemeral range Docker uses.
func (m *Manager) anyPort(b PortBinding, own []PortBinding) (uint16, error) {
	var err error
	for p := uint16(49153); p != 0; p++ { // wraps after 65535
		b.HostPort = p
		if err = m.portFree(b, own); err == nil {
			return p, nil
		}
	}
	return 0, fmt.Errorf("publish port %d/%s: no host port from 49153 to 65535 is free; the last answer was: %w", b.ContainerPort, b.Proto, err)
}

func (m *Manager) portFree(b PortBinding, own []PortBinding) error {
	holder := func(o PortBinding, who string) error {
		same := o.HostIP == b.HostIP || o.HostIP.IsUnspecified() || b.HostIP.IsUnspecified()
		if o.Proto == b.Proto && o.HostPort == b.HostPort && same {
			//lint:ignore ST1005 the words are docker's, and tools look for them
			return fmt.Errorf("Bind for %s:%d failed: port is already allocated by %s: %w", b.HostIP, b.HostPort, who, errdefs.ErrConflict)
		}
		return nil
	}
	for _, o := range own {
		if err := holder(o, "this container"); err != nil {
			return err
		}
	}
	for id, e := range m.ends {
		for _, o := range e.Ports {
			if err := holder(o, "container "+id[:min(12, len(id))]); err != nil {
				return err
			}
		}
	}
	return bindable(b)
}

// bindable asks the kernel whether some process of the host holds the port.
func bindable(b PortBinding) error {
	p := protocols[b.Proto]
	fd, err := unix.Socket(unix.AF_INET, p.typ|unix.SOCK_CLOEXEC, p.proto)
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
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(b.HostPort), Addr: b.HostIP.As4()}); err != nil {
		var kind error = errdefs.ErrConflict
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			kind = errdefs.ErrInvalidArgument
		}
		//lint:ignore ST1005 the words are docker's, and tools look for them
		return fmt.Errorf("Bind for %s:%d failed: %w: %w", b.HostIP, b.HostPort, err, kind)
	}
	return nil
}
