package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"berth/shim"
	"berth/store/meta"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// exitLost is the exit code of a container whose shim was killed, or that a
// reboot took: nobody saw its end. It is docker's.
const exitLost = 255

// follow waits for the end of a run and records it. It returns early, with
// nothing done, when the engine closes.
func (cs *Containers) follow(c *ctr, r *run) {
	// The exit record is written when this returns, so the engine may die at any later point.
	exit, err := r.Client.Wait(cs.e.ctx)
	if cs.e.ctx.Err() != nil {
		return
	}
	c.op.Lock()
	defer c.op.Unlock()
	if err != nil {
		exit = cs.lost(c, err)
	}
	cs.finish(c, r, exit)
}

// lost makes up the exit of a container whose shim died before it: what is
// left of the container is killed.
func (cs *Containers) lost(c *ctr, cause error) shim.Exit {
	cs.e.log.Error("the shim of a container is gone", "id", c.id, "err", cause)
	if exit, err := shim.ReadExit(cs.exitPath(c.id)); err == nil {
		return exit
	}
	text := "the container's shim was killed"
	if err := shim.Reap(cs.e.ctx, cs.shimDir(c.id), cs.runtimeRoot(), c.id); err != nil {
		text += ": " + err.Error()
	}
	cs.removeMountPoints(c.id)
	return shim.Exit{ID: c.id, Status: exitLost, Error: text, ExitedAt: time.Now().UTC()}
}

// finish records the end of the current run and does what follows from it:
// a restart or a removal. The caller holds c.op.
func (cs *Containers) finish(c *ctr, r *run, exit shim.Exit) {
	ctx := context.WithoutCancel(cs.e.ctx)
	// Addresses and ports are given back while the rest is settled, but before anybody hears
	// of the end: who waits for it may want the same port at once.
	ends := cs.e.network.Endpoints(c.id)
	detached := make(chan error, 1)
	go func() { detached <- cs.e.network.Detach(ctx, c.id) }()

	rec := c.change(func(rec *record) {
		rec.State = exitState(rec.State, exit)
		if c.removing {
			return // whoever removes it waits for this end
		}
		if ran := exit.ExitedAt.Sub(rec.State.StartedAt); wantsRestart(rec) {
			rec.restart(exit.ExitedAt, ran)
		}
	})
	cs.forgetExecs(c.id)
	r.tell.Lock()
	cs.emitEnd(rec)
	r.tell.Unlock()
	if err := <-detached; err != nil {
		cs.e.log.Error("detaching a container's network", "id", c.id, "err", err)
	}
	cs.tellEnd(rec, ends)
	if err := cs.dropShm(c.id); err != nil {
		cs.e.log.Error("ending a container", "id", c.id, "err", err)
	}
	remove := rec.HostConfig.AutoRemove && !rec.State.Restarting
	if !remove {
		// One that is about to go need not have its end written down: the exit record is there.
		if err := cs.save(rec); err != nil {
			cs.e.log.Error("recording the end of a container", "id", c.id, "err", err)
		}
	}
	if rec.State.Restarting {
		cs.restartLater(c, time.Duration(rec.Backoff))
	}
	c.mu.Lock()
	c.run = nil
	c.mu.Unlock()
	// Followers of the log end now: the shim had flushed it before it told the exit.
	close(r.done)
	c.answer(waitResponse(rec), container.WaitConditionNotRunning, container.WaitConditionNextExit)
	if remove {
		// Who waits for the removal waits for all that others can see of it, not for the files.
		if err := cs.remove(ctx, c, removal{volumes: true, filesLater: true}); err != nil && !errdefs.IsNotFound(err) {
			cs.e.log.Error("removing a container after its end", "id", c.id, "err", err)
			c.answer(container.WaitResponse{StatusCode: int64(exit.Status), Error: &container.WaitExitError{Message: err.Error()}}, container.WaitConditionRemoved)
		}
	}
}

// emitEnd tells of the end of a run.
func (cs *Containers) emitEnd(rec record) {
	if rec.State.OOMKilled {
		cs.emit(rec, events.ActionOOM)
	}
	took := max(0, rec.State.FinishedAt.Sub(rec.State.StartedAt))
	cs.emit(rec, events.ActionDie, "exitCode", strconv.Itoa(rec.State.ExitCode), "execDuration", strconv.Itoa(int(took.Seconds())))
}

// waitResponse is the answer to who waits for a container.
func waitResponse(rec record) container.WaitResponse {
	return container.WaitResponse{StatusCode: int64(rec.State.ExitCode)}
}

// exitState is the state after a run.
func exitState(before state, exit shim.Exit) state {
	s := state{ExitCode: exit.Status, OOMKilled: exit.OOMKilled, Error: exit.Error, StartedAt: before.StartedAt, FinishedAt: exit.ExitedAt.UTC()}
	if !exit.StartedAt.IsZero() {
		s.StartedAt = exit.StartedAt.UTC()
	}
	if s.FinishedAt.IsZero() {
		s.FinishedAt = time.Now().UTC()
	}
	if before.Health != nil { // as docker has it
		h := *before.Health
		h.Status = container.Unhealthy
		s.Health = &h
	}
	return s
}

// wantsRestart applies the restart policy to a container that has just ended.
func wantsRestart(rec *record) bool {
	if rec.ManuallyStopped {
		return false
	}
	p := rec.HostConfig.RestartPolicy
	switch {
	case p.IsAlways(), p.IsUnlessStopped():
		return true
	case p.IsOnFailure():
		return rec.State.ExitCode != 0 && (p.MaximumRetryCount == 0 || rec.RestartCount < p.MaximumRetryCount)
	}
	return false
}

