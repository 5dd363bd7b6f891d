package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
	"golang.org/x/sys/unix"
)

const (
	stopTimeout  = 10 // seconds, docker's
	killPatience = 10 * time.Second
	longestStop  = 1 << 31 // seconds; more of them overflow a Duration, which would kill at once
)

// Stop ends a container: its stop signal, and SIGKILL when it has not ended
// after the timeout. It returns when the end is recorded; NotModified when the
// container does not run. A client that goes meanwhile has asked all the same: the
// container gets its time and ends.
func (cs *Containers) Stop(_ context.Context, ref string, opts StopOptions) error {
	c, err := cs.get(ref)
	if err != nil {
		return err
	}
	rec := c.snapshot()
	if !rec.State.Running {
		return kind(errdefs.ErrNotModified, "container %s is already stopped", c.id)
	}
	if err := cs.stop(cs.e.ctx, c, opts); err != nil {
		return fmt.Errorf("cannot stop container: %s: %w", ref, err)
	}
	return nil
}

// stop is Stop; a container that ends meanwhile is fine.
func (cs *Containers) stop(ctx context.Context, c *ctr, opts StopOptions) error {
	rec := c.change(func(r *record) { r.ManuallyStopped = true })
	if rec.State.Restarting {
		return cs.stopRestarting(c)
	}
	if !rec.HostConfig.RestartPolicy.IsNone() {
		// The next engine must know it too, if this one dies before the container.
		if err := cs.save(rec); err != nil {
			return fmt.Errorf("record the stop of container %s: %w", c.id, err)
		}
	}
	name := opts.Signal
	if name == "" {
		name = rec.Config.StopSignal
	}
	sig := unix.SIGTERM
	if name != "" {
		var err error
		if sig, err = parseSignal(name); err != nil {
			return err
		}
	}
	seconds := stopTimeout
	switch {
	case opts.Timeout != nil:
		seconds = *opts.Timeout
	case rec.Config.StopTimeout != nil:
		seconds = *rec.Config.StopTimeout
	}
	r, rec, err := c.running()
	if err != nil {
		return nil // it ended by itself
	}
	if err := cs.signal(c, r, rec, sig); err != nil && !errdefs.IsConflict(err) {
		return err
	}
	var timeout <-chan time.Time
	if seconds >= 0 {
		timer := time.NewTimer(min(time.Duration(seconds), longestStop) * time.Second)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-r.done:
	case <-timeout:
		if err := cs.killAndWait(ctx, c, r); err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	cs.emit(rec, events.ActionStop)
	return nil
}

// stopRestarting stops a container that waits for its next run.
func (cs *Containers) stopRestarting(c *ctr) error {
	c.op.Lock()
	defer c.op.Unlock()
	rec := c.cancelRestart()
	if err := cs.save(rec); err != nil {
		return fmt.Errorf("record the stop of container %s: %w", c.id, err)
	}
	cs.emit(rec, events.ActionStop)
	return nil
}

// killAndWait is the end of a run by SIGKILL. The caller must not hold c.op.
func (cs *Containers) killAndWait(ctx context.Context, c *ctr, r *run) error {
	if err := cs.signal(c, r, c.snapshot(), unix.SIGKILL); err != nil && !errdefs.IsConflict(err) {
		return err
	}
	timer := time.NewTimer(killPatience)
	defer timer.Stop()
	select {
	case <-r.done:
		return nil
	case <-timer.C:
		return fmt.Errorf("container %s has not ended %v after SIGKILL: %w", c.id, killPatience, errdefs.ErrUnavailable)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// signal sends a signal to the container's first process; a paused one is
// thawed so that it can take it.
func (cs *Containers) signal(c *ctr, r *run, rec record, sig unix.Signal) error {
	select {
	case <-r.done:
		return kind(errdefs.ErrConflict, "container %s is not running", c.id)
	default:
	}
	r.tell.Lock()
	defer r.tell.Unlock()
	if err := r.Client.Kill(sig, false); err != nil {
		if errdefs.IsNotFound(err) || errdefs.IsUnavailable(err) || errdefs.IsFailedPrecondition(err) {
			return kind(errdefs.ErrConflict, "container %s is not running", c.id)
		}
		return err
	}
	if rec.State.Paused {
		// The shim thaws for a SIGKILL itself: then it is not paused any more, or all has ended meanwhile.
		err := r.Client.Resume()
		if err != nil && !errdefs.IsFailedPrecondition(err) && !errdefs.IsUnavailable(err) && !errdefs.IsNotFound(err) {
			cs.e.log.Warn("thawing a container for a signal", "id", c.id, "err", err)
		} else {
			c.change(func(r *record) { r.State.Paused = false })
		}
		if err == nil {
			cs.emit(rec, events.ActionUnPause)
		}
	}
	cs.emit(rec, events.ActionKill, "signal", strconv.Itoa(int(sig)))
	return nil
}

// Kill sends a signal ("" is KILL; "TERM", "SIGTERM" and "15" are the same).
// It waits for the end when the signal is KILL.
func (cs *Containers) Kill(ctx context.Context, ref string, name string) error {
	if name == "" {
		name = "KILL"
	}
	sig, err := parseSignal(name)
	if err != nil {
		return err
	}
	c, err := cs.get(ref)
	if err != nil {
		return fmt.Errorf("cannot kill container: %s: %w", ref, err)
	}
	r, rec, err := c.running()
	if err != nil {
		if rec.State.Restarting {
			c.change(func(r *record) { r.ManuallyStopped = true })
			return cs.stopRestarting(c)
		}
		return kind(errdefs.ErrConflict, "cannot kill container: %s: %v", ref, err)
	}
	// A signal that asks for the end also ends the restart policy; a HUP, say, does not.
	if stop, _ := parseSignal(rec.Config.StopSignal); sig == unix.SIGKILL || sig == unix.SIGTERM || sig == stop {
		c.change(func(r *record) { r.ManuallyStopped = true })
	}
	if sig == unix.SIGKILL {
		return cs.killAndWait(ctx, c, r)
	}
	if err := cs.signal(c, r, rec, sig); err != nil {
		return kind(kindOf(err), "cannot kill container: %s: %v", ref, err)
	}
	return nil
}

// kindOf keeps the kind of an error that gets new words.
func kindOf(err error) error {
	if errdefs.IsConflict(err) {
		return errdefs.ErrConflict
	}
	return err
}

// Restart stops a container if it runs, and starts it, also when the client has gone meanwhile.
func (cs *Containers) Restart(_ context.Context, ref string, opts StopOptions) error {
	ctx := cs.e.ctx
	c, err := cs.get(ref)
	if err != nil {
		return err
	}
	if c.snapshot().HostConfig.AutoRemove {
		// Its end must not take it away this time.
		c.setAutoRemove(false)
		defer c.setAutoRemove(true)
	}
	if c.snapshot().State.Running {
		if err := cs.stop(ctx, c, opts); err != nil {
			return fmt.Errorf("cannot restart container %s: %w", ref, err)
		}
	}
	// NotModified: somebody else started it first, which is as good.
	if err := cs.Start(ctx, c.id, StartOptions{}); err != nil && !errdefs.IsNotModified(err) {
		return err
	}
	cs.emit(c.snapshot(), events.ActionRestart)
	return nil
}

// setAutoRemove changes HostConfig.AutoRemove in memory: on disk it stays, so
// that a crash meanwhile does not leave the container for ever.
func (c *ctr) setAutoRemove(on bool) {
	c.change(func(r *record) {
		hc := *r.HostConfig
		hc.AutoRemove = on
		r.HostConfig = &hc
		r.keepAutoRemove = !on
	})
}

// Pause freezes all processes of a container.
func (cs *Containers) Pause(_ context.Context, ref string) error {
	return cs.freeze(ref, true)
}

// Unpause thaws them.
func (cs *Containers) Unpause(_ context.Context, ref string) error {
	return cs.freeze(ref, false)
}

// freeze is Pause and Unpause. The cgroup freezer takes all processes or none.
func (cs *Containers) freeze(ref string, on bool) error {
	c, err := cs.get(ref)
	if err != nil {
		return err
	}
	c.op.Lock()
	defer c.op.Unlock()
	r, rec, err := c.running()
	if !on && !rec.State.Paused {
		//lint:ignore ST1005 the words are docker's, and so is that it has no kind
		return fmt.Errorf("Container %s is not paused", c.id)
	}
	if err != nil {
		return err
	}
	do, action := r.Client.Pause, events.ActionPause
	switch {
	case on && rec.State.Paused:
		return kind(errdefs.ErrConflict, "Container %s is already paused", c.id)
	case !on:
		do, action = r.Client.Resume, events.ActionUnPause
	}
	if err := do(); err != nil {
		return fmt.Errorf("cannot %s container %s: %w", action, c.id, err)
	}
	rec = c.change(func(r *record) { r.State.Paused = on })
	if err := cs.save(rec); err != nil {
		return fmt.Errorf("record the state of container %s: %w", c.id, err)
	}
	cs.emit(rec, action)
	return nil
}

// Resize sets the size of a container's terminal in character cells.
func (cs *Containers) Resize(_ context.Context, ref string, height, width uint) error {
	c, err := cs.get(ref)
	if err != nil {
		return err
	}
	r, rec, err := c.running()
	if err != nil {
		return err
	}
	if rec.Config.Tty { // without one docker takes it, too
		if err := r.Client.Resize(height, width); err != nil {
			return err
		}
	}
	cs.emit(rec, events.ActionResize, "height", strconv.Itoa(int(height)), "width", strconv.Itoa(int(width)))
	return nil
}

// Rename gives a container another name.
func (cs *Containers) Rename(_ context.Context, ref, name string) error {
	if strings.TrimPrefix(name, "/") == "" {
		return kind(errdefs.ErrInvalidArgument, "Neither old nor new names may be empty")
	}
	c, err := cs.get(ref)
	if err != nil {
		return err
	}
	c.op.Lock()
	defer c.op.Unlock()
	old := c.snapshot()
	if strings.TrimPrefix(name, "/") == old.Name {
		return kind(errdefs.ErrInvalidArgument, "Renaming a container with the same name as its current name")
	}
	// Both names are the container's until the record is written; a crash leaves the old one.
	if name, err = cs.reserve(name, c.id); err != nil {
		return fmt.Errorf("Error when allocating new name: %w", err)
	}
	rec := c.change(func(r *record) { r.Name = name })
	if err := cs.save(rec); err != nil {
		c.change(func(r *record) { r.Name = old.Name })
		cs.release(name, c.id)
		return fmt.Errorf("record the name of container %s: %w", c.id, err)
	}
	cs.release(old.Name, c.id)
	if err := cs.renameEndpoints(rec); err != nil {
		return err
	}
	cs.emit(rec, events.ActionRename, "oldName", "/"+old.Name)
	return nil
}

// parseSignal reads "KILL", "sigkill", "9" and real-time "RTMIN+3".
func parseSignal(s string) (unix.Signal, error) {
	bad := kind(errdefs.ErrInvalidArgument, "Invalid signal: %s", s)
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 || n > 64 {
			return 0, bad
		}
		return unix.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return sig, nil
	}
	for _, rt := range []struct {
		name string
		base int
		sign int
	}{{"RTMIN", 34, 1}, {"RTMAX", 64, -1}} {
		rest, ok := strings.CutPrefix(name, rt.name)
		if !ok {
			continue
		}
		if rest == "" {
			return unix.Signal(rt.base), nil
		}
		if n, err := strconv.Atoi(rest); err == nil && n*rt.sign >= 0 && n*rt.sign <= 30 {
			return unix.Signal(rt.base + n), nil
		}
	}
	return 0, bad
}
