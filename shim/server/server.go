// Package server is the shim: the process that is the parent of one container. It holds
// the container's terminal or pipes, writes its log, serves the clients attached to it,
// starts execs, and records how it ended. See package shim for its life and package
// wire for its protocol.
//
// What a session of it must not do: depend on any engine being alive, block on a
// client, or keep memory it does not need, since there is one shim per container. So it
// imports no net and no encoder beside the one that the runtime reads its bundle with,
// uses raw sockets on the runtime's poller, and returns memory to the kernel whenever
// it falls idle.
//
// Goroutines: one waits for the container's end, one reads each output of a process,
// one accepts, one serves each connection, two serve each attached client, one waits
// for each exec, one serves each published port, two each connection that comes in there
// and is not the kernel's to translate. Lock order: shim.mu, then output.mu, then client.mu.
package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"berth/runtime/mount"
	"berth/runtime/pages"
	"berth/runtime/seccomp"
	"berth/runtime/signals"
	"berth/shim/jsonlog"
	"berth/shim/wire"
)

// shim is the state of the process.
type shim struct {
	cfg    wire.Config
	listen *os.File
	netns  *os.File
	record *record

	// gate is held for reading by whoever has taken something from the kernel that he
	// has not dealt with, and for writing while the process becomes a fresh image of
	// itself.
	gate sync.RWMutex

	boxMu sync.Mutex
	box   box // see container

	mu       sync.Mutex
	status   wire.Status
	init     *process
	execs    map[string]*process
	kept     map[string][]int // descriptors, see keep
	forwards map[string]*forward
	sessions int // connections and clients that are served for forwards
	slots    slots
	waiters  map[*peer]struct{} // nil once the end is on record
	peers    int                // connections of the protocol
	stale    bool               // the kernel refused to make a fresh image
	deleted  bool               // the container, by finish
	inside   int                // requests being answered
	leaving  bool
	empty    chan struct{} // closed when the last of them is
	idle     idleTimer
}

// handled are the signals that do not end a shim.
var handled = []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2}

func newShim(cfg wire.Config) *shim {
	s := &shim{cfg: cfg, status: wire.StatusCreated, execs: map[string]*process{}, waiters: map[*peer]struct{}{}, empty: make(chan struct{})}
	s.idle.trim = s.rest
	return s
}

// Main is the shim's process. The engine that starts it waits on the socket
// wire.ConfigFD.
//
// It is called from an init function, where the goroutine is bound to the main thread
// and every wake-up of it is a switch of threads: the work is done on another.
func Main() int {
	code := make(chan int)
	go func() { code <- serve() }()
	return <-code
}

func serve() int {
	// The end of a session or a shutdown of the host must not take the shim away before
	// its container. A handler, unlike ignoring, is not inherited.
	if err := signals.Survive(handled); err != nil {
		fmt.Fprintln(os.Stderr, "berth-shim:", err)
		return 1
	}
	signals.Heed()
	if len(os.Args) == 3 {
		s, err := resume(os.Args[2])
		if err != nil {
			fmt.Fprintln(os.Stderr, "berth-shim:", err)
			return 1
		}
		if err := pages.GiveBack(); err != nil {
			fmt.Fprintln(os.Stderr, "berth-shim:", err)
		}
		s.run()
		return 0
	}
	conn, err := wire.NewConn(wire.ConfigFD)
	if err != nil {
		fmt.Fprintln(os.Stderr, "berth-shim:", err)
		return 1
	}
	unix.CloseOnExec(wire.ConfigFD)
	m, err := conn.Recv()
	if err != nil {
		if err != io.EOF { // the engine died before it said what to run
			fmt.Fprintln(os.Stderr, "berth-shim:", err)
		}
		return 1
	}
	cfg, err := firstConfig(&m)
	s := newShim(cfg)
	if err == nil {
		err = s.create()
	}
	if err != nil {
		s.remove()
		conn.Send(wire.TypeError, wire.EncodeError(err))
		return 1
	}
	// The next engine takes back what it finds parked. If this one is gone by now, the next may
	// have looked before there was anything to find.
	if err := conn.Send(wire.TypePID, wire.EncodePID(s.init.rt.PID())); err != nil {
		s.remove()
		return 1
	}
	conn.Close()
	s.idle.touch()
	s.run()
	return 0
}

// firstConfig reads the message that makes this process the shim of a container, and
// lets go of what it has from its time before.
func firstConfig(m *wire.Message) (cfg wire.Config, err error) {
	if log := m.TakeFD("error log"); log != nil { // a spare's
		unix.Dup3(int(log.Fd()), 2, 0)
		log.Close()
	}
	m.CloseFDs()
	if m.Type != wire.TypeCreate {
		err = fmt.Errorf("first message has type %d", m.Type)
	} else {
		cfg, err = wire.DecodeConfig(m.Body)
	}
	takeName(cfg.ID)
	closeInherited(wire.TreeFiles(cfg.Trees))
	return cfg, err
}

// run serves the container from its creation to its end.
func (s *shim) run() {
	go s.accept()
	s.finish()
}

// container returns the runtime's side of the container. A fresh image loads it when it
// is first needed.
func (s *shim) container() (box, error) {
	s.boxMu.Lock()
	defer s.boxMu.Unlock()
	if s.box == nil {
		box, err := s.load()
		if err != nil {
			return nil, err
		}
		s.box = box
	}
	return s.box, nil
}

