package server

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"berth/runtime/signals"
	"berth/shim/external"
	"berth/shim/jsonlog"
	"berth/shim/wire"
)

// A shim that has created a container, or run an exec, holds two megabytes that it will
// not need again: the type tables of the JSON decoder, grown stacks, threads, the
// collector's own. Most of it cannot be given back within a Go process. So an idle shim
// executes itself: the process stays the same, and with it the container's parent, the
// session and the mount namespace; descriptors stay open; what is not in a descriptor
// goes along in a wire.Handover. A fresh image holds 0.8 to 1.2 MB.
//
// The gate makes that safe: who has taken something from the kernel, a piece of output,
// a connection, a request, an exit status, holds it for reading until that is dealt
// with. All else waits in the kernel and finds the new image: output in its pipe,
// clients in the backlog.

// renew becomes a fresh image if nothing is going on, and does not return then. It
// returns false if something is, and true if the kernel refused, after which the shim
// goes on as it is.
func (s *shim) renew() bool {
	if s.stale {
		return false
	}
	if !s.gate.TryLock() {
		return false
	}
	defer s.gate.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.execs) > 0 || s.peers > len(s.waiters) || s.waiters == nil || s.sessions > 0 || s.init.out.attached() > 0 {
		return false
	}
	h, ok := s.handover()
	if !ok {
		return false
	}
	err := s.become(h)
	s.stale = true
	fmt.Fprintln(os.Stderr, "berth-shim: renew:", err)
	return true
}

// handover collects the state but for the descriptors. It is not ok if there is state
// that cannot go along.
func (s *shim) handover() (*wire.Handover, bool) {
	log, ok := s.init.out.state()
	if !ok || s.init.failure != nil {
		return nil, false
	}
	h := &wire.Handover{Config: s.cfg, PID: s.init.rt.PID(), Status: s.status, StartedAt: s.init.started, LogDropped: log.Dropped, Stdin: -1}
	for i, l := range log.Lines {
		h.Lines[i] = wire.HandoverLine{Text: l.Text, Split: l.Split, Since: l.Since}
	}
	return h, true
}

// become executes the shim anew. It returns only with an error, after undoing what it
// did.
func (s *shim) become(h *wire.Handover) (err error) {
	var undo []func()
	defer func() {
		for _, f := range undo {
			f()
		}
	}()
	keep := func(f *os.File) int {
		n, kerr := wire.KeepOverExec(f, true)
		if kerr != nil && err == nil {
			err = kerr
		}
		undo = append(undo, func() { wire.KeepOverExec(f, false) })
		return n
	}
	h.Listen, h.PIDFD, h.NetNS, h.Record = keep(s.listen), keep(s.init.rt.PidFD()), keep(s.netns), keep(s.record.f)
	if s.init.stdin != nil {
		h.Stdin = keep(s.init.stdin)
	}
	h.Kept = s.kept
	undo = append(undo, func() { s.passKept(false) })
	if kerr := s.passKept(true); kerr != nil && err == nil {
		err = kerr
	}
	for _, f := range s.forwards {
		h.Forwards = append(h.Forwards, f.Forward)
		h.Sockets = append(h.Sockets, keep(f.socket))
	}
	if !s.init.tty { // a terminal is its stdin
		h.Outputs = []int{-1, -1}
		for _, o := range s.init.sources {
			n, kerr := wire.KeepOverExec(o.f, true)
			if errors.Is(kerr, os.ErrClosed) {
				continue // the container closed its side
			}
			h.Outputs[o.stream-jsonlog.Stdout] = n
			undo = append(undo, func() { wire.KeepOverExec(o.f, false) })
		}
	}
	for w := range s.waiters {
		n, kerr := w.conn.KeepOverExec(true)
		if kerr != nil {
			continue
		}
		undo = append(undo, func() { w.conn.KeepOverExec(false) })
		h.Waiters = append(h.Waiters, n)
	}
	if err != nil {
		return err
	}
	return s.execute(h)
}

