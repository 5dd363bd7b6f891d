package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// These tests make by hand what a crash leaves at a certain step, and open an
// engine on it.

func TestCreateThatWasInterrupted(t *testing.T) {
	r := newRig(t)
	img, err := r.image(r.ctx, "busybox", nil)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := img.unpack(r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	// A directory and a snapshot, no record; and a directory alone.
	whole, dirOnly := newID(), newID()
	for _, id := range []string{whole, dirOnly} {
		if err := os.Mkdir(r.Containers.dir(id), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.snapshots.Prepare(r.ctx, snapshotKey(whole), chain); err != nil {
		t.Fatal(err)
	}
	kept := r.create(shell("echo kept"))
	r.close()
	r.open()
	for _, id := range []string{whole, dirOnly} {
		if _, err := os.Stat(r.Containers.dir(id)); !os.IsNotExist(err) {
			t.Errorf("the directory is still there: %v", err)
		}
	}
	if _, err := r.snapshots.Stat(r.ctx, snapshotKey(whole)); !errdefs.IsNotFound(err) {
		t.Errorf("the snapshot is still there: %v", err)
	}
	r.start(kept)
	if code := r.exit(kept); code != 0 || r.log(kept) != "kept\n" {
		t.Errorf("the other container: %d", code)
	}
}

func TestRemovalThatWasInterrupted(t *testing.T) {
	r := newRig(t)
	o := shell("true")
	o.Name = "half"
	id := r.run(o)
	r.exit(id)
	// The record goes first.
	if err := r.records.Delete(id); err != nil {
		t.Fatal(err)
	}
	r.close()
	r.open()
	if _, err := r.snapshots.Stat(r.ctx, snapshotKey(id)); !errdefs.IsNotFound(err) {
		t.Errorf("the snapshot is still there: %v", err)
	}
	if _, err := os.Stat(r.Containers.dir(id)); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
	// And so is the name free.
	r.create(o)
}

func TestStartThatWasInterrupted(t *testing.T) {
	r := newRig(t)
	for _, auto := range []bool{false, true} {
		o := shell("exit 4")
		o.HostConfig.AutoRemove = auto
		id := r.create(o)
		c, err := r.Containers.get(id)
		if err != nil {
			t.Fatal(err)
		}
		// The container is parked in its shim, and that is where the engine dies.
		if _, err := r.Containers.spawn(r.ctx, c.snapshot()); err != nil {
			t.Fatal(err)
		}
		r.close()
		r.open()
		if _, err := shim.Connect(r.ctx, r.Containers.shimDir(id)); !errdefs.IsNotFound(err) {
			t.Errorf("the shim is still there: %v", err)
		}
		if auto {
			if _, err := r.Containers.Inspect(r.ctx, id, false); !errdefs.IsNotFound(err) {
				t.Errorf("an auto-remove container whose start failed: %v", err)
			}
			continue
		}
		if s := r.inspect(id).State; s.Status != "created" || s.Running {
			t.Errorf("state %+v", s)
		}
		r.start(id)
		if code := r.exit(id); code != 4 {
			t.Errorf("started again: %d", code)
		}
	}
}

// blackout kills everything of an engine's containers and takes the state
// directory away, as a reboot does.
func (r *rig) blackout() {
	r.t.Helper()
	dir := r.dir + "/state/shim"
	entries, err := os.ReadDir(dir)
	if err != nil {
		r.t.Fatal(err)
	}
	r.close()
	for _, e := range entries {
		client, err := shim.Connect(r.ctx, filepath.Join(dir, e.Name()))
		if errdefs.IsNotFound(err) || errdefs.IsUnavailable(err) {
			continue // its container was stopped
		}
		if err != nil {
			r.t.Fatal(err)
		}
		for _, pid := range []int{client.ShimPID(), client.PID()} {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				r.t.Fatal(err)
			}
		}
		r.until("its end", func() string {
			if !dead(client.PID()) {
				return "alive"
			}
			return ""
		})
		own := cgroupParent(r.dir+"/state") + "/" + e.Name()
		cgroups, err := filepath.Glob("/sys/fs/cgroup/*" + own)
		if err != nil {
			r.t.Fatal(err)
		}
		cgroups = append(cgroups, "/sys/fs/cgroup"+own) // under v2
		r.until("its cgroups are empty", func() string {
			for _, c := range cgroups {
				if err := os.Remove(c); err != nil && !os.IsNotExist(err) {
					return err.Error()
				}
			}
			return ""
		})
	}
	if err := os.RemoveAll(r.dir + "/state"); err != nil {
		r.t.Fatal(err)
	}
}

// dead tells that a process has ended, whether or not anybody has reaped it.
func dead(pid int) bool {
	stat := readString(fmt.Sprintf("/proc/%d/stat", pid))
	return stat == "" || strings.Contains(stat, ") Z ")
}

func TestReboot(t *testing.T) {
	r := newRig(t)
	policy := func(name container.RestartPolicyMode) CreateOptions {
		o := shell("echo up; exec sleep 1000")
		o.HostConfig.RestartPolicy.Name = name
		return o
	}
	plain := r.run(policy("no"))
	always := r.run(policy("always"))
	unless := r.run(policy("unless-stopped"))
	stopped := r.run(policy("unless-stopped"))
	failing := r.run(policy("on-failure"))
	never := r.create(policy("always"))
	zero := 0
	if err := r.Containers.Stop(r.ctx, stopped, StopOptions{Timeout: &zero}); err != nil {
		t.Fatal(err)
	}
	r.blackout()
	r.open()
	if s := r.inspect(plain).State; s.Status != "exited" || s.ExitCode != exitLost || s.Error == "" {
		t.Errorf("without a policy: %+v", s)
	}
	for what, id := range map[string]string{"always": always, "unless-stopped": unless, "on-failure": failing} {
		r.until(what+" runs again", func() string {
			if s := r.inspect(id).State; s.Status != "running" {
				return fmt.Sprintf("%+v", s)
			}
			return ""
		})
	}
	if s := r.inspect(stopped).State; s.Running {
		t.Errorf("unless-stopped, and it was stopped: %+v", s)
	}
	if s := r.inspect(never).State; s.Status != "created" {
		t.Errorf("always, but never started: %+v", s)
	}
}

func TestExecOutlivesTheEngine(t *testing.T) {
	r := newRig(t)
	id := r.run(shell("exec sleep 1000"))
	xid, err := r.Containers.ExecCreate(r.ctx, id, ExecOptions{Cmd: []string{"sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.01; done; exit 21"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Containers.ExecStart(r.ctx, xid, ExecStartOptions{Detach: true}); err != nil {
		t.Fatal(err)
	}
	r.close()
	r.open()
	if x, err := r.Containers.getExec(xid); err != nil || x.spawned == nil {
		t.Fatalf("%+v, %v", x, err)
	} else {
		<-x.spawned // else a resize would wait for it
	}
	in, err := r.Containers.ExecInspect(r.ctx, xid)
	if err != nil || !in.Running || in.ContainerID != id || in.Pid == 0 {
		t.Fatalf("%+v, %v", in, err)
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/root/tmp/go", r.inspect(id).State.Pid), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.until("its exit code", func() string {
		in, err := r.Containers.ExecInspect(r.ctx, xid)
		if err != nil || in.ExitCode == nil {
			return fmt.Sprint(in, err)
		}
		if *in.ExitCode != 21 {
			t.Fatalf("exit code %d", *in.ExitCode)
		}
		return ""
	})
}

func TestPausedContainerOutlivesTheEngine(t *testing.T) {
	r := newRig(t)
	id := r.run(shell("exec sleep 1000"))
	if err := r.Containers.Pause(r.ctx, id); err != nil {
		t.Fatal(err)
	}
	r.close()
	r.open()
	if s := r.inspect(id).State; s.Status != "paused" {
		t.Errorf("%+v", s)
	}
	if err := r.Containers.Unpause(r.ctx, id); err != nil {
		t.Error(err)
	}
}

func TestShimKilledUnderTheEngine(t *testing.T) {
	r := newRig(t)
	id := r.run(shell("exec sleep 1000"))
	pid := r.inspect(id).State.Pid
	next := r.wait(id, container.WaitConditionNextExit)
	if err := unix.Kill(r.shimPID(id), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code := next(); code != exitLost {
		t.Errorf("exit code %d", code)
	}
	if s := r.inspect(id).State; s.Status != "exited" || !strings.Contains(s.Error, "shim was killed") {
		t.Errorf("%+v", s)
	}
	r.until("the container dies with its shim", func() string {
		if !dead(pid) {
			return "alive"
		}
		return ""
	})
	// It can be started again.
	r.start(id)
	if s := r.inspect(id).State; !s.Running {
		t.Errorf("%+v", s)
	}
}

func TestWaitersAndCancelledContexts(t *testing.T) {
	r := newRig(t)
	id := r.run(shell("exec sleep 1000"))
	if _, err := r.Containers.Wait(r.ctx, id, "sometime"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a condition that is none: %v", err)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	forgotten, err := r.Containers.Wait(ctx, id, container.WaitConditionNextExit)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	c, err := r.Containers.get(id)
	if err != nil {
		t.Fatal(err)
	}
	r.until("the waiter is forgotten", func() string {
		c.mu.Lock()
		defer c.mu.Unlock()
		if n := len(c.waiters); n > 0 {
			return fmt.Sprint(n)
		}
		return ""
	})
	// Stopping goes on when its client leaves, as docker's does.
	ctx, cancel = context.WithCancel(r.ctx)
	cancel()
	long := 1000
	stopped := make(chan error, 1)
	go func() { stopped <- r.Containers.Stop(ctx, id, StopOptions{Signal: "SIGCONT", Timeout: &long}) }()
	r.until("the stop is on its way", func() string {
		if !c.snapshot().ManuallyStopped {
			return "not yet"
		}
		return ""
	})
	if err := r.Containers.Kill(r.ctx, id, "KILL"); err != nil {
		t.Fatal(err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("a stop whose client left: %v", err)
	}
	select {
	case resp := <-forgotten:
		t.Errorf("a forgotten waiter was answered: %+v", resp)
	default:
	}
}
