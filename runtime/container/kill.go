package container

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Kill sends a signal to init, or to all processes of the container.
func (c *Container) Kill(sig unix.Signal, all bool) error {
	// A container that shares its pid namespace does not end with init.
	all = all || sig == unix.SIGKILL && c.rec.SharedPID
	status := c.status()
	if status == specs.StateCreated && !c.rec.SharedPID && ends(sig) {
		// Unless a start is under way.
		if lock, err := c.dir.lock(unix.LOCK_EX | unix.LOCK_NB); err == nil {
			defer lock.Close()
			if c.status() == specs.StateCreated {
				sig = unix.SIGKILL
			}
		}
	}
	if all && c.cg != nil {
		return c.killAll(sig)
	}
	if status == specs.StateStopped || status == specs.StateCreating {
		return fmt.Errorf("signal container %s: container not running: %w", c.rec.ID, errdefs.ErrFailedPrecondition)
	}
	pidfd, err := c.pidfd()
	if err != nil {
		return err
	}
	defer pidfd.Close()
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), sig, nil, 0); err != nil {
		if err == unix.ESRCH {
			return fmt.Errorf("signal container %s: container not running: %w", c.rec.ID, errdefs.ErrFailedPrecondition)
		}
		return fmt.Errorf("send signal %d to container %s: %w", sig, c.rec.ID, err)
	}
	if status == Paused && sig == unix.SIGKILL {
		// A frozen process dies when it is thawed.
		return c.cg.Freeze(false)
	}
	return nil
}

// ends tells whether a signal ends a process that has no handler for it (signal(7)).
// Of a pid namespace's first process that is not true: the kernel drops what it has no
// handler for. So a waiting init is killed in place of it.
func ends(sig unix.Signal) bool {
	switch sig {
	case 0, unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH, unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return false
	}
	return true
}

func (c *Container) killAll(sig unix.Signal) error {
	if sig == unix.SIGKILL {
		return c.cg.Kill()
	}
	if _, err := c.cg.Signal(sig); err != nil {
		return fmt.Errorf("signal container %s: %w", c.rec.ID, err)
	}
	return nil
}

// pidfd opens init, making sure that it is init.
func (c *Container) pidfd() (*os.File, error) {
	if c.rec.PID == 0 { // its creator died before it had forked
		return nil, fmt.Errorf("container %s is not running: %w", c.rec.ID, errdefs.ErrFailedPrecondition)
	}
	fd, err := unix.PidfdOpen(c.rec.PID, 0)
	if err == nil && !c.alive() {
		unix.Close(fd)
		err = unix.ESRCH
	}
	if err == unix.ESRCH {
		return nil, fmt.Errorf("container %s is not running: %w", c.rec.ID, errdefs.ErrFailedPrecondition)
	}
	if err != nil {
		return nil, fmt.Errorf("open init of container %s: %w", c.rec.ID, err)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// killWait bounds the wait for init's end in Delete.
const killWait = 10 * time.Second

// Delete removes a stopped or a created container and everything of it. With
// force it kills a running one first, and cleans up after a runtime that died.
func (c *Container) Delete(force bool) error {
	return c.dir.withLock(func() error {
		status := c.status()
		switch {
		case status == specs.StateStopped:
		case force || status == specs.StateCreated:
			if err := c.stop(); err != nil {
				return err
			}
		default:
			return fmt.Errorf("cannot delete container %s that is not stopped: %s: %w", c.rec.ID, status, errdefs.ErrFailedPrecondition)
		}
		if err := c.destroy(); err != nil {
			return err
		}
		c.poststop()
		return nil
	})
}

// stop kills init and waits for its end.
func (c *Container) stop() error {
	pidfd, err := c.pidfd()
	if errdefs.IsFailedPrecondition(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer pidfd.Close()
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
		return fmt.Errorf("kill container %s: %w", c.rec.ID, err)
	}
	if c.cg != nil {
		if err := c.cg.Thaw(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), killWait)
	defer cancel()
	if err := waitEnd(ctx, pidfd); err != nil {
		return fmt.Errorf("kill container %s: %w", c.rec.ID, err)
	}
	return nil
}

// destroy removes what is left of a stopped container.
func (c *Container) destroy() error {
	if c.cg != nil {
		if err := c.cg.Kill(); err != nil {
			return err
		}
		if err := c.cg.Remove(); err != nil {
			return err
		}
	}
	if c.rec.Class != nil {
		if err := c.rec.Class.Remove(); err != nil {
			return err
		}
	}
	if err := c.dir.remove(); err != nil {
		return fmt.Errorf("remove the state of container %s: %w", c.rec.ID, err)
	}
	return nil
}
