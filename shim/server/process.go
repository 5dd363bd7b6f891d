package server

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"berth/shim/jsonlog"
	"berth/shim/wire"
)

// How long outputs are waited for after their process ended. They end with it, unless a
// process outside the container, or a child that an exec left behind, still holds them;
// docker waits two seconds for such an exec.
const (
	drainSoon  = 50 * time.Millisecond
	drainGrace = 2 * time.Second
	drainBytes = 4 << 20
)

// process is the container's first process or an exec, with its terminal or pipes.
type process struct {
	id   string
	tty  bool
	rt   child
	out  *output
	gate *sync.RWMutex // held for reading between taking something from the kernel and having dealt with it

	stdin           *os.File // nil without one; the terminal itself on a tty
	closeStdinAtEOF bool     // the end of a client's input ends the process's
	console         *os.File // where the runtime sends the terminal
	sources         []source
	readers         sync.WaitGroup

	started time.Time
	failure error

	// Of execs only, under shim.mu.
	over    bool // the process ended
	ready   bool // and exit is known
	exit    wire.Exit
	waiters map[*peer]struct{}
	done    chan struct{} // closed when exit is known
}

// child is a process that this one is the parent of.
type child interface {
	PID() int
	PidFD() *os.File
	Wait() (unix.WaitStatus, error)
	Signal(unix.Signal) error
}

// source is one output of a process.
type source struct {
	f      *os.File
	stream jsonlog.Stream
}

// childEnds are the ends that the process gets.
type childEnds struct{ stdin, stdout, stderr, console *os.File }

func (c *childEnds) close() {
	for _, f := range []*os.File{c.stdin, c.stdout, c.stderr, c.console} {
		if f != nil {
			f.Close()
		}
	}
}

func (s *shim) newProcess(id string, tty bool, log logWriter) *process {
	return &process{id: id, tty: tty, out: &output{log: log, idle: &s.idle}, gate: &s.gate, done: make(chan struct{})}
}

// makeStdio makes the terminal's socket or the pipes of a process.
func (p *process) makeStdio(openStdin bool) (child *childEnds, err error) {
	child = &childEnds{}
	defer func() {
		if err != nil {
			p.abandon()
			child.close()
			err = fmt.Errorf("make stdio of %s: %w", p.id, err)
		}
	}()
	if p.tty {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return child, err
		}
		p.console, child.console = os.NewFile(uintptr(fds[0]), "console"), os.NewFile(uintptr(fds[1]), "console")
		return child, nil
	}
	if openStdin {
		var w *os.File
		if child.stdin, w, err = pipe(); err != nil {
			return child, err
		}
		if p.stdin, err = pollable(w); err != nil {
			return child, err
		}
	}
	for _, s := range []struct {
		end    **os.File
		stream jsonlog.Stream
	}{{&child.stdout, jsonlog.Stdout}, {&child.stderr, jsonlog.Stderr}} {
		var r *os.File
		if r, *s.end, err = pipe(); err != nil {
			return child, err
		}
		if r, err = pollable(r); err != nil {
			return child, err
		}
		p.sources = append(p.sources, source{r, s.stream})
	}
	return child, nil
}

// pipe makes a pipe of blocking ends, as a process expects its stdio.
func pipe() (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"), nil
}

// pollable makes f non-blocking and puts it under the poller. It takes f over.
func pollable(f *os.File) (*os.File, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// start takes the terminal and begins to read the outputs of a process that exists.
func (p *process) start(size [2]uint) error {
	if p.tty {
		ptmx, err := recvTerminal(p.console)
		p.console.Close()
		p.console = nil
		if err != nil {
			return fmt.Errorf("receive terminal of %s: %w", p.id, err)
		}
		p.stdin = ptmx
		p.sources = []source{{ptmx, jsonlog.Stdout}}
		if size != [2]uint{} {
			if err := p.resize(size[0], size[1]); err != nil {
				return err
			}
		}
	}
	p.readAll()
	return nil
}

// readAll begins to read the outputs.
func (p *process) readAll() {
	for _, s := range p.sources {
		p.readers.Go(func() { p.read(s) })
	}
}

// abandon closes the shim's ends of a process that did not come to be.
func (p *process) abandon() {
	if p.stdin != nil {
		p.stdin.Close()
	}
	if p.console != nil {
		p.console.Close()
	}
	for _, s := range p.sources {
		s.f.Close()
	}
}

// recvTerminal receives the descriptor of a pty's master on a blocking socket.
func recvTerminal(sock *os.File) (*os.File, error) {
	fd := int(sock.Fd())
	// The runtime has sent it by now.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		return nil, err
	}
	name, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	var oobn int
	for {
		var err error
		if _, oobn, _, _, err = unix.Recvmsg(fd, name, oob, unix.MSG_CMSG_CLOEXEC); err == nil {
			break
		}
		if err != unix.EINTR {
			return nil, err
		}
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, err
	}
	if len(msgs) != 1 {
		return nil, errors.New("no descriptor came")
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		return nil, err
	}
	return pollable(os.NewFile(uintptr(fds[0]), "terminal"))
}