// newInit makes the container's first process without its stdio.
func (s *shim) newInit(log logWriter) *process {
	p := s.newProcess(s.cfg.ID, s.cfg.Tty, log)
	p.closeStdinAtEOF = s.cfg.StdinOnce
	return p
}

// create sets everything up to the parked container. What it made is undone by remove.
func (s *shim) create() (err error) {
	// Only root may; a rootless shim stays as likely a victim as its engine.
	os.WriteFile("/proc/self/oom_score_adj", []byte("-999"), 0)
	if s.listen, err = listen(s.cfg.Dir); err != nil {
		return err
	}
	log, err := s.openLog(jsonlog.State{})
	if err != nil {
		return err
	}
	if s.record, err = reserveRecord(s.cfg.ExitPath, s.cfg.ExitUnsynced); err != nil {
		return err
	}
	if err := attachTrees(s.cfg.Trees); err != nil {
		return err
	}
	if err := mount.All(s.cfg.Rootfs, s.cfg.MountPoint); err != nil {
		return fmt.Errorf("mount root filesystem of %s: %w", s.cfg.ID, err)
	}
	p := s.newInit(log)
	child, err := p.makeStdio(s.cfg.OpenStdin)
	if err != nil {
		return err
	}
	defer child.close()
	if s.box, p.rt, err = s.createBox(child); err != nil {
		p.abandon()
		return err
	}
	s.cfg.Seccomp = seccomp.Filter{} // the runtime keeps it for execs
	s.init = p
	if err := p.start(s.cfg.ConsoleSize); err != nil {
		return err
	}
	if s.netns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", p.rt.PID())); err != nil {
		return fmt.Errorf("open network namespace of %s: %w", s.cfg.ID, err)
	}
	return nil
}

// remove takes away all that create made and that is still there.
func (s *shim) remove() {
	if s.box != nil && !s.deleted {
		if err := s.box.Delete(true); err != nil {
			fmt.Fprintln(os.Stderr, "berth-shim: delete container:", err)
		}
	}
	if s.record != nil {
		s.record.discard()
	}
	if s.cfg.MountPoint != "" {
		for unix.Unmount(s.cfg.MountPoint, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) == nil {
		}
		os.Remove(s.cfg.MountPoint)
	}
	removeTrees(s.cfg.Trees)
	if s.cfg.Dir != "" {
		os.RemoveAll(s.cfg.Dir)
	}
}

// finish waits for the end of the container and brings everything to its end, in the
// order that package shim promises.
func (s *shim) finish() {
	exit := s.init.wait()

	// Outputs and log: all that was written is on disk before anybody hears of the end.
	box, boxErr := s.container()
	s.init.drain(func() {
		if boxErr == nil {
			box.Kill(unix.SIGKILL, true)
		}
	})
	logErr := s.init.out.closeLog()

	// The cgroup, with the count of memory kills and whatever still runs in it.
	if boxErr == nil {
		kills, err := box.OOMKills()
		exit.OOMKilled = err == nil && kills > 0
	}
	s.mu.Lock()
	s.status = wire.StatusStopped
	exit.StartedAt = s.init.started
	execs := make([]*process, 0, len(s.execs))
	for _, x := range s.execs {
		execs = append(execs, x)
	}
	netns, failure := s.netns, s.init.failure
	s.netns = nil
	s.mu.Unlock()
	s.dropForwards() // before anybody hears of the end: the next run wants the same ports
	netns.Close()    // with it the kernel takes the container's interfaces away
	err := boxErr
	if err == nil {
		err = box.Delete(true)
	}
	s.deleted = true
	awaitExecs(execs)

	// The record, and then the waiters: who knows the exit can rely on the record.
	exit.Error = describe(failure, logErr, err)
	if err := s.record.write(&exit); err != nil {
		exit.Error = describe(errors.New(exit.Error), err)
	}

	s.tellExit(exit)

	// The connections, and all that would be in the way of the container's next run.
	outputs := []*output{s.init.out}
	for _, x := range execs {
		outputs = append(outputs, x.out)
	}
	for _, o := range outputs {
		o.end()
	}
	s.leave()
	s.remove()
	for _, o := range outputs {
		o.waitClients() // one that reads slowly may keep the process, but not the container's next run
	}
}

// awaitExecs waits for the ends of execs whose processes have died with the container.
func awaitExecs(execs []*process) {
	last := time.After(2 * drainGrace)
	for _, x := range execs {
		select {
		case <-x.done:
		case <-last:
		}
	}
}

// tellExit answers those who wait for the container's end, and who asks from now on.
func (s *shim) tellExit(exit wire.Exit) {
	s.mu.Lock()
	waiters := s.waiters
	s.waiters = nil
	s.init.exit = exit
	s.mu.Unlock()
	for w := range waiters {
		w.send(wire.TypeExit, exit.Encode())
	}
}

// describe joins what went wrong into one line.
func describe(errs ...error) string {
	text := ""
	for _, err := range errs {
		if err == nil || err.Error() == "" {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += err.Error()
	}
	return text
}

// start lets the container's process go.
func (s *shim) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != wire.StatusCreated {
		return s.wrong("start")
	}
	now := time.Now().UTC()
	box, err := s.container()
	if err != nil {
		return err
	}
	if err := box.Start(); err != nil {
		s.init.failure = err
		box.Kill(unix.SIGKILL, true)
		return err
	}
	s.init.started = now
	s.status = wire.StatusRunning
	return nil
}
