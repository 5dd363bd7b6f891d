package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"berth/engine/network/dns"
)

// Forwarder is a name server that is asked for what no neighbour is called.
type Forwarder struct {
	Addr netip.AddrPort
	// Host: it is asked from the host's network, such as a server on the host's loopback, and
	// only while something leads out of the container. Others are asked from the container's own
	// network, as if the container asked itself: on an internal one, who is there can be asked.
	Host bool
}

// Forwarders are those that the container may ask now.
func (v *view) Forwarders() []dns.Forwarder {
	v.m.mu.Lock()
	ends := v.m.ends[v.container]
	out := gateway(ends, false) != nil || gateway(ends, true) != nil
	v.m.mu.Unlock()
	var all []dns.Forwarder
	for _, f := range v.forwarders {
		switch {
		case f.Host && out:
			all = append(all, dns.Forwarder{Addr: f.Addr, Dial: dialHost})
		case !f.Host:
			all = append(all, dns.Forwarder{Addr: f.Addr, Dial: v.dialInside})
		}
	}
	return all
}

// asked are forwarders without the container's name server itself, which would ask itself for ever.
func asked(forwarders []Forwarder) []Forwarder {
	return slices.DeleteFunc(slices.Clone(forwarders), func(f Forwarder) bool { return !f.Host && f.Addr.Addr().Unmap() == Resolver })
}

func dialHost(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, to.String())
}

// dialInside is dialHost from the container's namespace. Only the making of the socket happens
// there: while its connection is awaited no thread is kept.
func (v *view) dialInside(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	kind := unix.SOCK_DGRAM
	if network == "tcp" {
		kind = unix.SOCK_STREAM
	}
	addr := net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
	var sa unix.Sockaddr
	domain := unix.AF_INET
	if ip := addr.IP.To4(); ip != nil {
		sa = &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(ip)}
	} else {
		domain, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: addr.Port, Addr: to.Addr().As16()}
	}
	fd, err := v.socketInside(domain, kind)
	if err != nil {
		return nil, fmt.Errorf("open a socket in the container's namespace: %w", err)
	}
	f := os.NewFile(uintptr(fd), network+" "+to.String())
	defer f.Close()
	if err := connect(ctx, f, sa); err != nil {
		return nil, fmt.Errorf("connect to %s from the container's namespace: %w", to, err)
	}
	return net.FileConn(f)
}

// socketInside makes a socket in the namespace of the container, which the sockets of its name
// server tell: nothing else has to be kept open for that.
func (v *view) socketInside(domain, kind int) (fd int, err error) {
	ns := -1
	if cerr := v.inside.Control(func(fd uintptr) { ns, err = unix.IoctlRetInt(int(fd), unix.SIOCGSKNS) }); cerr != nil {
		return -1, cerr
	}
	if err != nil {
		return -1, err
	}
	defer unix.Close(ns)
	runtime.LockOSThread()
	own, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return -1, err
	}
	defer own.Close()
	if err = unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return -1, err
	}
	fd, err = unix.Socket(domain, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if back := unix.Setns(int(own), unix.CLONE_NEWNET); back != nil {
		// Still locked: the thread ends with this goroutine, and no other one gets into the namespace.
		if err == nil {
			unix.Close(fd)
		}
		return -1, errors.Join(err, back)
	}
	runtime.UnlockOSThread()
	return fd, err
}

// connect waits for a socket that does not block to be connected.
func connect(ctx context.Context, f *os.File, sa unix.Sockaddr) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { f.SetDeadline(time.Now()) })()
	first := true
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		if first {
			first = false
			failed = unix.Connect(int(fd), sa)
			return !errors.Is(failed, unix.EINPROGRESS)
		}
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = syscall.Errno(code)
		}
		failed = err
		if _, none := unix.Getpeername(int(fd)); failed == nil && none != nil {
			return false // woken for nothing
		}
		return true
	})
	return errors.Join(err, failed)
}
