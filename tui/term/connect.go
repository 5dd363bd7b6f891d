package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// shellScript prefers bash; one exec finds the best shell wherever there is a sh.
const shellScript = "command -v bash >/dev/null 2>&1 && exec bash; exec sh"

// notFoundWithin bounds how long after its start an exit status of 126 or 127
// is taken for "there is no such shell".
const notFoundWithin = 3 * time.Second

// run is the life of a session, in a goroutine of its own.
func (s *session) run(ctx context.Context, e Engine, spawn func(func())) {
	var err error
	var code int
	var detached bool
	switch s.kind {
	case Attach:
		code, detached, err = s.runAttach(ctx, e, spawn)
	case Command:
		code, err = s.runCommand(ctx, spawn)
	default:
		code, err = s.runShell(ctx, e, spawn)
	}
	if ctx.Err() != nil {
		err, detached = nil, true
	}
	s.finish(code, detached, err)
}

// runShell starts sh, which becomes bash if there is one; an image without sh
// may still have a bash. The error tells what was tried.
func (s *session) runShell(ctx context.Context, e Engine, spawn func(func())) (int, error) {
	var reasons []string
	for _, cmd := range [][]string{{"sh", "-c", s.script(e)}, {"bash"}} {
		started := time.Now()
		code, err := s.exec(ctx, e, spawn, cmd)
		s.mu.Lock()
		// A connection that breaks early says nothing about shells.
		missing := !errors.Is(err, errLost) && (err != nil || code == 126 || code == 127) && time.Since(started) < notFoundWithin
		said := strings.Join(strings.Fields(s.scr.String()), " ")
		s.mu.Unlock()
		if !missing || ctx.Err() != nil {
			return code, err
		}
		if err != nil {
			said = err.Error()
		}
		if said == "" {
			said = "exit status " + strconv.Itoa(code)
		}
		reasons = append(reasons, cmd[0]+": "+said)
		s.output([]byte("\x1bc"))
	}
	return 0, fmt.Errorf("no shell could be started in %s (an image without one can still be looked at with D): %s", s.name, strings.Join(reasons, "; "))
}

// script is the shell script; an engine before API 1.42 cannot be told the
// size of the terminal beforehand, so that the script sets it first.
func (s *session) script(e Engine) string {
	if !beforeConsoleSize(e.ClientVersion()) {
		return shellScript
	}
	width, height := s.size()
	return fmt.Sprintf("stty rows %d cols %d 2>/dev/null; %s", height, width, shellScript)
}

// beforeConsoleSize reports an API older than 1.42, in which an exec is given no size.
func beforeConsoleSize(version string) bool {
	major, minor, ok := strings.Cut(version, ".")
	m, err := strconv.Atoi(minor)
	return ok && err == nil && major == "1" && m < 42
}

