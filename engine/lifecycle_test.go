package engine

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/engine/events"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestLifeOfAContainer(t *testing.T) {
	r := newRig(t)
	sub := r.Events.Subscribe(events.Options{})
	defer sub.Close()
	o := shell("echo out; echo err >&2; exit 3")
	o.Name, o.Config.Labels = "web", map[string]string{"tier": "front"}
	id := r.create(o)

	in := r.inspect("web")
	if in.ID != id || in.Name != "/web" || in.State.Status != "created" || in.State.StartedAt != never || in.Config.Labels["flavour"] != "plain" {
		t.Errorf("created: %+v %+v", in, in.State)
	}
	if code := r.exit(id); code != 0 {
		t.Errorf("a created container does not run: %d", code)
	}
	next, removed := r.wait(id, container.WaitConditionNextExit), r.wait(id, container.WaitConditionRemoved)
	r.start("web")
	if code := next(); code != 3 {
		t.Errorf("exit code %d", code)
	}
	in = r.inspect(id[:12])
	if s := in.State; s.Status != "exited" || s.ExitCode != 3 || s.Running || s.Pid != 0 || s.StartedAt == never || s.FinishedAt <= s.StartedAt {
		t.Errorf("exited: %+v", s)
	}
	if got := r.log(id); got != "out\nerr\n" {
		t.Errorf("log %q", got)
	}
	// A second run of the same container.
	r.start(id)
	r.exit(id)
	if got := r.log(id); got != "out\nout\nerr\nerr\n" {
		t.Errorf("log of two runs %q", got)
	}
	if err := r.Containers.Remove(r.ctx, id, RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if code := removed(); code != 3 {
		t.Errorf("removed with %d", code)
	}
	if _, err := r.Containers.Inspect(r.ctx, id, false); !errdefs.IsNotFound(err) || err.Error() != "No such container: "+id {
		t.Errorf("after the removal: %v", err)
	}
	want := []string{"create", "start", "die", "start", "die", "destroy"}
	if got := r.actions(sub, id, "destroy"); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestExitCodes(t *testing.T) {
	r := newRig(t)
	for script, want := range map[string]int{"true": 0, "false": 1, "sh -c 'kill -9 $$'; exit $?": 137, "kill -TERM $$; exit 4": 4, "exit 255": 255} {
		if _, code := r.output(shell(script)); code != want {
			t.Errorf("%s: %d, want %d", script, code, want)
		}
	}
	for _, c := range []struct {
		cmd  []string
		code int
		text string
	}{
		{[]string{"nosuch"}, 127, `exec: "nosuch": executable file not found in $PATH`},
		{[]string{"/no/such"}, 127, "no such file or directory"},
		{[]string{"/etc/noexec"}, 126, "permission denied"},
		{[]string{"/etc"}, 126, ""},
	} {
		o := shell("")
		o.Config.Cmd = c.cmd
		id := r.create(o)
		next := r.wait(id, container.WaitConditionNextExit)
		err := r.Containers.Start(r.ctx, id, StartOptions{})
		if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v: %v", c.cmd, err)
		}
		if code := next(); code != c.code {
			t.Errorf("%v: waiters got %d, want %d", c.cmd, code, c.code)
		}
		if s := r.inspect(id).State; s.ExitCode != c.code || s.Error == "" || s.Running || s.Status != "created" {
			t.Errorf("%v: state %+v", c.cmd, s)
		}
		if left := leftovers(r.dir+"/state/mnt/x", r.cgroups); strings.HasPrefix(left, "a mount") {
			t.Errorf("%v: left behind: %s", c.cmd, left)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	r := newRig(t)
	o := shell("true")
	o.Name = "taken"
	id := r.create(o)
	edit := func(fn func(*CreateOptions)) CreateOptions {
		o := shell("true")
		fn(&o)
		return o
	}
	for _, c := range []struct {
		what string
		o    CreateOptions
		is   func(error) bool
		text string
	}{
		{"name taken", o, errdefs.IsConflict, fmt.Sprintf("Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", "/taken", id)},
		{"bad name", edit(func(o *CreateOptions) { o.Name = "a b" }), errdefs.IsInvalidArgument, "Invalid container name (a b)"},
		{"no image", edit(func(o *CreateOptions) { o.Config.Image = "none" }), errdefs.IsNotFound, "No such image: none:latest"},
		{"no config", CreateOptions{}, errdefs.IsInvalidArgument, "config cannot be empty"},
		{"auto-remove and restart", edit(func(o *CreateOptions) {
			o.HostConfig.AutoRemove, o.HostConfig.RestartPolicy.Name = true, "always"
		}), errdefs.IsInvalidArgument, "can't create 'AutoRemove' container with restart policy"},
		{"log driver", edit(func(o *CreateOptions) { o.HostConfig.LogConfig.Type = "fax" }), errdefs.IsInvalidArgument, "no log driver named 'fax'"},
		{"runtime", edit(func(o *CreateOptions) { o.HostConfig.Runtime = "fast" }), errdefs.IsInvalidArgument, "unknown or invalid runtime name: fast"},
		{"memory", edit(func(o *CreateOptions) { o.HostConfig.Memory = 1 }), errdefs.IsInvalidArgument, "Minimum memory limit"},
		{"stop signal", edit(func(o *CreateOptions) { o.Config.StopSignal = "SIGNAL" }), errdefs.IsInvalidArgument, "Invalid signal"},
		{"bind", edit(func(o *CreateOptions) { o.HostConfig.Binds = []string{"/a:/b:c:d"} }), errdefs.IsInvalidArgument, "invalid volume specification"},
		{"platform", edit(func(o *CreateOptions) { o.Platform = &ocispec.Platform{OS: "windows", Architecture: runtime.GOARCH} }), errdefs.IsNotFound, "does not match the specified platform (windows/"},
		{"environment", edit(func(o *CreateOptions) { o.Config.Env = []string{"=foo"} }), errdefs.IsInvalidArgument, "invalid environment variable: =foo"},
		{"working directory", edit(func(o *CreateOptions) { o.Config.WorkingDir = "tmp" }), errdefs.IsInvalidArgument, "the working directory 'tmp' is invalid, it needs to be an absolute path"},
		{"tmpfs", edit(func(o *CreateOptions) { o.HostConfig.Tmpfs = map[string]string{"foo": ""} }), errdefs.IsInvalidArgument, "mount path must be absolute"},
		{"tmpfs over all", edit(func(o *CreateOptions) { o.HostConfig.Tmpfs = map[string]string{"//": ""} }), errdefs.IsInvalidArgument, "destination can't be '/'"},
		{"annotation", edit(func(o *CreateOptions) { o.HostConfig.Annotations = map[string]string{"": "a"} }), errdefs.IsInvalidArgument, "the empty string is not permitted as an annotation key"},
		{"shares", edit(func(o *CreateOptions) { o.HostConfig.CPUShares = -1 }), errdefs.IsInvalidArgument, "invalid CPU shares (-1)"},
		{"security option", edit(func(o *CreateOptions) { o.HostConfig.SecurityOpt = []string{"writable-cgroups=1"} }), errdefs.IsInvalidArgument, `invalid --security-opt 2: "writable-cgroups=1"`},
		{"no such process namespace", edit(func(o *CreateOptions) { o.HostConfig.PidMode = "container:nobody" }), errdefs.IsInvalidArgument, "No such container: nobody"},
		{"volumes of nobody", edit(func(o *CreateOptions) { o.HostConfig.VolumesFrom = []string{"nobody"} }), errdefs.IsInvalidArgument, "No such container: nobody"},
		{"reference", edit(func(o *CreateOptions) { o.Config.Image = "busybox:a:b" }), errdefs.IsInvalidArgument, "invalid reference format"},
		{"links", edit(func(o *CreateOptions) { o.HostConfig.Links = []string{"nobody:b"} }), errdefs.IsInvalidArgument, "could not get container for nobody: No such container: nobody"},
	} {
		_, err := r.Containers.Create(r.ctx, c.o)
		if err == nil || !c.is(err) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got %v, want %s", c.what, err, c.text)
		}
	}
	if all := r.Containers.all(); len(all) != 1 {
		t.Errorf("%d containers", len(all))
	}
}

func TestRemoveAndNames(t *testing.T) {
	r := newRig(t)
	o := shell("exec sleep 1000")
	o.Name = "one"
	id := r.run(o)
	other := r.create(shell("true"))
	if err := r.Containers.Remove(r.ctx, "one", RemoveOptions{}); !errdefs.IsConflict(err) || !strings.Contains(err.Error(), "container is running") {
		t.Errorf("a running container: %v", err)
	}
	if err := r.Containers.Rename(r.ctx, other, "one"); !errdefs.IsConflict(err) {
		t.Errorf("a taken name: %v", err)
	}
	if err := r.Containers.Rename(r.ctx, "one", "two"); err != nil {
		t.Error(err)
	}
	if err := r.Containers.Rename(r.ctx, other, "/one"); err != nil {
		t.Error(err)
	}
	if r.inspect("one").ID != other || r.inspect("/two").ID != id {
		t.Error("the names went elsewhere")
	}
	if err := r.Containers.Start(r.ctx, "two", StartOptions{}); !errdefs.IsNotModified(err) {
		t.Errorf("it runs already: %v", err)
	}
	if err := r.Containers.Remove(r.ctx, "two", RemoveOptions{Force: true}); err != nil {
		t.Error(err)
	}
	if _, err := r.Containers.get(""); !errdefs.IsInvalidArgument(err) {
		t.Errorf("the empty reference: %v", err)
	}
}

func TestPrefixes(t *testing.T) {
	cs := &Containers{byID: map[string]*ctr{"ab12": {id: "ab12"}, "ab34": {id: "ab34"}}, names: map[string]string{"ab": "ab34"}}
	for ref, want := range map[string]string{"ab1": "ab12", "ab34": "ab34", "ab": "ab34", "/ab": "ab34"} {
		if c, err := cs.get(ref); err != nil || c.id != want {
			t.Errorf("%s: %v, %v", ref, c, err)
		}
	}
	if _, err := cs.get("a"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("an ambiguous prefix: %v", err)
	}
	if _, err := cs.get(""); !errdefs.IsInvalidArgument(err) {
		t.Errorf("no name: %v", err)
	}
	for _, ref := range []string{"x", "b12", "/"} {
		if _, err := cs.get(ref); !errdefs.IsNotFound(err) {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

func TestStopKillPauseRestart(t *testing.T) {
	r := newRig(t)
	sub := r.Events.Subscribe(events.Options{})
	defer sub.Close()
	// It says when it is ready to take its stop signal.
	o := shell("trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done")
	o.Config.StopSignal = "SIGUSR1"
	id := r.run(o)
	r.untilLogged(id, "ready")
	if err := r.Containers.Stop(r.ctx, id, StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if s := r.inspect(id).State; s.ExitCode != 7 {
		t.Errorf("stopped with %d", s.ExitCode)
	}
	if err := r.Containers.Stop(r.ctx, id, StopOptions{}); !errdefs.IsNotModified(err) {
		t.Errorf("stopped twice: %v", err)
	}
	if err := r.Containers.Kill(r.ctx, id, ""); !errdefs.IsConflict(err) || !strings.Contains(err.Error(), "is not running") {
		t.Errorf("kill of a stopped container: %v", err)
	}

	// Longer than a Duration can say is not "at once".
	slow, forEver := r.run(shell("trap 'sleep 0.2; exit 3' TERM; echo ready; while :; do sleep 0.05; done")), 1<<40
	r.untilLogged(slow, "ready")
	if err := r.Containers.Stop(r.ctx, slow, StopOptions{Timeout: &forEver}); err != nil {
		t.Fatal(err)
	}
	if s := r.inspect(slow).State; s.ExitCode != 3 {
		t.Errorf("stopped with all the time in the world: %d", s.ExitCode)
	}

	stubborn := r.run(shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"))
	r.untilLogged(stubborn, "ready")
	zero := 0
	if err := r.Containers.Restart(r.ctx, stubborn, StopOptions{Timeout: &zero}); err != nil {
		t.Fatal(err)
	}
	if s := r.inspect(stubborn).State; !s.Running {
		t.Errorf("restarted: %+v", s)
	}
	for _, want := range []error{nil, errdefs.ErrConflict} {
		if err := r.Containers.Pause(r.ctx, stubborn); kindOf(err) != want {
			t.Errorf("pause: got %v, want %v", err, want)
		}
	}
	if s := r.inspect(stubborn).State; s.Status != "paused" || !s.Running {
		t.Errorf("paused: %+v", s)
	}
	if _, err := r.Containers.ExecCreate(r.ctx, stubborn, ExecOptions{Cmd: []string{"true"}}); !errdefs.IsConflict(err) {
		t.Errorf("exec in a paused container: %v", err)
	}
	for _, want := range []string{"", "Container " + stubborn + " is not paused"} {
		if err := r.Containers.Unpause(r.ctx, stubborn); (err != nil || want != "") && (err == nil || err.Error() != want) {
			t.Errorf("unpause: got %v, want %q", err, want)
		}
	}
	if err := r.Containers.Pause(r.ctx, stubborn); err != nil {
		t.Error(err)
	}
	if err := r.Containers.Kill(r.ctx, stubborn, "9"); err != nil {
		t.Fatal(err)
	}
	if s := r.inspect(stubborn).State; s.ExitCode != 137 || s.Paused {
		t.Errorf("killed: %+v", s)
	}
	want := []string{"create", "start", "kill", "die", "start", "restart", "pause", "unpause", "pause", "kill", "die"}
	got := r.actions(sub, stubborn, "pause")
	got = append(got, r.actions(sub, stubborn, "die")...)
	got = slices.DeleteFunc(got, func(a string) bool { return a == "stop" })
	if len(got) < 8 || !slices.Contains(got, "restart") || !slices.Contains(got, "unpause") {
		t.Errorf("events %v, want %v", got, want)
	}
}

// untilLogged waits until a container has written something.
func (r *rig) untilLogged(id, want string) {
	r.t.Helper()
	r.until("log of "+id, func() string {
		var w text
		if err := r.Containers.Logs(r.ctx, id, LogsOptions{Stdout: true, Stderr: true, Tail: -1}, &w); err != nil {
			return err.Error()
		}
		if got := w.out.String() + w.err.String(); !strings.Contains(got, want) {
			return fmt.Sprintf("%q is not in %q", want, got)
		}
		return ""
	})
}

func TestAutoRemove(t *testing.T) {
	r := newRig(t)
	o := shell("exit 5")
	o.HostConfig.AutoRemove = true
	o.Config.Volumes = map[string]struct{}{"/data": {}}
	id := r.create(o)
	removed := r.wait(id, container.WaitConditionRemoved)
	r.start(id)
	if code := removed(); code != 5 {
		t.Errorf("removed with %d", code)
	}
	if _, err := r.Containers.Inspect(r.ctx, id, false); !errdefs.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
	if vols, err := r.Volumes.List(r.ctx, nil); err != nil || len(vols) != 0 {
		t.Errorf("its volumes: %v, %v", vols, err)
	}
	o = shell("")
	o.HostConfig.AutoRemove, o.Config.Cmd = true, []string{"nosuch"}
	id = r.create(o)
	removed = r.wait(id, container.WaitConditionRemoved)
	if err := r.Containers.Start(r.ctx, id, StartOptions{}); err == nil {
		t.Error("a missing command must be an error")
	}
	if code := removed(); code != 127 {
		t.Errorf("removed with %d", code)
	}
}

func TestRestartPolicies(t *testing.T) {
	r := newRig(t)
	sub := r.Events.Subscribe(events.Options{})
	defer sub.Close()
	o := shell("exit 2")
	o.HostConfig.RestartPolicy = container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 2}
	id := r.run(o)
	starts := 0
	for range 3 {
		r.actions(sub, id, "die")
		starts++
	}
	r.until("it gives up", func() string {
		s := r.inspect(id)
		if s.State.Status != "exited" || s.RestartCount != 2 {
			return fmt.Sprintf("%s after %d restarts", s.State.Status, s.RestartCount)
		}
		return ""
	})
	o = shell("sleep 0.01")
	o.HostConfig.RestartPolicy.Name = "always"
	id = r.run(o)
	r.actions(sub, id, "die")
	r.actions(sub, id, "start")
	r.actions(sub, id, "die")
	if err := r.Containers.Stop(r.ctx, id, StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if s := r.inspect(id).State; s.Running || s.Restarting {
		t.Errorf("a stopped container stays down: %+v", s)
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	var got []string
	for _, ran := range []int{0, 0, 0, 11, 0} {
		b = b.next(time.Duration(ran) * time.Second)
		got = append(got, time.Duration(b).String())
	}
	if want := []string{"100ms", "200ms", "400ms", "100ms", "200ms"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for range 20 {
		b = b.next(0)
	}
	if b != backoff(longPause) {
		t.Errorf("the longest pause is %v", time.Duration(b))
	}
}
