package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"

	"berth/tui/term/screen"
)

// seat is a program in a terminal, and somebody who looks at it.
type seat struct {
	cmd  *exec.Cmd
	tty  *os.File
	news chan struct{}
	mu   sync.Mutex
	emu  *screen.Terminal
	n    int // bytes written

	begin time.Time
}

// sit starts a program in a terminal.
func sit(ctx context.Context, env []string, argv ...string) (*seat, error) {
	const width, height = 140, 40
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(append(os.Environ(), "TERM=xterm-256color"), env...)
	begin := time.Now()
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: height, Cols: width})
	if err != nil {
		return nil, fmt.Errorf("starting %s in a terminal: %w", argv[0], err)
	}
	s := &seat{cmd: cmd, tty: tty, news: make(chan struct{}, 1), emu: screen.New(width, height, 0), begin: begin}
	go s.read()
	return s, nil
}

func (s *seat) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.tty.Read(buf)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.emu.Write(buf[:n])
		s.n += n
		replies := s.emu.Replies()
		s.mu.Unlock()
		if len(replies) > 0 {
			s.tty.Write(replies)
		}
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

// until waits for a screen.
func (s *seat) until(what string, ok func(screen string) bool) error {
	late := time.After(60 * time.Second)
	for {
		s.mu.Lock()
		now := s.emu.String()
		s.mu.Unlock()
		if ok(now) {
			return nil
		}
		select {
		case <-s.news:
		case <-late:
			return fmt.Errorf("waiting a minute for %s; the screen shows:\n%s", what, now)
		}
	}
}

// sees waits until all words are on the screen.
func (s *seat) sees(words ...string) error {
	return s.until(strings.Join(words, ", "), func(now string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(now, w) })
	})
}

// press types, then waits until all words are on the screen; it returns how long that took.
func (s *seat) press(keys string, words ...string) (time.Duration, error) {
	return timed(func() error {
		if _, err := s.tty.WriteString(keys); err != nil {
			return err
		}
		return s.sees(words...)
	})
}

// leave types what ends the program and waits for that.
func (s *seat) leave(keys string) error {
	defer s.tty.Close()
	if _, err := s.tty.WriteString(keys); err != nil {
		return err
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("leaving %s: %w", s.cmd.Path, err)
	}
	return nil
}
