package engine

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

// What a container gets without asking is in its configuration, where clients look for it.
func TestInspectShowsDefaults(t *testing.T) {
	r := newRig(t)
	o := shell("true")
	o.Config.WorkingDir = "/tmp/../etc/"
	got := r.inspect(r.create(o))
	if got.Config.WorkingDir != "/etc" {
		t.Errorf("works in %s", got.Config.WorkingDir)
	}
	if !slices.Contains(got.HostConfig.MaskedPaths, "/proc/kcore") || !slices.Contains(got.HostConfig.ReadonlyPaths, "/proc/sys") {
		t.Errorf("masked %q, read-only %q", got.HostConfig.MaskedPaths, got.HostConfig.ReadonlyPaths)
	}
	o.HostConfig.MaskedPaths = []string{}
	if got := r.inspect(r.create(o)).HostConfig.MaskedPaths; got == nil || len(got) != 0 {
		t.Errorf("asked for none, got %q", got)
	}
	o.HostConfig.MaskedPaths, o.HostConfig.Privileged = nil, true
	if got := r.inspect(r.create(o)).HostConfig; got.MaskedPaths != nil || got.ReadonlyPaths != nil {
		t.Errorf("a privileged one has %q and %q", got.MaskedPaths, got.ReadonlyPaths)
	}
}

// A client that hangs up has asked for the stop all the same.
func TestStopGoesOnWithoutItsClient(t *testing.T) {
	r := newRig(t)
	id := r.run(shell("trap '' TERM; echo ready; while :; do sleep 0.1; done"))
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	none := 0
	if err := r.Containers.Restart(ctx, id, StopOptions{Timeout: &none}); err != nil || !r.inspect(id).State.Running {
		t.Errorf("restart: %v, %+v", err, r.inspect(id).State)
	}
	if err := r.Containers.Stop(ctx, id, StopOptions{Timeout: &none}); err != nil || r.inspect(id).State.Running {
		t.Errorf("stop: %v, %+v", err, r.inspect(id).State)
	}
}

func TestWritableCgroups(t *testing.T) {
	r := newRig(t)
	for option, want := range map[string]string{"writable-cgroups": "rw", "writable-cgroups=false": "ro"} {
		o := shell("sed -n 's,.* /sys/fs/cgroup/pids \\(r[ow]\\).*,\\1,p; s,.* /sys/fs/cgroup \\(r[ow]\\).* cgroup2 .*,\\1,p' /proc/self/mountinfo")
		o.HostConfig.SecurityOpt = []string{option}
		if got, code := r.output(o); code != 0 || got != want+"\n" {
			t.Errorf("%s: %q, %d", option, got, code)
		}
	}
}

// A user that is not there is refused before there is an exec.
func TestExecOfNobody(t *testing.T) {
	r := newRig(t)
	id := r.run(shell("exec sleep 1000"))
	for user, want := range map[string]string{
		"nobody": "unable to find user nobody: no matching entries in passwd file", "0:nobody": "unable to find group nobody: no matching entries in group file",
	} {
		if _, err := r.Containers.ExecCreate(r.ctx, id, ExecOptions{Cmd: []string{"true"}, User: user}); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", user, err)
		}
	}
}
