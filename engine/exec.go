package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"berth/engine/spec"
	"berth/shim"

	"github.com/containerd/errdefs"
	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// execKept is how long a finished exec can still be inspected, and goneKept how long one
// whose container has been removed: its client asks at once.
const (
	execKept = 5 * time.Minute
	goneKept = 10 * time.Second
)

// execution is one further process of a container. The maps of Containers guard
// its membership; mu guards its fields that change.
type execution struct {
	id   string
	c    *ctr
	opts ExecOptions

	mu       sync.Mutex
	started  bool
	running  bool
	pid      int
	exitCode *int
	ended    time.Time
	spawned  chan struct{} // closed when running is set
	done     chan struct{} // closed when ended is set
}

// ExecCreate prepares a process in a running container and returns its ID.
func (cs *Containers) ExecCreate(_ context.Context, ref string, opts ExecOptions) (string, error) {
	c, err := cs.get(ref)
	if err != nil {
		return "", err
	}
	if len(opts.Cmd) == 0 || opts.Cmd[0] == "" {
		return "", kind(errdefs.ErrInvalidArgument, "No exec command specified")
	}
	if _, err := shim.ParseDetachKeys(opts.DetachKeys); err != nil {
		return "", kind(errdefs.ErrInvalidArgument, "Invalid detach keys (%s) provided", opts.DetachKeys)
	}
	r, rec, err := c.running()
	if err != nil {
		return "", err
	}
	if rec.State.Paused {
		return "", kind(errdefs.ErrConflict, "Container %s is paused, unpause the container before exec", c.id)
	}
	// Said now, while there is a status to say it with.
	if opts.User != "" {
		if err := checkUser(r.Client, opts.User); err != nil {
			return "", err
		}
	}
	x := &execution{id: newID(), c: c, opts: opts, spawned: make(chan struct{}), done: make(chan struct{})}
	cs.mu.Lock()
	cs.dropOldExecs()
	cs.execs[x.id] = x
	cs.mu.Unlock()
	cs.emitExec(rec, events.ActionExecCreate, x)
	return x.id, nil
}

// checkUser refuses a user or a group that the running container does not have.
func checkUser(client *shim.Client, user string) error {
	root, err := client.RootFD()
	if err != nil {
		return err
	}
	defer root.Close()
	_, _, err = spec.LookupUser(spec.Mounted{Dir: root}, user, nil)
	return err
}

// dropOldExecs forgets what ended long ago. Containers.mu is held.
func (cs *Containers) dropOldExecs() {
	now := time.Now()
	for id, x := range cs.execs {
		kept := execKept
		if cs.byID[x.c.id] == nil {
			kept = goneKept
		}
		x.mu.Lock()
		if !x.ended.IsZero() && now.Sub(x.ended) > kept {
			delete(cs.execs, id)
		}
		x.mu.Unlock()
	}
}

// forgetExecs drops the execs of a container that ended and were not started.
// Those that ran stay for their clients to ask.
func (cs *Containers) forgetExecs(containerID string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.dropOldExecs()
	for id, x := range cs.execs {
		x.mu.Lock()
		if x.c.id == containerID && !x.started {
			delete(cs.execs, id)
		}
		x.mu.Unlock()
	}
}

// emitExec publishes an exec event; create and start carry the command.
func (cs *Containers) emitExec(rec record, action events.Action, x *execution, extra ...string) {
	if action != events.ActionExecDie && action != events.ActionExecDetach {
		// As docker writes it: a space follows a program without arguments.
		action += events.Action(": " + x.opts.Cmd[0] + " " + strings.Join(x.opts.Cmd[1:], " "))
	}
	cs.emit(rec, action, append([]string{"execID", x.id}, extra...)...)
}

// getExec finds an exec by its whole ID; docker knows no prefixes here.
func (cs *Containers) getExec(id string) (*execution, error) {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	if x := cs.execs[id]; x != nil {
		return x, nil
	}
	return nil, kind(errdefs.ErrNotFound, "No such exec instance: %s", id)
}

