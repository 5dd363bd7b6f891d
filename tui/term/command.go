package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"syscall"

	tea "charm.land/bubbletea/v2"
	"github.com/creack/pty"
)

// OpenCommand runs a program of this machine on a terminal in the pane, among the
// sessions of the container shown; title stands for it there.
func (m *Model) OpenCommand(title string, argv, environ []string) tea.Cmd {
	return m.openAs(Command, func(s *session) { s.command, s.environ, s.name = argv, environ, title })
}

// runCommand starts the session's program on a terminal and returns its exit status.
func (s *session) runCommand(ctx context.Context, spawn func(func())) (int, error) {
	width, height := s.size()
	cmd := exec.Command(s.command[0], s.command[1:]...)
	cmd.Env = append(slices.Clone(s.environ), "TERM=xterm-256color", "COLORTERM=truecolor")
	p, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)})
	if err != nil {
		return 0, fmt.Errorf("starting %s: %w", s.name, err)
	}
	defer p.Close()
	// The program leads a session of its own: its terminal's end ends all of it.
	hangUp := func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGHUP); p.Close() }
	stop := context.AfterFunc(ctx, hangUp)
	defer stop()
	s.mu.Lock()
	s.state, s.stream, s.rawInput = running, closer(hangUp), true
	s.mu.Unlock()
	poke(s.dirty)
	done := make(chan struct{})
	defer close(done)
	spawn(func() { s.feed(p, done) })
	spawn(func() {
		s.follow(ctx, func(_ context.Context, w, h int) error {
			return pty.Setsize(p, &pty.Winsize{Rows: uint16(h), Cols: uint16(w)})
		}, done)
	})
	if err := s.pump(p); err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, io.ErrClosedPipe) && ctx.Err() == nil { // EIO: nobody holds the other end
		return 0, fmt.Errorf("the terminal of %s: %w", s.name, err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("running %s: %w", s.name, err)
	}
	return cmd.ProcessState.ExitCode(), nil
}
