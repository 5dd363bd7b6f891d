package shim

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"berth/shim/wire"
)

// A spare is a shim that was started before there is a container for it. The longest
// wait of a start is for the shim's process to come up; with a spare that is over when
// the configuration is ready.
//
// A spare is a shim that waits for its first message, and leaves when its socket ends: a
// killed engine leaves none. It is like one that is forked by Start but for what that one
// takes along: its name, which it writes over the placeholder among its arguments; its
// error log, which it gets with the message; and the mounts of the host, which a spare
// has as they were when it was forked, so one that is older than a mount is of no use.

// maxSpares bounds the spares of an engine, and spareTime how long one waits.
const (
	maxSpares = 8
	spareTime = 2 * time.Second
)

// child is a process that was started as a shim and has no configuration yet.
type child struct {
	conn       *wire.Conn
	pid, pidfd int
}

// spare is an entry of spares. The fields below ready are set when it is closed.
type spare struct {
	ready  chan struct{}
	child  *child // nil if it could not be started
	mounts int    // shows whether the host has mounted anything since
	expiry *time.Timer
}

// spares are those of an executable, the oldest first.
type spares struct {
	mu     sync.Mutex
	idle   []*spare
	closed bool
}

// Prepare starts a shim for a Start that will soon be. If that does not come the shim
// leaves after two seconds.
func (x Executable) Prepare() {
	s := &spare{ready: make(chan struct{})}
	if !x.spares.add(s) {
		return
	}
	if err := s.start(x); err != nil {
		x.spares.remove(s) // a Start meets the same error, and tells it
		close(s.ready)
		return
	}
	s.expiry = time.AfterFunc(spareTime, func() {
		if x.spares.remove(s) {
			s.end()
		}
	})
	close(s.ready)
}

func (p *spares) add(s *spare) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= maxSpares {
		return false
	}
	p.idle = append(p.idle, s)
	return true
}

// remove tells whether s was still there.
func (p *spares) remove(s *spare) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, o := range p.idle {
		if o == s {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			return true
		}
	}
	return false
}

// start forks the process.
func (s *spare) start(x Executable) error {
	// What changes from here on may be missing in the child's copy.
	// The poller of an os.File would be told of it first, and it is told once.
	mounts, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		unix.Close(mounts)
		return err
	}
	defer null.Close()
	c, err := x.fork(wire.NoID, null, nil)
	if err != nil {
		unix.Close(mounts)
		return err
	}
	s.child, s.mounts = c, mounts
	return nil
}

// take returns a spare for the container id, and nil if there is none that fits.
func (p *spares) take(id string) *child {
	if len(id) > len(wire.NoID) {
		return nil
	}
	for {
		p.mu.Lock()
		if len(p.idle) == 0 {
			p.mu.Unlock()
			return nil
		}
		s := p.idle[0]
		p.idle = p.idle[1:]
		p.mu.Unlock()
		<-s.ready // sooner than a fork that begins now
		if s.child == nil {
			continue
		}
		s.expiry.Stop()
		if !s.fresh() {
			s.end()
			continue
		}
		unix.Close(s.mounts)
		return s.child
	}
}

// fresh tells that the process lives and that its mounts are those of the host.
func (s *spare) fresh() bool {
	if s.child.pidfd < 0 { // no pidfds before Linux 5.3
		return false
	}
	// An open mountinfo polls POLLERR and POLLPRI once the mounts are others (proc(5)).
	fds := []unix.PollFd{{Fd: int32(s.child.pidfd), Events: unix.POLLIN}, {Fd: int32(s.mounts), Events: unix.POLLPRI}}
	n, err := unix.Poll(fds, 0)
	return n == 0 && err == nil
}

// end ends a spare that was taken out, and returns when it is gone.
func (s *spare) end() {
	unix.Close(s.mounts)
	s.child.conn.Close()
	unix.PidfdSendSignal(s.child.pidfd, unix.SIGKILL, nil, 0)
	reapChild(s.child.pidfd)
}

// close ends all spares; there will be no more.
func (p *spares) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, s := range idle {
		if <-s.ready; s.child != nil {
			s.expiry.Stop()
			s.end()
		}
	}
}