// ExecStart starts an exec, once. With a Conn the shim serves it from then on.
// A command that is missing gives exit code 127, one that cannot be executed 126.
func (cs *Containers) ExecStart(ctx context.Context, id string, opts ExecStartOptions) error {
	x, err := cs.getExec(id)
	if err != nil {
		return err
	}
	r, rec, err := x.c.running()
	if err != nil {
		return err
	}
	if rec.State.Paused {
		return kind(errdefs.ErrConflict, "Container %s is paused, unpause the container before exec", x.c.id)
	}
	x.mu.Lock()
	if x.started {
		x.mu.Unlock()
		return kind(errdefs.ErrConflict, "exec command %s is already running", x.id)
	}
	x.started = true
	x.mu.Unlock()

	// docker says so before it knows whether the command can run.
	cs.emitExec(rec, events.ActionExecStart, x)
	pid, err := cs.spawnExec(rec, r.Client, x, opts)
	if err != nil {
		code, err := x.startError(r, err)
		x.mu.Lock()
		x.exitCode, x.ended = &code, time.Now()
		x.mu.Unlock()
		close(x.done)
		return err
	}
	x.mu.Lock()
	x.running, x.pid = true, pid
	x.mu.Unlock()
	close(x.spawned)
	cs.followExec(x, r)
	return ctx.Err()
}

// spawnExec builds the process from the container's configuration, with users
// looked up in the running container's files.
func (cs *Containers) spawnExec(rec record, client *shim.Client, x *execution, opts ExecStartOptions) (int, error) {
	root, err := client.RootFD()
	if err != nil {
		return 0, err
	}
	defer root.Close()
	size := opts.ConsoleSize
	if size == nil {
		size = x.opts.ConsoleSize
	}
	p, err := spec.Exec(spec.ExecInput{
		Root: spec.Mounted{Dir: root}, Config: rec.Config, HostConfig: rec.HostConfig, Hostname: rec.Config.Hostname,
		User: x.opts.User, Privileged: x.opts.Privileged, Tty: x.opts.Tty, ConsoleSize: size,
		Env: x.opts.Env, WorkingDir: x.opts.WorkingDir, Cmd: x.opts.Cmd,
	})
	if err != nil {
		return 0, err
	}
	xc := shim.ExecConfig{
		ID: x.id, Process: p, Tty: x.opts.Tty, OpenStdin: x.opts.AttachStdin,
		Attach: shim.AttachOptions{
			Stdin: x.opts.AttachStdin, Stdout: x.opts.AttachStdout, Stderr: x.opts.AttachStderr,
			DetachKeys: x.opts.DetachKeys, Mux: opts.Mux, Pending: opts.Pending,
			Ended: func(end shim.End) {
				if end == shim.EndDetached {
					cs.emitExec(x.c.snapshot(), events.ActionExecDetach, x)
				}
			},
		},
	}
	if size != nil {
		xc.ConsoleSize = *size
	}
	// Detached, its output goes nowhere: docker keeps none of an exec.
	conn := opts.Conn
	if opts.Detach {
		conn, xc.OpenStdin = nil, false
	}
	return client.Exec(xc, conn)
}

// startError is the error of an exec in docker's words, and its exit code.
func (x *execution) startError(r *run, err error) (int, error) {
	if code, ok, worded := runtimeError("", err); ok {
		return code, worded
	}
	code, ok, worded := commandError("OCI runtime exec failed: exec failed: unable to start container process", x.opts.Cmd[0], err)
	switch {
	case ok:
		return code, worded
	case errdefs.IsInvalidArgument(err):
		return 126, err // a user or a group that is not there: docker says no more
	case r.overSoon(time.Second):
		return 137, kind(errdefs.ErrConflict, "container %s is not running", x.c.id)
	}
	return 126, fmt.Errorf("OCI runtime exec failed: exec failed: unable to start container process: %w: unknown", err)
}

// followExec records the end of a started exec.
func (cs *Containers) followExec(x *execution, r *run) {
	cs.e.work.Add(1)
	go func() {
		defer cs.e.work.Done()
		exit, err := r.Client.WaitExec(cs.e.ctx, x.id)
		if cs.e.ctx.Err() != nil {
			return
		}
		code := exit.Status
		if err != nil {
			// The container ended and took the exec along.
			code = 137
		}
		x.mu.Lock()
		x.running, x.exitCode, x.ended, x.pid = false, &code, time.Now(), 0
		x.mu.Unlock()
		close(x.done)
		cs.emitExec(x.c.snapshot(), events.ActionExecDie, x, "exitCode", strconv.Itoa(code))
	}()
}

