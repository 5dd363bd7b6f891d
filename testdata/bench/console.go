package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// few and many are how many containers the console opens on.
	few, many = 10, 500
	// keysPressed is how many keys are timed in each flood.
	keysPressed = 200
	// shellLines is how many lines a shell in the pane prints.
	shellLines = 1_000_000
)

// consoles measures the console against an engine of its own.
func (b *bench) consoles(ctx context.Context) (err error) {
	ours, err := b.startBerth(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.stop()) }()
	archive := filepath.Join(b.dir, "starter.tar")
	if _, err := ours.do(ctx, "image", "starter", "-o", archive); err != nil {
		return err
	}
	if _, err := ours.do(ctx, "load", "-i", archive); err != nil {
		return err
	}
	for i := range few {
		if _, err := ours.do(ctx, append([]string{"run", "-d", "--network", "none", "--name", fmt.Sprintf("box-%03d", i), ours.image}, sleeper...)...); err != nil {
			return err
		}
	}
	for _, part := range []func(context.Context, *engine) error{
		func(ctx context.Context, e *engine) error { return b.firstFrame(ctx, e, few, 60) },
		b.shell, b.liveDiff, b.openLayers, b.more,
		func(ctx context.Context, e *engine) error { return b.firstFrame(ctx, e, many, 150) },
		b.keys, b.resting,
	} {
		if err := part(ctx, ours); err != nil {
			return err
		}
	}
	return nil
}

// firstFrame measures the time until the lists are drawn, beside lazydocker's on the same engine.
func (b *bench) firstFrame(ctx context.Context, e *engine, n int, limit float64) error {
	var first, lazy []time.Duration
	for range 5 {
		s, err := sit(ctx, nil, e.cmd...)
		if err != nil {
			return err
		}
		if err := s.sees("● box-000", fmt.Sprintf("Containers %d", n), "berth/starter"); err != nil {
			return err
		}
		first = append(first, time.Since(s.begin))
		if err := s.leave("q"); err != nil {
			return err
		}
		if b.lazydocker == "" {
			continue
		}
		if s, err = sit(ctx, []string{"DOCKER_HOST=unix://" + filepath.Join(b.dir, "s", "berth.sock"), "HOME=" + b.dir}, b.lazydocker); err != nil {
			return err
		}
		if err := s.sees("box-000", "busybox"); err != nil {
			return err
		}
		lazy = append(lazy, time.Since(s.begin))
		if err := s.leave("q"); err != nil {
			return err
		}
	}
	r := result{what: fmt.Sprintf("console, first full frame, %d containers", n), berth: median(first)}
	r.goal, r.met = most(limit, "ms")
	b.add(r)
	if lazy != nil {
		r = result{what: "the same beside lazydocker", berth: median(first), peers: map[string]float64{"lazydocker": median(lazy)}}
		r.goal, r.met = ratio("lazydocker", 0.3)
		b.add(r)
	}
	return nil
}

// shell measures many lines through the pane, beside tmux.
func (b *bench) shell(ctx context.Context, e *engine) error {
	line := fmt.Sprintf("yes | head -n %d; echo do''ne\r", shellLines)
	s, err := sit(ctx, nil, e.cmd...)
	if err != nil {
		return err
	}
	if err := s.sees("● box-000"); err != nil {
		return err
	}
	if _, err := s.press("E", "/ #"); err != nil {
		return err
	}
	took, err := s.press(line, "done")
	if err != nil {
		return err
	}
	if _, err := s.press("\x1dq", "palette"); err != nil {
		return err
	}
	if err := s.leave("\x03"); err != nil {
		return err
	}
	r := result{what: fmt.Sprintf("%d lines in a shell of the console", shellLines), berth: ms(took), peers: map[string]float64{}}
	r.goal, r.met = ratio("tmux", 1.5)
	if tmux, err := exec.LookPath("tmux"); err == nil {
		t, err := sit(ctx, nil, tmux, "-S", filepath.Join(b.dir, "tmux"), "-f", "/dev/null", "new-session", strings.Join(e.cmd, " ")+" exec -it box-000 sh")
		if err != nil {
			return err
		}
		if err := t.sees("/ #"); err != nil {
			return err
		}
		took, err := t.press(line, "done")
		if err != nil {
			return err
		}
		r.peers["tmux"] = ms(took)
		if err := t.leave("exit\r"); err != nil {
			return err
		}
	}
	b.add(r)
	return nil
}