// exec runs one command on a new terminal and returns its exit status.
func (s *session) exec(ctx context.Context, e Engine, spawn func(func()), cmd []string) (int, error) {
	width, height := s.size()
	size := client.ConsoleSize{Width: uint(width), Height: uint(height)}
	options := client.ExecCreateOptions{
		TTY: true, AttachStdin: true, AttachStdout: true, AttachStderr: true,
		Env: []string{"TERM=xterm-256color", "COLORTERM=truecolor"}, Cmd: cmd,
	}
	if !beforeConsoleSize(e.ClientVersion()) {
		options.ConsoleSize = size
	}
	created, err := e.ExecCreate(ctx, s.container, options)
	if err != nil {
		return 0, fmt.Errorf("preparing %s in %s: %w", cmd[0], s.name, err)
	}
	attach := client.ExecAttachOptions{TTY: true, ConsoleSize: options.ConsoleSize}
	hijacked, err := e.ExecAttach(ctx, created.ID, attach)
	if err != nil {
		return 0, fmt.Errorf("starting %s in %s: %w", cmd[0], s.name, err)
	}
	err = s.serve(ctx, hijacked.HijackedResponse, hijacked.Reader, true, spawn, func(ctx context.Context, w, h int) error {
		_, err := e.ExecResize(ctx, created.ID, client.ExecResizeOptions{Width: uint(w), Height: uint(h)})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("the stream of the shell in %s: %w: %w", s.name, err, errLost)
	}
	return s.exit(ctx, e, created.ID)
}

// exit asks for the status of an exec whose stream has ended; the engine
// may notice the process's end a moment later.
func (s *session) exit(ctx context.Context, e Engine, id string) (int, error) {
	for try := 0; ; try++ {
		var info client.ExecInspectResult
		err := s.answered(ctx, func() (err error) {
			info, err = e.ExecInspect(ctx, id, client.ExecInspectOptions{})
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("asking how the shell ended: %w", err)
		}
		if !info.Running {
			return info.ExitCode, nil
		}
		if try == 20 {
			return 0, fmt.Errorf("the shell in %s: %w", s.name, errLost)
		}
		select {
		case <-time.After(time.Duration(try+1) * 5 * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// attach connects to the main process, until the stream ends.
func (s *session) attach(ctx context.Context, e Engine, spawn func(func())) (code int, runs bool, err error) {
	var info client.ContainerInspectResult
	err = s.answered(ctx, func() (err error) {
		info, err = e.ContainerInspect(ctx, s.container, client.ContainerInspectOptions{})
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("attaching to %s: %w", s.name, err)
	}
	c := info.Container
	if c.State == nil || !c.State.Running || c.Config == nil {
		return 0, false, fmt.Errorf("%s is not running: start it first (S)", s.name)
	}
	hijacked, err := e.ContainerAttach(ctx, s.container, client.ContainerAttachOptions{
		Stream: true, Stdin: c.Config.OpenStdin, Stdout: true, Stderr: true,
	})
	if err != nil {
		return 0, false, fmt.Errorf("attaching to %s: %w", s.name, err)
	}
	var set func(context.Context, int, int) error
	reader := io.Reader(hijacked.Reader)
	if c.Config.Tty {
		set = func(ctx context.Context, w, h int) error {
			_, err := e.ContainerResize(ctx, s.container, client.ContainerResizeOptions{Width: uint(w), Height: uint(h)})
			return err
		}
		// A program draws itself again when the size changes: change it twice.
		if w, h := s.size(); w > 1 {
			_ = set(ctx, w-1, h) // the true size follows, and is retried
		}
	} else {
		s.output([]byte("\x1b[20h")) // without a terminal, a line ends in LF alone
		pr, pw := io.Pipe()
		defer pr.Close()
		spawn(func() {
			_, err := stdcopy.StdCopy(pw, pw, hijacked.Reader)
			pw.CloseWithError(err)
		})
		reader = pr
	}
	if err := s.serve(ctx, hijacked.HijackedResponse, reader, c.Config.Tty, spawn, set); err != nil {
		return 0, false, fmt.Errorf("the stream of %s: %w", s.name, err)
	}
	var after client.ContainerInspectResult
	err = s.answered(ctx, func() (err error) {
		after, err = e.ContainerInspect(ctx, s.container, client.ContainerInspectOptions{})
		return err
	})
	if err != nil || after.Container.State == nil {
		return 0, false, nil // removed when it ended (--rm): nothing more is known
	}
	return after.Container.State.ExitCode, after.Container.State.Running, nil
}

// serve moves bytes in all directions until the stream ends.
func (s *session) serve(ctx context.Context, stream client.HijackedResponse, r io.Reader, tty bool, spawn func(func()), set func(context.Context, int, int) error) error {
	defer stream.Close()
	stop := context.AfterFunc(ctx, stream.Close)
	defer stop()
	s.mu.Lock()
	s.state, s.stream, s.rawInput = running, closer(stream.Close), tty
	s.mu.Unlock()
	poke(s.dirty)
	done := make(chan struct{})
	defer close(done)
	spawn(func() { s.feed(stream.Conn, done) })
	if set != nil {
		spawn(func() { s.follow(ctx, set, done) })
	}
	err := s.pump(r)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return err
}

type closer func()

// Close makes a function an io.Closer.
func (c closer) Close() error { c(); return nil }