// ExecInspect describes an exec. ExitCode is nil until it has ended.
func (cs *Containers) ExecInspect(ctx context.Context, id string) (api.ExecInspectResponse, error) {
	x, err := cs.getExec(id)
	if err != nil {
		return api.ExecInspectResponse{}, err
	}
	if x.endsNow() {
		select {
		case <-x.done:
		case <-ctx.Done():
			return api.ExecInspectResponse{}, ctx.Err()
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	privileged := x.opts.Privileged
	return api.ExecInspectResponse{
		ID: x.id, Running: x.running, ExitCode: x.exitCode, ContainerID: x.c.id, Pid: x.pid,
		OpenStdin: x.opts.AttachStdin, OpenStdout: x.opts.AttachStdout, OpenStderr: x.opts.AttachStderr,
		DetachKeys: []byte(x.opts.DetachKeys),
		ProcessConfig: &api.ExecProcessConfig{
			Tty: x.opts.Tty, Entrypoint: x.opts.Cmd[0], Arguments: x.opts.Cmd[1:], Privileged: &privileged, User: x.opts.User,
		},
	}, nil
}

// endsNow tells whether the exec has ended but its end is not recorded yet. A
// client asks for the exit code as soon as the shim closes its stream, which
// may be before this process has read what the shim told it.
func (x *execution) endsNow() bool {
	state := func() (started, running, ended bool) {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.started, x.running, !x.ended.IsZero()
	}
	for {
		started, running, ended := state()
		if !started || ended {
			return false
		}
		r, _, err := x.c.running()
		if err != nil {
			return running
		}
		info, err := r.Info()
		if err != nil {
			return running
		}
		for _, e := range info.Execs {
			if e.ID == x.id {
				return !e.Running
			}
		}
		// Not there: the shim does not know it yet, or has told its end already.
		// If our state changed while we asked, that is not clear: ask again.
		if _, now, _ := state(); now == running {
			return running
		}
	}
}

// spawnTime is how long a resize waits for its exec to be there. Clients send it as soon as the start is answered, which
// is before the process exists; docker waits as long.
const spawnTime = 10 * time.Second

// ExecResize sets the size of an exec's terminal in character cells. It waits for a process that is about to start.
func (cs *Containers) ExecResize(ctx context.Context, id string, height, width uint) error {
	x, err := cs.getExec(id)
	if err != nil {
		return err
	}
	r, _, err := x.c.running()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, spawnTime)
	defer cancel()
	select {
	case <-x.spawned:
	case <-x.done:
	case <-r.done:
	case <-ctx.Done():
	}
	x.mu.Lock()
	running := x.running
	x.mu.Unlock()
	if !running {
		return kind(errdefs.ErrConflict, "exec %s is not running", id)
	}
	return r.Client.ExecResize(id, height, width)
}

// execIDs are the execs that inspect lists: those that have not ended.
func (cs *Containers) execIDs(containerID string) []string {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	var ids []string
	for id, x := range cs.execs {
		x.mu.Lock()
		if x.c.id == containerID && x.ended.IsZero() {
			ids = append(ids, id)
		}
		x.mu.Unlock()
	}
	slices.Sort(ids)
	return ids
}

// adoptExecs takes over the execs that a shim runs after a restart of the
// engine. What was typed to start them is not known any more; their process is.
func (cs *Containers) adoptExecs(c *ctr, r *run, infos []shim.ExecInfo) {
	for _, info := range infos {
		x := &execution{
			id: info.ID, c: c, opts: ExecOptions{Cmd: []string{""}}, spawned: make(chan struct{}), done: make(chan struct{}),
			started: true, running: info.Running, pid: info.PID,
		}
		close(x.spawned) // by the engine before
		cs.mu.Lock()
		cs.execs[x.id] = x
		cs.mu.Unlock()
		cs.followExec(x, r)
	}
}