// liveDiff measures how soon a file that a container makes is shown.
func (b *bench) liveDiff(ctx context.Context, e *engine) error {
	s, err := sit(ctx, nil, e.cmd...)
	if err != nil {
		return err
	}
	if err := s.sees("● box-000"); err != nil {
		return err
	}
	if _, err := s.press("D", "Layers", "Files"); err != nil {
		return err
	}
	var all []time.Duration
	for i := range 3 {
		name := fmt.Sprintf("made-%d", i)
		if _, err := e.do(ctx, "exec", "box-000", "touch", "/"+name); err != nil {
			return err
		}
		took, err := s.press("", name)
		if err != nil {
			return err
		}
		all = append(all, took)
	}
	r := result{what: "a new file is in the live diff", berth: ms(slices.Max(all))}
	r.goal, r.met = most(500, "ms")
	b.add(r)
	return s.leave("\x03")
}

// openLayers measures going to a large image, until its layers and files are there.
func (b *bench) openLayers(ctx context.Context, e *engine) error {
	if b.image == "" {
		return nil
	}
	if _, err := e.do(ctx, "load", "-i", b.image); err != nil {
		return err
	}
	s, err := sit(ctx, nil, e.cmd...)
	if err != nil {
		return err
	}
	if err := s.sees("● box-000", "bench"); err != nil {
		return err
	}
	took, err := s.press("3", "Imported from", "─ Files ", "▾ etc/")
	if err != nil {
		return err
	}
	r := result{what: "layer browser on an image of 434 MB", berth: ms(took)}
	r.goal, r.met = most(100, "ms")
	b.add(r)
	return s.leave("\x03")
}

// more makes the containers many.
func (b *bench) more(ctx context.Context, e *engine) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for i := few; i < many; i++ {
		g.Go(func() error {
			_, err := e.do(ctx, append([]string{"create", "--network", "none", "--name", fmt.Sprintf("box-%03d", i), e.image}, sleeper...)...)
			return err
		})
	}
	return g.Wait()
}

// keys measures keys until they are painted, while the log of the selected container is flooded.
func (b *bench) keys(ctx context.Context, e *engine) error {
	for _, f := range []struct {
		rate  int
		limit float64
	}{{10_000, 16}, {100_000, 50}} {
		script := fmt.Sprintf("yes 'a line of a log with some words in it, as long as lines of logs usually are: 0123456789' | head -n %d >/lines; while :; do cat /lines; usleep 8500; done", f.rate/100)
		if _, err := e.do(ctx, "run", "-d", "--network", "none", "--name", "a-flood", e.image, "sh", "-c", script); err != nil {
			return err
		}
		s, err := sit(ctx, nil, e.cmd...)
		if err != nil {
			return err
		}
		if err := s.sees("● a-flood", "follow ●", "a line of a log"); err != nil {
			return err
		}
		var all []time.Duration
		for i := range keysPressed {
			shown := i%2 == 0
			took, err := timed(func() error {
				if _, err := s.tty.WriteString("@"); err != nil {
					return err
				}
				return s.until("the command log", func(now string) bool { return strings.Contains(now, "@ hides") == shown })
			})
			if err != nil {
				return err
			}
			all = append(all, took)
			time.Sleep(time.Duration(7+i%13) * time.Millisecond) // not in step with the frames
		}
		slices.Sort(all)
		r := result{what: fmt.Sprintf("key to paint, p99, a log of about %d lines/s", f.rate), berth: ms(all[len(all)*99/100])}
		r.goal, r.met = most(f.limit, "ms")
		b.add(r)
		b.add(result{what: "the same, median", berth: median(all)})
		if err := s.leave("\x03"); err != nil {
			return err
		}
		if _, err := e.do(ctx, "rm", "-f", "a-flood"); err != nil {
			return err
		}
	}
	return nil
}

// resting measures a console with the engine in it, among many containers: memory, and what it does when nothing happens.
func (b *bench) resting(ctx context.Context, e *engine) error {
	if err := syscall.Kill(e.pid, syscall.SIGTERM); err != nil {
		return err
	}
	for end := time.Now().Add(30 * time.Second); syscall.Kill(e.pid, 0) == nil && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	s, err := sit(ctx, nil, e.cmd...)
	if err != nil {
		return err
	}
	if err := s.sees("● box-000", fmt.Sprintf("Containers %d", many)); err != nil {
		return err
	}
	time.Sleep(settling)
	const span = 10 * time.Second
	before, err := ticks(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	n := s.written()
	time.Sleep(span)
	after, err := ticks(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	r := result{what: fmt.Sprintf("console and engine at rest, %d containers", many), berth: float64(after-before) / span.Seconds(), unit: "%"}
	r.goal, r.met = most(1, "% of a core")
	b.add(r)
	r = result{what: "written in 10 s at rest", berth: float64(s.written() - n), unit: "B"}
	r.goal, r.met = most(0, "B")
	b.add(r)
	mb, err := rollup(s.cmd.Process.Pid, "Pss:")
	if err != nil {
		return err
	}
	r = result{what: fmt.Sprintf("memory of both, %d containers", many), berth: mb, unit: "MB"}
	r.goal, r.met = most(80, "MB")
	b.add(r)
	return s.leave("q")
}

// written is how many bytes the program has written.
func (s *seat) written() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}
