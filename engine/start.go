package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"berth/engine/spec"
	"berth/runtime/mount"
	"berth/shim"

	"github.com/containerd/errdefs"
	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Start starts a container that does not run; NotModified if it does.
// An error leaves nothing running, and its exit code in the record: 127 when
// the command is missing, 126 when it cannot be executed, 128 otherwise.
func (cs *Containers) Start(ctx context.Context, ref string, opts StartOptions) error {
	if opts.Checkpoint != "" {
		return fmt.Errorf("checkpoints cannot be used with this engine yet: %w", errdefs.ErrNotImplemented)
	}
	c, err := cs.get(ref)
	if err != nil {
		return err
	}
	c.op.Lock()
	defer c.op.Unlock()
	// State is looked at under op: a start or exit that was under way has settled.
	c.mu.Lock()
	s, removing := c.rec.State, c.removing || c.gone
	c.mu.Unlock()
	switch {
	case removing:
		return kind(errdefs.ErrConflict, "container is marked for removal and cannot be started")
	case s.Paused:
		return kind(errdefs.ErrConflict, "cannot start a paused container, try unpause instead")
	case s.Running: // also while it waits for its next run
		return kind(errdefs.ErrNotModified, "container %s is already running", c.id)
	}
	// A start by a client begins a new series of restarts.
	c.change(func(r *record) { r.ManuallyStopped, r.RestartCount, r.Backoff = false, 0, 0 })
	return cs.start(ctx, c)
}

// start begins a run. The caller holds c.op and the container does not run.
func (cs *Containers) start(ctx context.Context, c *ctr) error {
	// A client that goes away must not leave half a start; the shim bounds its own calls.
	ctx = context.WithoutCancel(ctx)
	c.mu.Lock()
	rec, last := cs.effective(c.rec), c.lastShim
	c.mu.Unlock()
	err := awaitLeaving(c.id, last)
	var client *shim.Client
	if err == nil {
		client, err = cs.spawn(ctx, rec)
	}
	if err == nil {
		err = cs.connectAndGo(ctx, c, rec, client)
	}
	if err != nil {
		return cs.startFailed(c, err)
	}
	return nil
}

// spawn makes the shim with the created, parked container.
func (cs *Containers) spawn(ctx context.Context, rec record) (*shim.Client, error) {
	if err := deviceDriver(rec.HostConfig.DeviceRequests); err != nil {
		return nil, err
	}
	runtime, err := cs.e.settings().runtime(rec.HostConfig.Runtime)
	if err != nil {
		return nil, err
	}
	env, err := cs.linkEnv(rec)
	if err != nil {
		return nil, err
	}
	if len(env) > 0 {
		cfg := *rec.Config
		cfg.Env = append(env, cfg.Env...)
		rec.Config = &cfg
	}
	joined, err := cs.join(rec.HostConfig)
	if err != nil {
		return nil, err
	}
	defer joined.close()
	if err := makeSources(&rec); err != nil {
		return nil, err
	}
	trees, err := cs.openTrees(ctx, &rec)
	if err != nil {
		return nil, err
	}
	defer trees.close()
	cfg, err := cs.shimConfig(ctx, rec, joined, trees)
	if err != nil {
		return nil, err
	}
	cfg.Runtime = runtime
	return shim.Start(ctx, cs.e.self, cfg, trees.files...)
}

// shimConfig is what the shim is told, but for the runtime. It makes the files that the
// container gets from the host.
func (cs *Containers) shimConfig(ctx context.Context, rec record, joined namespaces, trees *mountTrees) (cfg shim.Config, err error) {
	// Three things that do not need each other; each takes some hundred microseconds.
	var (
		g      errgroup.Group
		rootfs []mount.Mount
		s      *specs.Spec
	)
	g.Go(func() error {
		return errors.Join(cs.writeHostFiles(rec), cs.makeShm(rec))
	})
	g.Go(func() (err error) {
		dirs, err := cs.e.snapshots.Dirs(ctx, snapshotKey(rec.ID))
		if err != nil {
			return err
		}
		s, err = cs.spec(rec, append(spec.Layers{dirs.Upper}, dirs.Lower...), joined, trees.points)
		return err
	})
	g.Go(func() error {
		ms, err := cs.e.snapshots.Mounts(ctx, snapshotKey(rec.ID))
		for _, m := range ms {
			rootfs = append(rootfs, mount.Mount{Type: m.Type, Source: m.Source, Options: m.Options})
		}
		return err
	})
	if err := g.Wait(); err != nil {
		return cfg, err
	}
	log, err := cs.logTarget(rec)
	return shim.Config{
		ID: rec.ID, Dir: cs.shimDir(rec.ID), RuntimeRoot: cs.runtimeRoot(),
		Spec: s, Rootfs: rootfs, MountPoint: cs.mountPoint(rec.ID), Trees: trees.trees,
		Log: log, ExitPath: cs.exitPath(rec.ID),
		// After a crash of the host it is removed, however it ended.
		ExitUnsynced: rec.HostConfig.AutoRemove,
		Tty:          rec.Config.Tty, OpenStdin: rec.Config.OpenStdin, StdinOnce: rec.Config.StdinOnce,
		ConsoleSize: rec.HostConfig.ConsoleSize,
	}, err
}

// leavePatience is how long a shim may take from its container's end to its own.
const leavePatience = 5 * time.Second

