package server

import (
	"fmt"
	"os"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/runtime/mount"
	"berth/shim/wire"
)

// wrong is the error of a request that the container's status does not allow. s.mu is
// held.
func (s *shim) wrong(verb string) error {
	return fmt.Errorf("%s container %s: it is %s: %w", verb, s.cfg.ID, s.status, errdefs.ErrFailedPrecondition)
}

func (s *shim) info() wire.Info {
	dropped, reason := s.init.out.logState()
	attached := s.init.out.attached()
	s.mu.Lock()
	defer s.mu.Unlock()
	i := wire.Info{
		ID: s.cfg.ID, ShimPID: os.Getpid(), PID: s.init.rt.PID(), Status: s.status, StartedAt: s.init.started,
		Attached: attached, LogDropped: dropped, LogError: reason, ExitPath: s.cfg.ExitPath, Tty: s.cfg.Tty, HasStdin: s.cfg.OpenStdin,
	}
	for id, x := range s.execs {
		if x.rt == nil { // being made
			continue
		}
		i.Execs = append(i.Execs, wire.ExecInfo{ID: id, PID: x.rt.PID(), Running: !x.over, Exit: x.exit})
	}
	return i
}

// kill signals the container or one of its execs.
func (s *shim) kill(sig wire.Signal) error {
	if sig.ID != "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		x, err := s.running(sig.ID)
		if err != nil {
			return err
		}
		if err := x.rt.Signal(unix.Signal(sig.Sig)); err != nil {
			return fmt.Errorf("signal exec %s: %w", sig.ID, err)
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == wire.StatusStopped {
		return s.wrong("kill")
	}
	box, err := s.container()
	if err == nil {
		err = box.Kill(unix.Signal(sig.Sig), sig.All)
	}
	if err != nil {
		return err
	}
	if s.status == wire.StatusPaused && unix.Signal(sig.Sig) == unix.SIGKILL {
		s.status = wire.StatusRunning // the runtime thaws it, for a frozen process does not even die
	}
	return nil
}

func (s *shim) pause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != wire.StatusRunning {
		return s.wrong("pause")
	}
	box, err := s.container()
	if err == nil {
		err = box.Pause()
	}
	if err != nil {
		return err
	}
	s.status = wire.StatusPaused
	return nil
}

func (s *shim) resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != wire.StatusPaused {
		return s.wrong("resume")
	}
	box, err := s.container()
	if err == nil {
		err = box.Resume()
	}
	if err != nil {
		return err
	}
	s.status = wire.StatusRunning
	return nil
}

func (s *shim) resize(size wire.Size) error {
	p := s.init
	if size.ID != "" {
		s.mu.Lock()
		x, err := s.running(size.ID)
		s.mu.Unlock()
		if err != nil {
			return err
		}
		p = x
	}
	return p.resize(size.Height, size.Width)
}

// root opens the container's root directory as its first process sees it, with all that
// is mounted in it.
func (s *shim) root() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == wire.StatusStopped {
		return nil, s.wrong("open root of")
	}
	f, err := mount.OpenTree(fmt.Sprintf("/proc/%d/root", s.init.rt.PID()))
	if err != nil {
		return nil, fmt.Errorf("open root of container %s: %w", s.cfg.ID, err)
	}
	return f, nil
}

// netNS duplicates the descriptor of the container's network namespace.
func (s *shim) netNS() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.netns == nil {
		return nil, fmt.Errorf("get network namespace of %s: %w", s.cfg.ID, errdefs.ErrFailedPrecondition)
	}
	fd, err := unix.FcntlInt(s.netns.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("get network namespace of %s: %w", s.cfg.ID, err)
	}
	return os.NewFile(uintptr(fd), "netns"), nil
}

// waitExit answers p when the container's end is on record.
func (s *shim) waitExit(p *peer) {
	s.mu.Lock()
	pending, exit := s.waiters != nil, s.init.exit
	if pending {
		s.waiters[p] = struct{}{}
	}
	s.mu.Unlock()
	if !pending {
		p.send(wire.TypeExit, exit.Encode())
	}
}

// attach hands the connection that came with m to the container's first process.
func (p *peer) attach(s *shim, m *wire.Message) {
	opts, err := wire.DecodeAttach(m.Body)
	if err == nil && len(m.FDs) != 1 {
		err = fmt.Errorf("attach to %s: no connection came along: %w", s.cfg.ID, errdefs.ErrInvalidArgument)
	}
	var c *client
	if err == nil {
		fd := m.FDs[0]
		m.FDs = nil
		c, err = newClient(s.init, opts, fd, p.ended)
	}
	if err == nil {
		if err = s.init.out.attach(c); err != nil {
			c.f.Close()
		}
	}
	p.reply(err)
	if err == nil {
		c.run()
	}
}

// ended tells the engine how the attachment that came on this connection ended, if it
// still listens.
func (p *peer) ended(end wire.End) { p.send(wire.TypeEnded, wire.EncodeEnd(end)) }
