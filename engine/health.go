package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"golang.org/x/sys/unix"
)

// What a health check leaves open (Dockerfile reference, HEALTHCHECK), and what
// is kept of its answers.
const (
	healthInterval      = 30 * time.Second
	healthTimeout       = 30 * time.Second
	healthStartInterval = 5 * time.Second
	healthRetries       = 3
	healthLog           = 5    // results
	healthOutput        = 4096 // bytes of each
)

// checkHealth refuses a health check that cannot be meant.
func checkHealth(h *container.HealthConfig) error {
	if h == nil {
		return nil
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"Interval", h.Interval}, {"Timeout", h.Timeout}, {"StartPeriod", h.StartPeriod}, {"StartInterval", h.StartInterval}} {
		if d.value != 0 && d.value < time.Millisecond {
			return kind(errdefs.ErrInvalidArgument, "%s in Healthcheck cannot be less than 1ms", d.name)
		}
	}
	if h.Retries < 0 {
		return kind(errdefs.ErrInvalidArgument, "Retries in Healthcheck cannot be negative")
	}
	return nil
}

// healthCommand is what a check runs, nil if there is nothing to run.
func healthCommand(cfg *container.Config) []string {
	h := cfg.Healthcheck
	if h == nil || len(h.Test) < 2 {
		return nil
	}
	switch h.Test[0] {
	case "CMD":
		return h.Test[1:]
	case "CMD-SHELL":
		shell := cfg.Shell
		if len(shell) == 0 {
			shell = []string{"/bin/sh", "-c"}
		}
		return append(slices.Clone(shell), h.Test[1])
	}
	return nil
}

// startHealth begins a run's health with "starting", or with what an earlier
// engine knew of the same run, and follows it until the run ends.
func (cs *Containers) startHealth(c *ctr, r *run, before *container.Health) {
	rec := c.snapshot()
	command := healthCommand(rec.Config)
	if command == nil {
		return
	}
	if before == nil {
		before = &container.Health{Status: container.Starting}
	}
	c.change(func(r *record) { r.State.Health = before })
	cs.e.work.Go(func() { cs.followHealth(c, r, command) })
}

// followHealth runs the check again and again, until the run or the engine ends.
// A paused container is not asked.
func (cs *Containers) followHealth(c *ctr, r *run, command []string) {
	ctx, cancel := context.WithCancel(cs.e.ctx)
	defer cancel()
	timer := time.NewTimer(firstCheck(c.snapshot()))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.done:
			return
		case <-timer.C:
		}
		if rec := c.snapshot(); !rec.State.Paused {
			result := cs.probe(ctx, c, r, command, cmp.Or(rec.Config.Healthcheck.Timeout, healthTimeout))
			if ctx.Err() != nil || over(r) {
				return
			}
			cs.recordHealth(c, r, result)
		}
		timer.Reset(healthPause(c.snapshot()))
	}
}

func over(r *run) bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// healthPause is how long until the next check: less while the container starts.
func healthPause(rec record) time.Duration {
	h := rec.Config.Healthcheck
	if rec.State.Health.Status == container.Starting && time.Since(rec.State.StartedAt) < h.StartPeriod {
		return min(cmp.Or(h.StartInterval, healthStartInterval), cmp.Or(h.Interval, healthInterval))
	}
	return cmp.Or(h.Interval, healthInterval)
}

// firstCheck is how long until the first check by this engine: the one before may have made some.
func firstCheck(rec record) time.Duration {
	pause := healthPause(rec)
	if log := rec.State.Health.Log; len(log) > 0 {
		return min(max(0, time.Until(log[len(log)-1].End.Add(pause))), pause)
	}
	return pause
}