// execute is the last step of become: the new image finds h in a file of its own.
func (s *shim) execute(h *wire.Handover) error {
	state, err := unix.MemfdCreate("handover", 0)
	if err != nil {
		return err
	}
	defer unix.Close(state)
	if _, err := unix.Write(state, h.Encode()); err != nil {
		return err
	}
	// Until the new image handles them these signals must not kill it; what is ignored
	// stays so over an execve.
	defer func() { _ = signals.Survive(handled) }()
	if err := signals.Ignore(handled); err != nil {
		return err
	}
	env := append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GOMAXPROCS=") }), "GOMAXPROCS=1")
	return syscall.Exec("/proc/self/exe", []string{os.Args[0], s.cfg.ID, strconv.Itoa(state)}, env)
}

// resume makes the shim whose state is in the descriptor fd.
func resume(fd string) (*shim, error) {
	n, err := strconv.Atoi(fd)
	if err != nil {
		return nil, fmt.Errorf("resume: %w", err)
	}
	f := os.NewFile(uintptr(n), "handover")
	defer f.Close()
	state, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("resume: %w", err)
	}
	b := make([]byte, state.Size()) // a buffer that grows would leave one of each size behind
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("resume: %w", err)
	}
	h, err := wire.DecodeHandover(b)
	if err != nil {
		return nil, fmt.Errorf("resume: %w", err)
	}
	s := newShim(h.Config)
	s.status = h.Status
	s.listen, s.netns = inherit(h.Listen, "listener"), inherit(h.NetNS, "netns")
	s.kept = h.Kept
	if err := s.passKept(false); err != nil {
		return nil, fmt.Errorf("resume: %w", err)
	}
	for i, f := range h.Forwards {
		s.hold(f, inherit(h.Sockets[i], f.Name))
	}
	s.record = &record{path: h.Config.ExitPath, f: os.NewFile(uintptr(h.Record), h.Config.ExitPath+".new"), unsynced: h.Config.ExitUnsynced}
	unix.CloseOnExec(h.Record)
	before := jsonlog.State{Dropped: h.LogDropped, Lines: [2]jsonlog.LineState{jsonlog.LineState(h.Lines[0]), jsonlog.LineState(h.Lines[1])}}
	log, err := s.openLog(before)
	if err != nil {
		return nil, fmt.Errorf("resume: %w", err)
	}
	p := s.newInit(log)
	external.Keep(h.PID)
	p.rt = &adopted{pid: h.PID, fd: inherit(h.PIDFD, "pidfd")}
	p.started = h.StartedAt
	p.stdin = inherit(h.Stdin, "stdin")
	if p.tty {
		p.sources = []source{{p.stdin, jsonlog.Stdout}}
	}
	for i, fd := range h.Outputs {
		if fd >= 0 {
			p.sources = append(p.sources, source{inherit(fd, "output"), jsonlog.Stdout + jsonlog.Stream(i)})
		}
	}
	s.init = p
	for _, fd := range h.Waiters {
		unix.CloseOnExec(fd)
		conn, err := wire.NewConn(fd)
		if err != nil {
			continue
		}
		w := &peer{conn: conn}
		s.waiters[w] = struct{}{}
		s.welcome(w)
	}
	p.readAll()
	return s, nil
}

// inherit takes over a descriptor that came over the execve.
func inherit(fd int, name string) *os.File {
	if fd < 0 {
		return nil
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name)
}

// adopted is a process that another program made a child of this one: the container's
// first in an image that did not create it, and any of an external runtime.
type adopted struct {
	pid int
	fd  *os.File
}

func (a *adopted) PID() int        { return a.pid }
func (a *adopted) PidFD() *os.File { return a.fd }

// Wait reaps the process, which has ended.
func (a *adopted) Wait() (unix.WaitStatus, error) {
	defer external.Forget(a.pid)
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(a.pid, &status, 0, nil); err != unix.EINTR {
			return status, err
		}
	}
}

func (a *adopted) Signal(sig unix.Signal) error {
	raw, err := a.fd.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); cerr != nil {
		return cerr
	}
	return err
}
