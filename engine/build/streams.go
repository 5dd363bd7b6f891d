package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/executor"
	"github.com/moby/moby/api/pkg/stdcopy"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// streams carry the output of a process of a step to BuildKit, and its input there.
type streams struct {
	conn *net.UnixConn
	out  chan error // the end of the output
	in   sync.WaitGroup
}

// pair makes the two ends of a stream: ours, and the one that the shim serves.
func pair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket pair for a build step: %w", err)
	}
	theirs, end := os.NewFile(uintptr(fds[0]), "step"), os.NewFile(uintptr(fds[1]), "builder")
	ours, err := net.FileConn(end)
	end.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("make a socket pair for a build step: %w", err)
	}
	return ours.(*net.UnixConn), theirs, nil
}

// attachment says which streams of process are wanted, and how.
func attachment(process executor.ProcessInfo) shim.AttachOptions {
	return shim.AttachOptions{Stdin: process.Stdin != nil, Stdout: true, Stderr: true, Mux: !process.Meta.Tty}
}

// connect attaches to the process of a container that has not begun.
func connect(client *shim.Client, process executor.ProcessInfo) (*streams, error) {
	ours, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if err := client.Attach(attachment(process), theirs); err != nil {
		ours.Close()
		return nil, err
	}
	return carry(ours, process), nil
}

// carry copies between conn and the streams of process.
func carry(conn *net.UnixConn, process executor.ProcessInfo) *streams {
	s := &streams{conn: conn, out: make(chan error, 1)}
	stdout, stderr := writer(process.Stdout), writer(process.Stderr)
	go func() {
		var err error
		if process.Meta.Tty {
			_, err = io.Copy(stdout, conn)
		} else {
			_, err = stdcopy.StdCopy(stdout, stderr, conn)
		}
		s.out <- err
	}()
	if process.Stdin != nil {
		s.in.Go(func() {
			// An error of either end is that the process wants no more, or gets no more.
			_, _ = io.Copy(conn, process.Stdin)
			_ = conn.CloseWrite()
		})
	}
	return s
}

// writer is w, or one that forgets.
func writer(w io.WriteCloser) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// drain waits for the end of the output.
func (s *streams) drain() error {
	err := <-s.out
	s.out <- err
	if errors.Is(err, unix.ECONNRESET) { // input that nobody read
		err = nil
	}
	return err
}

// Close ends the streams.
func (s *streams) Close() error { return s.conn.Close() }

// Exec implements executor.Executor: one more process in a running container.
func (c *containers) Exec(ctx context.Context, name string, process executor.ProcessInfo) error {
	c.mu.Lock()
	s := c.running[name]
	c.mu.Unlock()
	if s == nil {
		return fmt.Errorf("build container %s: %w", name, errdefs.ErrNotFound)
	}
	select {
	case <-s.ready:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.client == nil {
		return fmt.Errorf("build container %s did not start: %w", name, errdefs.ErrFailedPrecondition)
	}
	p, err := s.process(process)
	if err != nil {
		return err
	}
	ours, theirs, err := pair()
	if err != nil {
		return err
	}
	id := newID()
	_, err = s.client.Exec(shim.ExecConfig{
		ID: id, Process: p, Tty: process.Meta.Tty, OpenStdin: process.Stdin != nil, Attach: attachment(process),
	}, theirs)
	theirs.Close()
	if err != nil {
		ours.Close()
		return startError(err)
	}
	io := carry(ours, process)
	defer io.Close()
	stop := context.AfterFunc(ctx, func() { _ = s.client.ExecKill(id, unix.SIGKILL) })
	defer stop()
	exit, err := s.client.WaitExec(context.WithoutCancel(ctx), id)
	if err != nil {
		return err
	}
	if err := io.drain(); err != nil {
		return err
	}
	return exitError(exit, process.Meta.ValidExitCodes)
}

// process is that of an exec: the container's own with what the caller changes.
func (s *step) process(process executor.ProcessInfo) (*specs.Process, error) {
	dir, err := os.Open(s.root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	p := *s.spec.Process
	p.Args, p.Terminal = process.Meta.Args, process.Meta.Tty
	if process.Meta.Cwd != "" {
		p.Cwd = process.Meta.Cwd
	}
	if len(process.Meta.Env) > 0 {
		p.Env = process.Meta.Env
	}
	if process.Meta.User != "" {
		if p.User, err = userIn(dir, process.Meta.User); err != nil {
			return nil, err
		}
	}
	return &p, nil
}
