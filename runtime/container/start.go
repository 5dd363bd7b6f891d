package container

import (
	"errors"
	"fmt"
	"io"
	"os"

	"berth/runtime/sync"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Start lets the command of a created container run. It returns when the
// execve has happened.
func (c *Container) Start() error {
	return c.dir.withLock(func() error {
		switch status := c.status(); status {
		case specs.StateCreated:
		case specs.StateStopped:
			return fmt.Errorf("start container %s: cannot start a container that has stopped: %w", c.rec.ID, errdefs.ErrFailedPrecondition)
		case specs.StateRunning:
			return fmt.Errorf("start container %s: cannot start an already running container: %w", c.rec.ID, errdefs.ErrFailedPrecondition)
		default:
			return fmt.Errorf("start container %s: cannot start a container in the %s state: %w", c.rec.ID, status, errdefs.ErrFailedPrecondition)
		}
		if err := c.startHooks(); err != nil {
			return errors.Join(fmt.Errorf("start container %s: %w", c.rec.ID, err), c.stop())
		}
		// An init that cannot become the command ends by itself.
		if err := c.release(); err != nil {
			return fmt.Errorf("start container %s: %w", c.rec.ID, err)
		}
		if h := c.rec.Hooks; h != nil {
			if err := c.runHooks("poststart", h.Poststart, specs.StateRunning); err != nil {
				return errors.Join(fmt.Errorf("start container %s: %w", c.rec.ID, err), c.stop())
			}
		}
		return nil
	})
}

// warnOf reports an error that changes nothing.
func (c *Container) warnOf(err error) {
	if err != nil && c.warn != nil {
		c.warn(err.Error())
	}
}

// release connects to the socket where init waits and hears how its execve went.
func (c *Container) release() error {
	conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	defer unix.Close(conn)
	dir, err := c.dir.open()
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Connect(conn, address(dir, startSocket)); err != nil {
		return fmt.Errorf("init does not answer: %w", err)
	}
	err = receive(conn, sync.Ready, nil, func(m sync.Message) error {
		if m.Kind == sync.Refused {
			return execError(c.rec.Command, m.Errno)
		}
		// Nothing else is left to be done by then.
		return fmt.Errorf("install the seccomp filter: %w", m.Errno)
	})
	if errors.Is(err, io.EOF) {
		err = nil // the execve closed the connection
	}
	if rerr := os.Remove(c.dir.path(startSocket)); err == nil && rerr != nil {
		err = rerr
	}
	return err
}
