package server

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/shim/wire"
)

const (
	// maxPeers bounds the connections that are served at once.
	maxPeers = 1024
	// leaveGrace is how long a shim that is about to leave waits for requests that are
	// being answered.
	leaveGrace = 2 * time.Second
	// frameTime is how long a client may take to send a request or to take a reply.
	frameTime = 10 * time.Second
)

// errNoTerminal is the kind of a resize without a terminal.
var errNoTerminal = errdefs.ErrFailedPrecondition

// listen makes the shim's socket. The address goes through a descriptor of the
// directory, for it ends at 107 bytes.
func listen(dir string) (*os.File, error) {
	wrap := func(err error) error { return fmt.Errorf("listen in %s: %w", dir, err) }
	dirfd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, wrap(err)
	}
	defer unix.Close(dirfd)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, wrap(err)
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(dirfd) + "/" + wire.SocketName})
	if err == nil {
		err = unix.Listen(fd, 256)
	}
	if err != nil {
		unix.Close(fd)
		return nil, wrap(err)
	}
	return os.NewFile(uintptr(fd), "listener"), nil
}

// accept serves every client that connects.
func (s *shim) accept() {
	raw, err := s.listen.SyscallConn()
	if err != nil {
		fmt.Fprintln(os.Stderr, "berth-shim: accept:", err)
		return
	}
	for {
		var fd int
		if cerr := raw.Read(func(l uintptr) bool {
			s.gate.RLock() // until the connection is entered
			fd, _, err = unix.Accept4(int(l), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			if err == unix.EAGAIN {
				s.gate.RUnlock()
			}
			return err != unix.EAGAIN
		}); cerr != nil {
			return // the listener was closed
		}
		switch err {
		case nil:
		case unix.EINTR, unix.ECONNABORTED:
			s.gate.RUnlock()
			continue
		default: // out of descriptors or memory: clients wait in the backlog until that passes
			s.gate.RUnlock()
			time.Sleep(50 * time.Millisecond)
			continue
		}
		conn, err := wire.NewConn(fd)
		if err == nil {
			s.welcome(&peer{conn: conn})
		}
		s.gate.RUnlock()
	}
}

// welcome serves p. There may be only so many at once.
func (s *shim) welcome(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peers >= maxPeers {
		p.conn.Close()
		return
	}
	s.peers++
	go s.serve(p)
}

// peer is a connected client of the protocol.
type peer struct {
	conn *wire.Conn
	mu   sync.Mutex // held while sending: replies to waiters come from elsewhere
}

// send is best effort: a client that is gone needs no reply.
func (p *peer) send(t wire.Type, body []byte, fds ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn.SetDeadline(time.Now().Add(frameTime))
	p.conn.Send(t, body, fds...)
	p.conn.SetDeadline(time.Time{})
}

// reply answers a request by its result.
func (p *peer) reply(err error) {
	if err != nil {
		p.send(wire.TypeError, wire.EncodeError(err))
		return
	}
	p.send(wire.TypeOK, nil)
}

// give answers a request for a descriptor, which is closed here.
func (p *peer) give(f *os.File, err error) {
	if err != nil {
		p.reply(err)
		return
	}
	defer f.Close()
	p.send(wire.TypeOK, nil, int(f.Fd()))
}

// serve answers the requests of one connection until it ends or breaks the protocol.
func (s *shim) serve(p *peer) {
	defer p.conn.Close()
	defer s.forget(p)
	if cred, err := p.conn.Peer(); err != nil || cred.Uid != 0 && int(cred.Uid) != os.Geteuid() {
		p.reply(fmt.Errorf("ask shim of %s: %w", s.cfg.ID, errdefs.ErrPermissionDenied))
		return
	}
	for p.conn.WaitReadable() == nil && s.answer(p) {
	}
}

// answer receives and answers one request. It returns false when there is none.
func (s *shim) answer(p *peer) bool {
	s.gate.RLock()
	defer s.gate.RUnlock()
	p.conn.SetDeadline(time.Now().Add(frameTime)) // for the rest of the request
	m, err := p.conn.Recv()
	p.conn.SetDeadline(time.Time{})
	if err != nil || !s.enter() {
		m.CloseFDs()
		return false
	}
	defer s.exit()
	defer m.CloseFDs()
	s.handle(p, &m)
	return true
}

// forget drops a peer that may be waiting.
func (s *shim) forget(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers--
	s.idle.again()
	delete(s.waiters, p)
	for _, x := range s.execs {
		delete(x.waiters, p)
	}
}

// enter and exit frame a request: the shim does not leave before its reply is sent.
func (s *shim) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving {
		return false
	}
	s.inside++
	return true
}

func (s *shim) exit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside--
	if s.inside == 0 && s.leaving {
		close(s.empty)
	}
}

// leave ends the service.
func (s *shim) leave() {
	s.mu.Lock()
	s.leaving = true
	busy := s.inside > 0
	s.mu.Unlock()
	if busy {
		select {
		case <-s.empty:
		case <-time.After(leaveGrace):
		}
	}
}

// handle answers one request. What it does not take of m's descriptors is closed by the
// caller.
func (s *shim) handle(p *peer, m *wire.Message) {
	switch m.Type {
	case wire.TypeInfo:
		info := s.info()
		p.send(wire.TypeInfoReply, info.Encode())
	case wire.TypeStart:
		p.reply(s.start())
	case wire.TypeKill, wire.TypeExecKill:
		sig, err := wire.DecodeSignal(m.Body)
		if err == nil {
			err = s.kill(sig)
		}
		p.reply(err)
	case wire.TypePause:
		p.reply(s.pause())
	case wire.TypeResume:
		p.reply(s.resume())
	case wire.TypeResize, wire.TypeExecResize:
		size, err := wire.DecodeSize(m.Body)
		if err == nil {
			err = s.resize(size)
		}
		p.reply(err)
	case wire.TypeAttach:
		p.attach(s, m)
	case wire.TypeExec:
		p.exec(s, m)
	case wire.TypeExecWait:
		id, err := wire.DecodeID(m.Body)
		if err == nil {
			err = s.waitExec(p, id)
		}
		if err != nil {
			p.reply(err)
		}
	case wire.TypeWait:
		s.waitExit(p)
	case wire.TypeRoot:
		p.give(s.root())
	case wire.TypeNetNS:
		p.give(s.netNS())
	case wire.TypeTree:
		path, err := wire.DecodeID(m.Body)
		if err != nil {
			p.reply(err)
			return
		}
		p.give(s.tree(path))
	case wire.TypeKeep:
		name, err := wire.DecodeID(m.Body)
		if err == nil {
			err = s.keep(name, m)
		}
		p.reply(err)
	case wire.TypeKept:
		name, err := wire.DecodeID(m.Body)
		var fds []int
		if err == nil {
			fds, err = s.getKept(name)
		}
		if err != nil {
			p.reply(err)
			return
		}
		p.send(wire.TypeOK, nil, fds...)
		closeFDs(fds)
	case wire.TypeForward:
		p.reply(s.setForwards(m))
	case wire.TypeForwards:
		p.send(wire.TypeForwarded, wire.EncodeForwards(s.listForwards()))
	default:
		p.reply(fmt.Errorf("message type %d: %w", m.Type, errdefs.ErrNotImplemented))
	}
	switch m.Type {
	case wire.TypeStart, wire.TypeKill, wire.TypePause, wire.TypeResume, wire.TypeAttach, wire.TypeExec, wire.TypeForward:
		s.idle.touch() // the others need next to no memory
	}
}
