package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a process that this process is the parent of.
type Process struct {
	pid   int
	pidfd *os.File
}

// PID is the process's number in the caller's pid namespace.
func (p *Process) PID() int { return p.pid }

// PidFD names the process and no other, also after its end. It polls readable
// then. It stays the Process's.
func (p *Process) PidFD() *os.File { return p.pidfd }

// Wait waits for the end of the process and reaps it. It occupies no thread
// meanwhile. Only one caller gets the status; it must be in the process that
// called Create or Exec.
func (p *Process) Wait() (unix.WaitStatus, error) {
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("wait for process %d: %w", p.pid, err)
	}
	var status unix.WaitStatus
	var werr error
	err = conn.Read(func(uintptr) bool {
		var got int
		for {
			got, werr = unix.Wait4(p.pid, &status, unix.WNOHANG, nil)
			if werr != unix.EINTR {
				break
			}
		}
		return got != 0 || werr != nil
	})
	if err == nil {
		err = werr
	}
	if err != nil {
		return 0, fmt.Errorf("wait for process %d: %w", p.pid, err)
	}
	return status, nil
}

// Signal sends a signal to the process. That it has ended is os.ErrProcessDone.
func (p *Process) Signal(sig unix.Signal) error {
	err := unix.PidfdSendSignal(int(p.pidfd.Fd()), sig, nil, 0)
	if err == unix.ESRCH {
		return os.ErrProcessDone
	}
	return err
}

// kill ends and reaps a process that did not get as far as it should.
func (p *Process) kill() {
	if err := p.Signal(unix.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return
	}
	_, _ = p.Wait()
	p.pidfd.Close()
}

// waitEnd waits until the process of a pidfd has ended, be it reaped or not.
func waitEnd(ctx context.Context, pidfd *os.File) error {
	fds := []unix.PollFd{{Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
	for {
		timeout := -1
		if d, ok := ctx.Deadline(); ok {
			timeout = max(0, int(time.Until(d)/time.Millisecond))
		}
		n, err := unix.Poll(fds, timeout)
		if n > 0 {
			return nil
		}
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for the end of the process: %w", err)
		}
		if ctx.Err() != nil || n == 0 && err == nil {
			return fmt.Errorf("wait for the end of the process: %w", context.DeadlineExceeded)
		}
	}
}
