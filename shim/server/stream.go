package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// connectTime is how long a container may take to answer a new connection.
const connectTime = 30 * time.Second

// serveStreams passes on the connections that arrive at a port, until the port is given
// back.
func (s *shim) serveStreams(f *forward) {
	raw, err := f.socket.SyscallConn()
	if err != nil {
		fmt.Fprintln(os.Stderr, "berth-shim: port", f.Name+":", err)
		return
	}
	for {
		fd := -1
		if raw.Read(func(l uintptr) bool {
			s.gate.RLock() // until the connection is counted
			fd, _, err = unix.Accept4(int(l), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			if err == unix.EAGAIN {
				s.gate.RUnlock()
			}
			return err != unix.EAGAIN
		}) != nil {
			return // given back
		}
		if err != nil {
			s.gate.RUnlock()
			if err != unix.EINTR && err != unix.ECONNABORTED {
				time.Sleep(50 * time.Millisecond) // out of descriptors or memory: connections wait in the backlog
			}
			continue
		}
		target := s.begin(f)
		s.gate.RUnlock()
		s.slots.take()
		go func() {
			defer s.done()
			defer s.slots.give()
			passStream(os.NewFile(uintptr(fd), "session"), int(f.Proto), target)
		}()
	}
}

// slots bounds what goes on at once. The zero value is ready.
type slots struct {
	mu   sync.Mutex
	cond *sync.Cond
	used int
}

func (s *slots) take() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cond == nil {
		s.cond = sync.NewCond(&s.mu)
	}
	for s.used >= maxSessions {
		s.cond.Wait()
	}
	s.used++
}

// try takes a slot if there is one.
func (s *slots) try() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= maxSessions {
		return false
	}
	s.used++
	return true
}

func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	if s.cond != nil {
		s.cond.Signal()
	}
}

// passStream passes a connection on to target until both sides have ended. The end of
// one direction is the end of that direction alone; a failure is one of both, and each
// side sees a reset.
func passStream(client *os.File, proto int, target unix.Sockaddr) {
	defer client.Close()
	server, err := connect(unix.SOCK_STREAM, proto, target)
	if err == nil {
		defer server.Close()
		err = connected(server)
	}
	if err != nil {
		abort(client) // as if nobody listened
		return
	}
	for _, f := range []*os.File{client, server} {
		tune(f, proto)
	}
	move := splice
	if proto != unix.IPPROTO_TCP {
		move = shovel // what is not TCP has messages, and no splice
	}
	var both sync.WaitGroup
	pass := func(dst, src *os.File) {
		err := move(dst, src)
		if err == nil {
			err = control(dst, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) })
		}
		if err != nil {
			abort(dst)
			abort(src)
		}
	}
	both.Go(func() { pass(server, client) })
	pass(client, server)
	both.Wait()
}

// connected waits until a connection is made.
func connected(f *os.File) error {
	f.SetWriteDeadline(time.Now().Add(connectTime))
	defer f.SetWriteDeadline(time.Time{})
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = raw.Write(func(fd uintptr) bool {
		n, perr := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
		if n == 0 && perr == nil || perr == unix.EINTR {
			return false
		}
		code, gerr := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if failure = gerr; code != 0 {
			failure = unix.Errno(code)
		}
		return true
	})
	return errors.Join(err, failure)
}

// tune sets what the net package would: no delay for small pieces, and an end for peers
// that have vanished.
func tune(f *os.File, proto int) {
	control(f, func(fd int) error {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		if proto == unix.IPPROTO_TCP {
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15)
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15)
		}
		return nil
	})
}

// abort has a connection end in a reset once it is closed, and wakes who waits for it.
func abort(f *os.File) {
	control(f, func(fd int) error {
		return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	})
	f.SetDeadline(time.Unix(1, 0))
}

// control calls fn with the descriptor of f, which stays under the poller.
func control(f *os.File, fn func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { err = fn(int(fd)) })
	return errors.Join(cerr, err)
}

// pipeSize is how much is moved at once.
const pipeSize = 256 << 10

// splice moves all that comes from src to dst, within the kernel.
func splice(dst, src *os.File) error {
	from, err := src.SyscallConn()
	if err != nil {
		return err
	}
	to, err := dst.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var p [2]int // only while there is something in it: most connections are silent most of the time
		var n int64
		if cerr := from.Read(func(fd uintptr) bool {
			if p, err = pipes.get(); err != nil {
				return true
			}
			if n, err = spliceSome(int(fd), p[1], pipeSize); err == unix.EAGAIN || n == 0 {
				pipes.put(p)
			}
			return err != unix.EAGAIN
		}); cerr != nil {
			return cerr
		}
		if err != nil || n == 0 {
			return err
		}
		for n > 0 {
			var m int64
			cerr := to.Write(func(fd uintptr) bool {
				m, err = spliceSome(p[0], int(fd), int(n))
				return err != unix.EAGAIN
			})
			if err = errors.Join(cerr, err); err != nil {
				unix.Close(p[0])
				unix.Close(p[1])
				return err
			}
			n -= m
		}
		pipes.put(p)
	}
}

func spliceSome(from, to, n int) (int64, error) {
	for {
		m, err := unix.Splice(from, nil, to, nil, n, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		if err != unix.EINTR {
			return max(m, 0), err
		}
	}
}

// pipeStock has empty pipes for those who splice.
type pipeStock struct {
	mu   sync.Mutex
	free [][2]int
}

var pipes pipeStock

// get returns a pipe that nobody else uses.
func (s *pipeStock) get() (p [2]int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		p, s.free = s.free[n-1], s.free[:n-1]
		return p, nil
	}
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return p, err
	}
	unix.FcntlInt(uintptr(p[0]), unix.F_SETPIPE_SZ, pipeSize) // else it moves less at once
	return p, nil
}

// put takes an empty pipe back.
func (s *pipeStock) put(p [2]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < 4 {
		s.free = append(s.free, p)
		return
	}
	unix.Close(p[0])
	unix.Close(p[1])
}

// shovel moves all that comes from src to dst through this process.
func shovel(dst, src *os.File) error {
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return err
		}
	}
}
