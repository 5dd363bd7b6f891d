package server

import (
	"context"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"berth/runtime/container"
	"berth/shim/external"
)

// box is the runtime's side of the container. There are two: berth's own runtime, called
// in this process, and any other program with runc's command line.
type box interface {
	Start() error
	Kill(sig unix.Signal, all bool) error
	Pause() error
	Resume() error
	Delete(force bool) error
	OOMKills() (uint64, error)
	exec(id string, p *specs.Process, ends *childEnds) (child, error)
}

// createBox creates the container, and gives its first process, which is parked.
func (s *shim) createBox(ends *childEnds) (box, child, error) {
	if !s.cfg.Runtime.Built() {
		c := external.New(s.cfg.Dir, s.cfg.ID, s.cfg.Runtime)
		pid, err := c.Create(external.Stdio{Stdin: ends.stdin, Stdout: ends.stdout, Stderr: ends.stderr, Console: ends.console})
		if err != nil {
			return foreign{c}, nil, err // of which there may be something
		}
		init, err := adopt(pid)
		return foreign{c}, init, err
	}
	c, err := container.Create(context.Background(), container.Options{
		ID: s.cfg.ID, StateRoot: s.cfg.RuntimeRoot, Bundle: s.cfg.Dir, Seccomp: &s.cfg.Seccomp,
		Stdin: ends.stdin, Stdout: ends.stdout, Stderr: ends.stderr, ConsoleSocket: ends.console,
	})
	if err != nil {
		return nil, nil, err
	}
	return own{c}, c.Init(), nil
}

// load finds the container that an image of this process created before.
func (s *shim) load() (box, error) {
	if !s.cfg.Runtime.Built() {
		return foreign{external.New(s.cfg.Dir, s.cfg.ID, s.cfg.Runtime)}, nil
	}
	c, err := container.Load(s.cfg.RuntimeRoot, s.cfg.ID)
	if err != nil {
		return nil, err
	}
	return own{c}, nil
}

// own is a container of berth's own runtime.
type own struct{ *container.Container }

func (o own) exec(_ string, p *specs.Process, ends *childEnds) (child, error) {
	x, err := o.Exec(context.Background(), container.ExecOptions{
		Process: p, Stdin: ends.stdin, Stdout: ends.stdout, Stderr: ends.stderr, ConsoleSocket: ends.console,
	})
	if err != nil {
		return nil, err // and no child that is a nil *container.Process
	}
	return x, nil
}

// foreign is a container of an external runtime.
type foreign struct{ *external.Container }

func (f foreign) exec(id string, p *specs.Process, ends *childEnds) (child, error) {
	pid, err := f.Exec(id, p, external.Stdio{Stdin: ends.stdin, Stdout: ends.stdout, Stderr: ends.stderr, Console: ends.console})
	if err != nil {
		return nil, err
	}
	return adopt(pid)
}

// adopt is a child that another program made.
func adopt(pid int) (child, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	return &adopted{pid: pid, fd: os.NewFile(uintptr(fd), "pidfd")}, nil
}
