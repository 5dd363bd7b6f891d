package server

import (
	"fmt"
	"os"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/shim/wire"
)

// A container's published ports are held by sockets of its shim, so that they are its
// own as long as it lives. Rules of the kernel lead most of what is sent to such a port
// to the container and past the socket. What they cannot translate arrives at it: a
// connection to ::1, or over IPv6 to a container that has none. That the shim passes on
// itself, as docker-proxy does.

const (
	// maxForwards bounds the ports of a container.
	maxForwards = 8192
	// maxSessions bounds the connections, and the clients of datagram ports, that are
	// served at once; more connections wait, more clients are not heard.
	maxSessions = 1024
)

// forward is a port that the shim holds.
type forward struct {
	wire.Forward
	socket *os.File // listens, or is bound
}

// setForwards takes, changes and gives back ports.
func (s *shim) setForwards(m *wire.Message) error {
	list, err := wire.DecodeForwards(m.Body)
	if err != nil {
		return err
	}
	sockets := 0
	for _, f := range list {
		if f.Socket {
			sockets++
		}
	}
	if sockets != len(m.FDs) {
		return fmt.Errorf("hold ports of container %s: %d sockets came for %d ports: %w", s.cfg.ID, len(m.FDs), sockets, errdefs.ErrInvalidArgument)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == wire.StatusStopped {
		return s.wrong("hold ports of")
	}
	if len(s.forwards)+sockets > maxForwards {
		return fmt.Errorf("hold ports of container %s: more than %d: %w", s.cfg.ID, maxForwards, errdefs.ErrResourceExhausted)
	}
	for _, f := range list {
		held := s.forwards[f.Name]
		switch {
		case f.Socket:
			fd := m.FDs[0]
			m.FDs = m.FDs[1:]
			if held != nil {
				held.socket.Close()
			}
			if err := unix.SetNonblock(fd, true); err != nil {
				unix.Close(fd)
				return fmt.Errorf("hold port %s of container %s: %w", f.Name, s.cfg.ID, err)
			}
			s.hold(f, os.NewFile(uintptr(fd), f.Name))
		case len(f.Addr) == 0 && held != nil:
			held.socket.Close()
			delete(s.forwards, f.Name)
		case held != nil:
			held.Addr, held.Port = f.Addr, f.Port
		case len(f.Addr) > 0:
			return fmt.Errorf("lead port %s of container %s elsewhere: %w", f.Name, s.cfg.ID, errdefs.ErrNotFound)
		}
	}
	return nil
}

// hold serves what arrives at a port. s.mu is held, or s not known to anybody yet.
func (s *shim) hold(w wire.Forward, socket *os.File) {
	w.Socket = false
	f := &forward{Forward: w, socket: socket}
	if s.forwards == nil {
		s.forwards = map[string]*forward{}
	}
	s.forwards[w.Name] = f
	if w.Proto == unix.IPPROTO_UDP {
		go s.serveDatagrams(f)
	} else {
		go s.serveStreams(f)
	}
}

// listForwards tells which ports are held.
func (s *shim) listForwards() []wire.Forward {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]wire.Forward, 0, len(s.forwards))
	for _, f := range s.forwards {
		list = append(list, f.Forward)
	}
	return list
}

// dropForwards gives all ports back: the container has ended.
func (s *shim) dropForwards() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.forwards {
		f.socket.Close()
	}
	s.forwards = nil
}

// begin counts one more session and returns where it goes to.
func (s *shim) begin(f *forward) unix.Sockaddr {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions++
	return sockaddr(f.Addr, f.Port)
}

// done counts one session less, and lets the memory go that it needed.
func (s *shim) done() {
	s.mu.Lock()
	s.sessions--
	s.mu.Unlock()
	s.idle.touch()
}

// sockaddr is an address of 4 or 16 bytes with a port.
func sockaddr(addr []byte, port uint16) unix.Sockaddr {
	if len(addr) == 4 {
		return &unix.SockaddrInet4{Addr: [4]byte(addr), Port: int(port)}
	}
	return &unix.SockaddrInet6{Addr: [16]byte(addr), Port: int(port)}
}

// connect makes a socket that is on its way to addr. A stream is connected once it can
// be written to and connected says nil.
func connect(typ, proto int, addr unix.Sockaddr) (*os.File, error) {
	domain := unix.AF_INET
	if _, six := addr.(*unix.SockaddrInet6); six {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, addr); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "session"), nil
}