// buffers are for output on its way. The collector takes them back when a process is
// quiet.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// gather is how long the output of a terminal is let come together after some was
// delivered. A program that writes line by line to a terminal wakes its reader for every
// line; what comes after a pause, such as the echo of a key, is not held back.
const gather = 500 * time.Microsecond

// read copies one output until it ends. A terminal ends with EIO.
func (p *process) read(s source) {
	defer p.out.streamEnded(s.stream)
	if !p.tty {
		defer s.f.Close()
	}
	raw, err := s.f.SyscallConn()
	if err != nil {
		return
	}
	var buf *[32 << 10]byte
	n := 0
	once := func(fd uintptr) bool {
		p.gate.RLock() // until what was read is delivered
		buf = buffers.Get().(*[32 << 10]byte)
		n, err = readSome(int(fd), buf[:], p.tty)
		if err == unix.EAGAIN {
			buffers.Put(buf)
			p.gate.RUnlock()
			return false
		}
		return true
	}
	deliver := func() {
		if n > 0 {
			p.out.write(s.stream, buf[:n])
		}
		buffers.Put(buf)
		p.gate.RUnlock()
	}
	var last time.Time
	for {
		if p.tty {
			time.Sleep(gather - time.Since(last)) // nothing is held that was read
		}
		if raw.Read(once) != nil {
			break // the deadline that drain sets
		}
		deliver()
		last = time.Now()
		if n <= 0 {
			return
		}
	}
	for left := drainBytes; left > 0; left -= n {
		ready := false
		if raw.Control(func(fd uintptr) { ready = once(fd) }) != nil || !ready {
			return
		}
		deliver()
		if n <= 0 {
			return
		}
	}
}

// readSome reads what there is into buf: a terminal gives no more than a page at once, so
// it is asked until it has no more. n is 0 or less at the end.
func readSome(fd int, buf []byte, tty bool) (n int, err error) {
	for {
		m, err := unix.Read(fd, buf[n:])
		switch {
		case err == unix.EINTR:
			continue
		case n > 0 && m <= 0:
			return n, nil // what err says comes again
		case !tty || m <= 0 || n+m == len(buf):
			return n + m, err
		}
		n += m
	}
}

// wait blocks until the process ended. From then on the gate is held: its exit status
// can be taken only once.
func (p *process) wait() wire.Exit {
	waitReadable(p.rt.PidFD())
	p.gate.RLock()
	exit := wire.Exit{ID: p.id, PID: p.rt.PID()}
	status, err := p.rt.Wait()
	exit.ExitedAt = time.Now().UTC()
	switch {
	case err != nil:
		exit.Status, exit.Error = 255, err.Error()
	case status.Signaled():
		exit.Signal = int(status.Signal())
		exit.Status = 128 + exit.Signal
	default:
		exit.Status = status.ExitStatus()
	}
	return exit
}

// drain reads what the ended process left in its outputs. From here on no client can
// hold it up. kill, if there is one, is called when the outputs do not end by
// themselves.
func (p *process) drain(kill func()) {
	p.out.lift()
	done := make(chan struct{})
	go func() {
		p.readers.Wait()
		close(done)
	}()
	grace := drainGrace
	select {
	case <-done:
	case <-time.After(drainSoon):
		if kill != nil {
			kill()
		}
		for _, s := range p.sources {
			s.f.SetReadDeadline(time.Now().Add(grace))
		}
		<-done
	}
	if p.stdin != nil {
		p.stdin.Close()
	}
}

// resize sets the size of the terminal.
func (p *process) resize(height, width uint) error {
	if !p.tty {
		return fmt.Errorf("resize terminal of %s: it has none: %w", p.id, errNoTerminal)
	}
	raw, err := p.stdin.SyscallConn()
	if err == nil {
		cerr := raw.Control(func(fd uintptr) {
			err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)})
		})
		err = errors.Join(cerr, err)
	}
	if err != nil {
		return fmt.Errorf("resize terminal of %s: %w", p.id, err)
	}
	return nil
}

// waitReadable blocks until a descriptor such as a pidfd becomes readable. If the
// poller does not take it, it returns at once.
func waitReadable(f *os.File) {
	if f == nil {
		return
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
}
