package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"
)

// screen counts and keeps what a program writes to its terminal.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{}
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	s.text.Write(b)
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (s *screen) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Len()
}

func (s *screen) has(word string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Contains(s.text.Bytes(), []byte(word))
}

// console measures the console against an engine that runs: the time until the
// container's name and the image's are drawn, and what it costs to stand idle.
func (b *bench) console(ctx context.Context, e *engine) error {
	var first []time.Duration
	var idleCPU, idleBytes float64
	const times = 5
	for i := range times {
		cmd := exec.CommandContext(ctx, e.cmd[0], e.cmd[1:]...)
		cmd.Env = append(os.Environ(), "TERM=xterm-256color")
		start := time.Now()
		tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 140})
		if err != nil {
			return fmt.Errorf("starting the console: %w", err)
		}
		s := &screen{news: make(chan struct{}, 1)}
		go answer(tty, s)
		for !s.has("idle") || !s.has("starter") {
			select {
			case <-s.news:
			case <-time.After(10 * time.Second):
				return fmt.Errorf("the console did not draw its lists in ten seconds")
			}
		}
		first = append(first, time.Since(start))
		if i == times-1 {
			idleCPU, idleBytes, err = idle(cmd.Process.Pid, s)
			if err != nil {
				return err
			}
		}
		if _, err := tty.Write([]byte("q")); err != nil {
			return err
		}
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("leaving the console: %w", err)
		}
		tty.Close()
	}
	r := result{what: "console, first full frame", berth: median(first)}
	r.goal, r.met = most(150, "ms")
	b.add(r)
	r = result{what: "console, idle CPU", berth: idleCPU, unit: "%"}
	r.goal, r.met = most(1, "% of a core")
	b.add(r)
	r = result{what: "console, idle output", berth: idleBytes, unit: "B in 5 s"}
	r.goal, r.met = most(0, "B")
	b.add(r)
	return nil
}

// answer reads the terminal's output into s. Programs ask terminals what they
// are; one that never answers would be measured waiting for its time-out.
func answer(tty *os.File, s *screen) {
	buf := make([]byte, 64<<10)
	for {
		n, err := tty.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("\x1b[c")) {
			tty.Write([]byte("\x1b[?62;22c"))
		}
		s.Write(buf[:n])
	}
}

// idle watches a process for five seconds after it has come to rest.
func idle(pid int, s *screen) (cpu, bytes float64, err error) {
	time.Sleep(2 * time.Second)
	const span = 5 * time.Second
	before, err := ticks(pid)
	if err != nil {
		return 0, 0, err
	}
	n := s.len()
	time.Sleep(span)
	after, err := ticks(pid)
	if err != nil {
		return 0, 0, err
	}
	return float64(after-before) / span.Seconds(), float64(s.len() - n), nil // a tick is 10 ms, so ticks per second are percent
}

// ticks is the processor time of a process, user and system, in clock ticks.
func ticks(pid int) (int, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, err := strconv.Atoi(f[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(f[12])
	return user + system, err
}
