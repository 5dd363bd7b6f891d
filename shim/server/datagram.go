package server

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// silence is how long a client of a datagram port may be silent, and its container with
// it, before its session ends: docker-proxy's and the kernel's own measure for answered
// traffic is 90 and 120 seconds.
const silence = 90 * time.Second

// peerAddr is the address of a client in a form that can be a key.
type peerAddr struct {
	addr [16]byte
	port uint16
	zone uint32
	four bool
}

func keyOf(from unix.Sockaddr) (k peerAddr) {
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		copy(k.addr[:], a.Addr[:])
		k.port, k.four = uint16(a.Port), true
	case *unix.SockaddrInet6:
		k.addr, k.port, k.zone = a.Addr, uint16(a.Port), a.ZoneId
	}
	return k
}

// datagrams are the sessions of one port: each client is seen by the container at a
// port of its own, so that what comes back finds it.
type datagrams struct {
	s       *shim
	f       *forward
	mu      sync.Mutex
	clients map[peerAddr]*session
}

// session is one client of a datagram port.
type session struct {
	server *os.File
	client unix.Sockaddr
	local  []byte // control message that has answers come from the address that was asked
	heard  atomic.Bool
}

// serveDatagrams passes on what arrives at a port, until the port is given back.
func (s *shim) serveDatagrams(f *forward) {
	raw, err := f.socket.SyscallConn()
	if err != nil {
		fmt.Fprintln(os.Stderr, "berth-shim: port", f.Name+":", err)
		return
	}
	d := &datagrams{s: s, f: f, clients: map[peerAddr]*session{}}
	defer d.end()
	control(f.socket, func(fd int) error { // without, answers come from any address of the host
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	})
	var buf []byte
	oob := make([]byte, 128)
	for {
		var n, on int
		var from unix.Sockaddr
		if raw.Read(func(fd uintptr) bool {
			s.gate.RLock() // until it is passed on
			if buf, err = roomFor(int(fd), buf); err == nil {
				n, on, _, from, err = unix.Recvmsg(int(fd), buf, oob, 0)
			}
			if err == unix.EAGAIN {
				s.gate.RUnlock()
			}
			return err != unix.EAGAIN
		}) != nil {
			return // given back
		}
		if err == nil && from != nil {
			d.pass(from, buf[:n], oob[:on])
		}
		s.gate.RUnlock() // an error concerns one datagram that was sent
	}
}

// pass sends a client's datagram to the container.
func (d *datagrams) pass(from unix.Sockaddr, data, oob []byte) {
	k := keyOf(from)
	d.mu.Lock()
	x := d.clients[k]
	d.mu.Unlock()
	if x == nil {
		if !d.s.slots.try() {
			return
		}
		server, err := connect(unix.SOCK_DGRAM, int(d.f.Proto), d.s.begin(d.f))
		if err != nil {
			d.s.slots.give()
			d.s.done()
			return
		}
		x = &session{server: server, client: from, local: replyFrom(oob)}
		d.mu.Lock()
		d.clients[k] = x
		d.mu.Unlock()
		x.server.SetReadDeadline(time.Now().Add(silence))
		go d.answer(k, x)
	}
	x.heard.Store(true)
	control(x.server, func(fd int) error { // lost if there is no room, as datagrams are
		return unix.Sendmsg(fd, data, nil, nil, unix.MSG_NOSIGNAL)
	})
}

// roomFor returns buf, or a larger one that the next datagram fits. A port that nobody
// sends to has none.
func roomFor(fd int, buf []byte) ([]byte, error) {
	n, _, err := unix.Recvfrom(fd, nil, unix.MSG_PEEK|unix.MSG_TRUNC)
	if err == nil && n > len(buf) {
		buf = make([]byte, max(n, 2<<10))
	}
	return buf, err
}

// answer passes on what the container sends to a client, until both are silent.
func (d *datagrams) answer(k peerAddr, x *session) {
	defer d.s.done()
	defer d.s.slots.give()
	defer x.server.Close()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.clients, k)
	}()
	from, err := x.server.SyscallConn()
	if err != nil {
		return
	}
	var buf []byte
	for {
		n := 0
		if from.Read(func(fd uintptr) bool {
			if buf, err = roomFor(int(fd), buf); err == nil {
				n, _, err = unix.Recvfrom(int(fd), buf, 0)
			}
			return err != unix.EAGAIN
		}) != nil { // silence, or the end of the port
			if !x.heard.Swap(false) {
				return
			}
			x.server.SetReadDeadline(time.Now().Add(silence))
			continue
		}
		if err != nil {
			continue // a signal; or nobody listens in the container yet
		}
		x.heard.Store(true)
		control(d.f.socket, func(fd int) error { return unix.Sendmsg(fd, buf[:n], x.local, x.client, unix.MSG_NOSIGNAL) })
	}
}

// end ends all sessions.
func (d *datagrams) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.clients {
		x.heard.Store(false)
		x.server.SetReadDeadline(time.Unix(1, 0))
	}
}

// replyFrom makes the control message of an answer out of that of a question. The
// device is left to the routes, but for an address that means nothing without.
func replyFrom(oob []byte) []byte {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range msgs {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= unix.SizeofInet4Pktinfo:
			return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: [4]byte(m.Data[4:8])})
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			info := &unix.Inet6Pktinfo{Addr: [16]byte(m.Data[:16])}
			if m.Data[0] == 0xfe && m.Data[1]&0xc0 == 0x80 { // fe80::/10
				info.Ifindex = uint32(m.Data[16]) | uint32(m.Data[17])<<8 | uint32(m.Data[18])<<16 | uint32(m.Data[19])<<24
			}
			return unix.PktInfo6(info)
		}
	}
	return nil
}
