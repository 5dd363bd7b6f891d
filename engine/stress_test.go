package engine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"berth/engine/events"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// TestConcurrentVerbsOnOneContainer lets clients do everything at once to the
// same container. Whatever they do, an answer is nil or says why it is not
// possible now, and the container can be removed in the end.
func TestConcurrentVerbsOnOneContainer(t *testing.T) {
	r := newRig(t)
	zero := 0
	verbs := map[string]func(id string) error{
		"start":   func(id string) error { return r.Containers.Start(r.ctx, id, StartOptions{}) },
		"stop":    func(id string) error { return r.Containers.Stop(r.ctx, id, StopOptions{Timeout: &zero}) },
		"kill":    func(id string) error { return r.Containers.Kill(r.ctx, id, "KILL") },
		"restart": func(id string) error { return r.Containers.Restart(r.ctx, id, StopOptions{Timeout: &zero}) },
		"pause":   func(id string) error { return r.Containers.Pause(r.ctx, id) },
		"unpause": func(id string) error { return r.Containers.Unpause(r.ctx, id) },
		"rename":  func(id string) error { return r.Containers.Rename(r.ctx, id, fmt.Sprint("name", rand.IntN(1000))) },
		"remove":  func(id string) error { return r.Containers.Remove(r.ctx, id, RemoveOptions{}) },
		"inspect": func(id string) error { _, err := r.Containers.Inspect(r.ctx, id, true); return err },
		"list":    func(string) error { _, err := r.Containers.List(r.ctx, ListOptions{All: true, Size: true}); return err },
		"changes": func(id string) error { _, err := r.changes(id); return err },
		"stats":   func(id string) error { _, err := r.Containers.Stats(r.ctx, id); return err },
		"exec": func(id string) error {
			xid, err := r.Containers.ExecCreate(r.ctx, id, ExecOptions{Cmd: []string{"true"}})
			if err != nil {
				return err
			}
			return r.Containers.ExecStart(r.ctx, xid, ExecStartOptions{Detach: true})
		},
	}
	// What a removal took the ground from under may fail in any way that says so.
	fine := func(err error) bool {
		return err == nil || errdefs.IsConflict(err) || errdefs.IsNotModified(err) || errdefs.IsNotFound(err) ||
			errdefs.IsUnavailable(err) || errdefs.IsFailedPrecondition(err) || errdefs.IsInvalidArgument(err) ||
			strings.HasSuffix(err.Error(), " is not paused") // of no kind, as docker's
	}
	names := make([]string, 0, len(verbs))
	for name := range verbs {
		names = append(names, name)
	}
	slices.Sort(names)
	rounds := 3
	for round := range rounds {
		o := shell("exec sleep 1000")
		if round == 1 {
			o = shell("sleep 0.01")
			o.HostConfig.RestartPolicy.Name = "always"
		}
		id := r.create(o)
		var wg sync.WaitGroup
		for client := range 6 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(round), uint64(client)))
				for range 25 {
					name := names[rnd.IntN(len(names))]
					if name == "remove" && rnd.IntN(3) > 0 {
						continue // or there is nothing left too early
					}
					if err := verbs[name](id); !fine(err) {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
		wg.Wait()
		if err := r.Containers.Remove(r.ctx, id, RemoveOptions{Force: true}); err != nil && !errdefs.IsNotFound(err) {
			t.Errorf("the last removal: %v", err)
		}
	}
}

// TestLifecyclesLeakNothing runs containers one after another and several at a
// time, and compares what the engine holds before and after.
func TestLifecyclesLeakNothing(t *testing.T) {
	r := newRig(t)
	once := func() {
		o := shell("echo x")
		o.HostConfig.AutoRemove, o.HostConfig.NetworkMode = true, "bridge"
		id := r.create(o)
		c, conn := r.pipe()
		if err := r.Containers.Attach(r.ctx, id, AttachOptions{Stream: true, Stdout: true, Conn: conn}); err != nil {
			t.Error(err)
			return
		}
		conn.Close()
		removed := r.wait(id, container.WaitConditionRemoved)
		if err := r.Containers.Start(r.ctx, id, StartOptions{}); err != nil {
			t.Error(err)
			return
		}
		removed()
		if got := c.end(); got != "x\n" {
			t.Errorf("got %q", got)
		}
		c.conn.Close()
	}
	held := func() (goroutines, descriptors int) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return runtime.NumGoroutine(), len(entries)
	}
	once() // what is set up once
	goroutines, descriptors := held()
	for range 10 {
		once()
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 3 {
				once()
			}
		})
	}
	wg.Wait()
	r.until("everything is given back", func() string {
		runtime.GC() // files that tests forget to close are not the engine's
		if g, d := held(); g > goroutines+2 || d > descriptors+2 {
			return fmt.Sprintf("%d goroutines and %d descriptors, %d and %d before", g, d, goroutines, descriptors)
		}
		return ""
	})
	if n := len(r.Containers.execs) + len(r.Containers.names) + len(r.Containers.byID); n != 0 {
		t.Errorf("%d entries are left in the maps", n)
	}
}

// TestEventsTellAllAttributes pins what docker's clients read from events.
func TestEventsTellAllAttributes(t *testing.T) {
	r := newRig(t)
	sub := r.Events.Subscribe(events.Options{Filters: map[string][]string{"type": {"container"}, "event": {"die", "kill", "rename", "exec_die"}}})
	defer sub.Close()
	o := shell("exec sleep 1000")
	o.Name, o.Config.Labels = "first", map[string]string{"tier": "front"}
	id := r.run(o)
	xid, err := r.Containers.ExecCreate(r.ctx, id, ExecOptions{Cmd: []string{"sh", "-c", "exit 3"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Containers.ExecStart(r.ctx, xid, ExecStartOptions{Detach: true}); err != nil {
		t.Fatal(err)
	}
	next := func(action string, want map[string]string) {
		t.Helper()
		msg, err := sub.Next(r.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if string(msg.Action) != action || msg.Actor.ID != id || msg.Scope != "local" || msg.TimeNano == 0 {
			t.Errorf("%+v, want %s", msg, action)
		}
		for k, v := range want {
			if got := msg.Actor.Attributes[k]; got != v {
				t.Errorf("%s: %s is %q, want %q", action, k, got, v)
			}
		}
	}
	next("exec_die", map[string]string{"execID": xid, "exitCode": "3"})
	if err := r.Containers.Rename(r.ctx, id, "second"); err != nil {
		t.Fatal(err)
	}
	if err := r.Containers.Kill(r.ctx, id, "KILL"); err != nil {
		t.Fatal(err)
	}
	next("rename", map[string]string{"oldName": "/first", "name": "second"})
	next("kill", map[string]string{"signal": "9", "name": "second", "image": "busybox", "tier": "front", "flavour": "plain"})
	next("die", map[string]string{"exitCode": "137", "execDuration": "0"})
}