// backoff is docker's pause before restarts: 100 ms, doubling up to a minute,
// from the start again after a run of ten seconds. It goes on with the next engine.
type backoff time.Duration

const (
	firstPause = 100 * time.Millisecond
	longPause  = time.Minute
	goodRun    = 10 * time.Second
)

// next is the pause before a restart after b and a run.
func (b backoff) next(ran time.Duration) backoff {
	if ran >= goodRun || b == 0 {
		return backoff(firstPause)
	}
	return min(2*b, backoff(longPause))
}

// restart makes r one that is to be restarted after a run that ended at a time.
func (r *record) restart(ended time.Time, ran time.Duration) {
	r.Backoff = r.Backoff.next(ran)
	r.RestartAt = ended.Add(time.Duration(r.Backoff)).UTC()
	r.RestartCount++
	r.State.Running, r.State.Restarting = true, true
}

// pause is how much is left of the pause before a restart, whatever the clock was set to.
func (r *record) pause() time.Duration {
	return min(max(0, time.Until(r.RestartAt)), time.Duration(r.Backoff))
}

// restartLater starts the container again after the pause, unless it is cancelled.
func (cs *Containers) restartLater(c *ctr, pause time.Duration) {
	ctx, cancel := context.WithCancel(cs.e.ctx)
	c.mu.Lock()
	c.cancel = cancel
	c.mu.Unlock()
	cs.e.work.Add(1)
	go func() {
		defer cs.e.work.Done()
		defer cancel()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		c.op.Lock()
		defer c.op.Unlock()
		c.mu.Lock()
		// A stop, a removal or a client's own start may have come first.
		valid := ctx.Err() == nil && c.rec.State.Restarting && !c.removing
		c.mu.Unlock()
		if !valid {
			return
		}
		if err := cs.start(ctx, c); err != nil {
			cs.e.log.Warn("restarting a container", "id", c.id, "err", err)
			cs.tryAgain(c)
		}
	}()
}

// tryAgain goes on with the policy after a start that did not work.
func (cs *Containers) tryAgain(c *ctr) {
	rec := c.change(func(rec *record) {
		if !c.removing && !c.gone && wantsRestart(rec) {
			rec.restart(time.Now(), 0)
		}
	})
	if !rec.State.Restarting {
		return
	}
	if err := cs.save(rec); err != nil {
		cs.e.log.Error("recording a restart", "id", c.id, "err", err)
	}
	cs.restartLater(c, time.Duration(rec.Backoff))
}

// cancelRestart ends the pause before a restart; the container counts as exited then.
func (c *ctr) cancelRestart() record {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
	if c.rec.State.Restarting {
		c.rec.State.Restarting, c.rec.State.Running = false, false
	}
	return c.rec
}

// removal says how a container is removed.
type removal struct {
	volumes    bool // its anonymous volumes go, too
	filesLater bool // its files go in the background
}

// remove takes a container that does not run away: first its record, for then
// a crash leaves only what Open knows to be nobody's. The caller holds c.op.
func (cs *Containers) remove(ctx context.Context, c *ctr, how removal) error {
	c.mu.Lock()
	rec := c.rec
	if c.gone {
		c.mu.Unlock()
		return kind(errdefs.ErrNotFound, "No such container: %s", c.id)
	}
	c.removing = true
	c.mu.Unlock()
	// Before the record goes, since it names them.
	var own []string
	if how.volumes {
		own = cs.anonymousVolumes(rec)
	}
	layer, err := cs.forget(ctx, c.id)
	if err != nil {
		c.mu.Lock()
		c.removing = false
		c.mu.Unlock()
		return fmt.Errorf("remove the record of container %s: %w", c.id, err)
	}
	cs.mu.Lock()
	delete(cs.byID, c.id)
	cs.forgetLinks(rec)
	if cs.names[rec.Name] == c.id {
		delete(cs.names, rec.Name)
	}
	cs.mu.Unlock()
	c.dropAttaches()
	files := func() error {
		return errors.Join(layer(), cs.dropImages(context.WithoutCancel(ctx), &rec), os.RemoveAll(cs.dir(c.id)))
	}
	_, err = cs.e.Volumes.removeFree(own...)
	if how.filesLater {
		cs.e.work.Go(func() {
			if err := files(); err != nil {
				cs.e.log.Error("removing the files of a container", "id", c.id, "err", err)
			}
		})
	} else {
		err = errors.Join(err, files())
	}
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	cs.emit(rec, events.ActionDestroy)
	c.answer(waitResponse(rec), container.WaitConditionRemoved, container.WaitConditionNotRunning, container.WaitConditionNextExit)
	return err
}

// forget removes the records of a container and its writable layer, and returns what
// removes the layer's files.
func (cs *Containers) forget(ctx context.Context, id string) (files func() error, err error) {
	files, err = cs.e.snapshots.Forget(ctx, snapshotKey(id), func(tx *meta.Tx) error {
		return cs.e.records.In(tx).Delete(id)
	})
	if errdefs.IsNotFound(err) { // the layer is lost; the container goes all the same
		return func() error { return nil }, cs.e.records.Delete(id)
	}
	return files, err
}

// anonymousVolumes are those of a container that nobody named.
func (cs *Containers) anonymousVolumes(rec record) []string {
	var names []string
	for _, m := range rec.Mounts {
		if m.Name == "" {
			continue
		}
		v, err := cs.e.Volumes.Inspect(cs.e.ctx, m.Name)
		if err != nil {
			continue // gone already
		}
		if _, anonymous := v.Labels[anonymousLabel]; anonymous {
			names = append(names, m.Name)
		}
	}
	return names
}
