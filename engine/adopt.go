package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"berth/shim"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"golang.org/x/sync/errgroup"
)

// adopt makes memory agree with the world at Open:
//
//	shim lives, container runs    adopt it
//	shim lives, never started     the engine died in the middle of a start: take it back
//	no shim, exit record          it ended meanwhile: record how
//	no shim, no exit record       shim killed, or a reboot: reap, exit code 255
//	directory, snapshot or shim
//	without a record              a create or remove that was interrupted: take it away
//
// Then AutoRemove containers that ended go, and restart policies apply.
func (cs *Containers) adopt(ctx context.Context) error {
	err := cs.e.records.ForEach(func(id string, rec record) error {
		c := &ctr{id: id, rec: rec, waiters: make(map[*waiter]struct{})}
		cs.byID[id], cs.names[rec.Name] = c, id
		cs.rememberLinks(rec)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read containers: %w", err)
	}
	// Each takes a round trip to its shim; sixteen at a time keep a machine with a thousand
	// containers from waiting for seconds.
	list := cs.all()
	cs.missed = make(map[string]container.WaitResponse)
	ended := make([]bool, len(list))
	var g errgroup.Group
	g.SetLimit(16)
	for i, c := range list {
		g.Go(func() (err error) {
			if ended[i], err = cs.adoptOne(ctx, c); err != nil {
				// One container's trouble must not keep the engine from the others.
				cs.e.log.Error("adopting a container", "id", c.id, "err", err)
			}
			return nil
		})
	}
	g.Go(func() error { return cs.sweep(ctx) })
	if err := g.Wait(); err != nil {
		return err
	}
	var live []string
	for _, c := range list {
		c.mu.Lock()
		if c.run != nil {
			live = append(live, c.id)
		}
		c.mu.Unlock()
	}
	// After all is known and before anything is started: addresses and ports of the dead are free then.
	if err := cs.e.network.Reconcile(ctx, live); err != nil {
		return fmt.Errorf("reconcile networks: %w", err)
	}
	for i, c := range list {
		if err := cs.resumeNetworks(ctx, c); err != nil {
			cs.e.log.Error("resuming the networks of a container", "id", c.id, "err", err)
		}
		cs.resume(ctx, c, ended[i])
	}
	return nil
}

// adoptOne finds out about one container. ended tells that its last run ended
// while no engine was there.
func (cs *Containers) adoptOne(ctx context.Context, c *ctr) (ended bool, err error) {
	client, err := shim.Connect(ctx, cs.shimDir(c.id))
	if errdefs.IsNotFound(err) || errdefs.IsUnavailable(err) {
		// Gone, or on its way out: what it had to record is on disk by then.
		return cs.adoptEnded(ctx, c)
	}
	if err != nil {
		return false, err
	}
	info, err := client.Info()
	if err != nil {
		// It left between the two questions.
		return cs.adoptEnded(ctx, c)
	}
	if info.Status == shim.StatusCreated {
		err := cs.abandon(ctx, c.id)
		rec := c.change(func(r *record) { r.State.Running, r.State.Pid = r.State.Restarting, 0 })
		return false, errors.Join(err, cs.save(rec))
	}
	r := &run{Client: client, done: make(chan struct{})}
	c.mu.Lock()
	c.run, c.lastShim = r, info.ShimPID
	health := c.rec.State.Health
	if c.rec.State.Pid != info.PID {
		health = nil // of the run before
	}
	c.rec.State = state{
		Running: true, Paused: info.Status == shim.StatusPaused, Pid: info.PID,
		StartedAt: info.StartedAt.UTC(), FinishedAt: c.rec.State.FinishedAt,
	}
	c.mu.Unlock()
	cs.adoptExecs(c, r, info.Execs)
	cs.startHealth(c, r, health)
	cs.e.work.Add(1)
	go func() {
		defer cs.e.work.Done()
		cs.follow(c, r)
	}()
	return false, nil
}

// adoptEnded settles a container without a shim.
func (cs *Containers) adoptEnded(ctx context.Context, c *ctr) (bool, error) {
	before := c.rec.State
	exit, err := shim.ReadExit(cs.exitPath(c.id))
	if err != nil && !errdefs.IsNotFound(err) {
		cs.e.log.Error("reading an exit record", "id", c.id, "err", err)
	}
	known := err == nil
	if known && !exit.ExitedAt.After(before.FinishedAt) || !known && (!before.Running || before.Restarting) {
		// Nothing happened since; a pause before a restart goes on in resume.
		c.rec.State.Running, c.rec.State.Paused = before.Restarting, false
		return false, nil
	}
	// Also when the record says "created": the start was not written down, and needs not be.
	err = shim.Reap(ctx, cs.shimDir(c.id), cs.runtimeRoot(), c.id)
	if !known {
		exit = shim.Exit{Status: exitLost, StartedAt: before.StartedAt, ExitedAt: time.Now().UTC(), Error: "the container's shim was killed"}
	}
	cs.removeMountPoints(c.id)
	rec := c.change(func(r *record) { r.State = exitState(before, exit) })
	err = errors.Join(err, cs.dropShm(c.id), cs.save(rec))
	cs.emitEnd(rec) // for who listened to the engine before, and asks this one for what it missed
	return true, err
}

// resume applies AutoRemove and the restart policy to what does not run.
func (cs *Containers) resume(ctx context.Context, c *ctr, ended bool) {
	// Adopted containers are followed already: one may end right now, and its end come first.
	c.op.Lock()
	defer c.op.Unlock()
	c.mu.Lock()
	rec, settled := c.rec, c.run != nil || c.gone
	c.mu.Unlock()
	if settled {
		return // it runs, or ended a moment ago and went
	}
	if rec.HostConfig.AutoRemove {
		// One that was never started waits for its client. The record does not tell,
		// since the start of such a container is not written down; the first thing a start makes is its host files.
		_, err := os.Stat(filepath.Join(cs.dir(c.id), hostnameFile))
		if ended || err == nil || !rec.State.FinishedAt.IsZero() {
			if ended {
				cs.missed[c.id] = waitResponse(rec)
			}
			if err := cs.remove(ctx, c, removal{volumes: true}); err != nil {
				cs.e.log.Error("removing a container that ended without an engine", "id", c.id, "err", err)
			}
		}
		return
	}
	p, again := rec.HostConfig.RestartPolicy, false
	rec = c.change(func(r *record) {
		switch {
		case r.State.Restarting:
			again = true // as the engine before had begun
		case ended && wantsRestart(r):
			r.restart(r.State.FinishedAt, r.State.FinishedAt.Sub(r.State.StartedAt))
			again = true
		case r.State.StartedAt.IsZero():
		case p.IsAlways(), p.IsUnlessStopped() && !r.ManuallyStopped:
			// docker: always means also after the daemon's restart; unless-stopped what it says.
			r.State.Running, r.State.Restarting, again = true, true, true
		}
	})
	if !again {
		return
	}
	if err := cs.save(rec); err != nil {
		cs.e.log.Error("recording a restart", "id", c.id, "err", err)
	}
	cs.restartLater(c, rec.pause())
}

// sweep removes what no record names.
func (cs *Containers) sweep(ctx context.Context) error {
	known := func(id string) bool {
		cs.mu.RLock()
		defer cs.mu.RUnlock()
		return cs.byID[id] != nil
	}
	for _, dir := range []string{filepath.Join(cs.e.cfg.State, "shim"), filepath.Join(cs.e.cfg.Root, "containers")} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("look for leftovers: %w", err)
		}
		for _, e := range entries {
			id := e.Name()
			if known(id) || len(id) != 64 {
				continue
			}
			if err := errors.Join(cs.abandon(ctx, id), os.RemoveAll(cs.dir(id))); err != nil {
				cs.e.log.Error("removing what an interrupted command left", "id", id, "err", err)
			}
		}
	}
	var keys []string
	err := cs.e.snapshots.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		if id, ok := ownerOfSnapshot(info.Name); ok && !known(id) {
			keys = append(keys, info.Name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for leftover snapshots: %w", err)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := cs.e.snapshots.Remove(ctx, key); err != nil && !errdefs.IsNotFound(err) {
			cs.e.log.Error("removing a leftover snapshot", "key", key, "err", err)
		}
	}
	return nil
}