// probe runs the check once.
func (cs *Containers) probe(ctx context.Context, c *ctr, r *run, command []string, timeout time.Duration) *container.HealthcheckResult {
	result := &container.HealthcheckResult{Start: time.Now(), ExitCode: -1}
	defer func() { result.End = time.Now() }()
	id, err := cs.ExecCreate(ctx, c.id, ExecOptions{Cmd: command, AttachStdout: true, AttachStderr: true})
	if err != nil {
		result.Output = err.Error()
		return result
	}
	defer cs.forgetExec(id)
	out, w, err := os.Pipe()
	if err != nil {
		result.Output = err.Error()
		return result
	}
	defer out.Close()
	err = cs.ExecStart(ctx, id, ExecStartOptions{Conn: w})
	err = errors.Join(err, w.Close())
	if err != nil {
		result.Output = err.Error()
		return result
	}
	x, err := cs.getExec(id)
	if err != nil {
		result.Output = err.Error()
		return result
	}
	var output limited
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(&output, out) // to its end: a check that is not read would block
	}()
	wait, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case <-x.done:
		x.mu.Lock()
		result.ExitCode = *x.exitCode
		x.mu.Unlock()
		// What it left running may hold the pipe open.
		select {
		case <-read:
		case <-wait.Done():
		}
		result.Output = output.String()
	case <-wait.Done():
		if ctx.Err() == nil {
			if err := r.Client.ExecKill(id, unix.SIGKILL); err != nil {
				cs.e.log.Error("ending a health check that takes too long", "id", c.id, "err", err)
			}
		}
		result.Output = fmt.Sprintf("Health check exceeded timeout (%v)", timeout)
		if s := output.String(); s != "" {
			result.Output += ": " + s
		}
	}
	return result
}

// limited keeps the beginning of what is written to it.
type limited struct {
	mu   sync.Mutex
	text []byte
	more bool
}

func (l *limited) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(b), healthOutput-len(l.text))
	l.text = append(l.text, b[:n]...)
	l.more = l.more || n < len(b)
	return len(b), nil
}

func (l *limited) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more {
		return string(l.text) + "..."
	}
	return string(l.text)
}

// forgetExec drops an exec that no client knows of.
func (cs *Containers) forgetExec(id string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.execs, id)
}

// recordHealth adds a result to what is known of a run's health. It is written
// down when it says something new, so that the next engine goes on from there.
func (cs *Containers) recordHealth(c *ctr, r *run, result *container.HealthcheckResult) {
	c.mu.Lock()
	if c.run != r || c.rec.State.Health == nil {
		c.mu.Unlock()
		return
	}
	before := c.rec.State.Health
	c.rec.State.Health = nextHealth(c.rec, result)
	rec := c.rec
	c.mu.Unlock()
	now := rec.State.Health
	if now.Status == before.Status && now.FailingStreak == before.FailingStreak {
		return
	}
	if err := cs.save(rec); err != nil {
		cs.e.log.Error("recording the health of a container", "id", c.id, "err", err)
	}
	if now.Status != before.Status {
		cs.emit(rec, events.Action(fmt.Sprintf("%s: %s", events.ActionHealthStatus, now.Status)))
	}
}

// nextHealth is the health of a container after one more result: a failure counts
// only once the start period is over or the container has been healthy.
func nextHealth(rec record, result *container.HealthcheckResult) *container.Health {
	h, cfg := *rec.State.Health, rec.Config.Healthcheck
	h.Log = append(slices.Clone(h.Log), result)
	h.Log = h.Log[max(0, len(h.Log)-healthLog):]
	if result.ExitCode == 0 {
		h.Status, h.FailingStreak = container.Healthy, 0
		return &h
	}
	if h.Status == container.Starting && result.Start.Sub(rec.State.StartedAt) < cfg.StartPeriod {
		return &h
	}
	if h.FailingStreak++; h.FailingStreak >= cmp.Or(cfg.Retries, healthRetries) {
		h.Status = container.Unhealthy
	}
	return &h
}

// healthText is what the list says of it.
func healthText(h *container.Health) string {
	switch {
	case h == nil:
		return ""
	case h.Status == container.Starting:
		return " (health: starting)"
	}
	return " (" + string(h.Status) + ")"
}

// healthStatus is the status of a container's health.
func healthStatus(h *container.Health) container.HealthStatus {
	if h == nil {
		return container.NoHealthcheck
	}
	return h.Status
}