// awaitLeaving waits until the shim of the run before is gone: it tells the
// container's end first, and removes its directory and mount point then.
func awaitLeaving(id string, pid int) error {
	if pid == 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("wait for the shim of the run before: %w", err)
	}
	defer unix.Close(fd)
	// Looked at after the descriptor was opened: if it is the shim, the descriptor is its.
	if line := readString(fmt.Sprintf("/proc/%d/cmdline", pid)); !strings.Contains(line, id) {
		return nil
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for end := time.Now().Add(leavePatience); ; {
		n, err := unix.Poll(fds, int(max(0, time.Until(end).Milliseconds())))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("wait for the shim of the run before: %w", err)
		case n == 0:
			return fmt.Errorf("the shim of the run before (process %d) has not left: %w", pid, errdefs.ErrUnavailable)
		}
		return nil
	}
}

// mountPoint is where a shim mounts its container's root, in its own namespace.
func (cs *Containers) mountPoint(id string) string { return filepath.Join(cs.e.mountRoot(), id) }

// spec builds the OCI spec.
func (cs *Containers) spec(rec record, root spec.Root, joined namespaces, points []spec.Mount) (*specs.Spec, error) {
	in := spec.Input{
		ID: rec.ID, Rootfs: cs.mountPoint(rec.ID), Root: root, Config: rec.Config, HostConfig: rec.HostConfig,
		Path: rec.Path, Args: rec.Args, Hostname: rec.Config.Hostname,
		CgroupParent: cs.e.cgroups.parent, CgroupV2: cs.e.cgroups.unified,
		Init: cs.e.self.Name(), Volumes: points, Files: cs.hostFiles(rec.ID),
		NetNS: joined.path("net"), PIDNS: joined.path("pid"), IPCNS: joined.path("ipc"), Shm: cs.shm(rec, joined),
	}
	if owner := joined.network; owner != nil {
		in.Files, in.Hostname = cs.hostFiles(owner.ID), owner.Config.Hostname
	}
	return spec.Build(in)
}

// connectAndGo attaches the network and the waiting clients to a parked
// container and lets it go. On an error the shim and the network are gone.
func (cs *Containers) connectAndGo(ctx context.Context, c *ctr, rec record, client *shim.Client) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, cs.abandon(ctx, c.id))
		}
	}()
	if err := cs.connect(ctx, rec, client); err != nil {
		return fmt.Errorf("%s: %w", networkFailure, err)
	}
	// Clients that attached before the start: connected now, they miss nothing.
	c.mu.Lock()
	queue := c.attaches
	c.attaches = nil
	c.mu.Unlock()
	cs.serveQueue(c, client, queue)
	if err := client.Start(); err != nil {
		return err
	}
	// The process runs. Nothing from here on may fail the start.
	r := &run{Client: client, done: make(chan struct{})}
	started := time.Now().UTC()
	c.mu.Lock()
	c.run, c.lastShim = r, client.ShimPID()
	c.rec.State = state{Running: true, Pid: client.PID(), StartedAt: started, FinishedAt: c.rec.State.FinishedAt}
	rec, queue = c.rec, c.attaches
	c.attaches = nil
	c.mu.Unlock()
	// Those that came since; from now on they find the run.
	cs.serveQueue(c, client, queue)
	cs.tellStart(rec)
	cs.emit(rec, events.ActionStart)
	cs.refreshLinks(c.id)
	cs.startHealth(c, r, nil)
	cs.e.work.Add(1)
	go func() {
		defer cs.e.work.Done()
		cs.follow(c, r)
	}()
	if rec.HostConfig.AutoRemove {
		// Its shim tells that it runs, and nothing will bring it back: no need to write that down.
		return nil
	}
	if err := cs.save(rec); err != nil {
		// The container runs and the shim knows it; the next change writes the record again.
		cs.e.log.Error("recording the start of a container", "id", c.id, "err", err)
	}
	return nil
}

// abandon takes away a container whose start did not work.
func (cs *Containers) abandon(ctx context.Context, id string) error {
	err := shim.Reap(ctx, cs.shimDir(id), cs.runtimeRoot(), id)
	cs.removeMountPoints(id)
	return errors.Join(err, cs.dropShm(id), cs.e.network.Detach(ctx, id))
}

// startFailed records why, in docker's words and codes, and drops the waiting clients.
func (cs *Containers) startFailed(c *ctr, cause error) error {
	rec := c.snapshot()
	code, err := startError(rec.Path, cause)
	// docker leaves the state as it was ("created", if it never ran) and notes code and reason.
	rec = c.change(func(r *record) {
		r.State = state{ExitCode: code, Error: err.Error(), StartedAt: r.State.StartedAt, FinishedAt: r.State.FinishedAt}
		if r.State.StartedAt.IsZero() {
			r.State.FinishedAt = time.Time{}
		}
	})
	c.dropAttaches()
	if serr := cs.save(rec); serr != nil {
		cs.e.log.Error("recording a start that did not work", "id", c.id, "err", serr)
	}
	c.answer(api.WaitResponse{StatusCode: int64(code)}, api.WaitConditionNextExit)
	cs.emit(rec, events.ActionDie, "exitCode", fmt.Sprint(code))
	if rec.HostConfig.AutoRemove {
		if rerr := cs.remove(context.WithoutCancel(cs.e.ctx), c, removal{volumes: true}); rerr != nil {
			cs.e.log.Error("removing a container that did not start", "id", c.id, "err", rerr)
		}
	}
	return err
}

// networkFailure begins the error of a start whose network could not be set up; the words are docker's.
const networkFailure = "failed to set up container networking"

// startError is the error of a start in docker's words, and the exit code that goes with it.
func startError(command string, err error) (int, error) {
	const task = "failed to create task for container: failed to create shim task"
	const prefix = task + ": OCI runtime create failed: unable to start container process"
	if code, ok, worded := runtimeError(task, err); ok {
		return code, worded
	}
	if code, ok, worded := commandError(prefix, command, err); ok {
		return code, worded
	}
	return 128, err
}
