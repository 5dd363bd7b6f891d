//lint:file-ignore SA1019 prestart is deprecated, and what Docker uses

package container

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestHooks(t *testing.T) {
	f := newFixture(t, "sh", "-c", "echo command")
	dir := f.opts.Bundle
	log := filepath.Join(dir, "hooks")
	hook := func(name string) []specs.Hook {
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo " + name + " $X $(hostname) $(cat) >> " + log}, Env: []string{"X=" + name, "PATH=/bin:/usr/bin"}}}
	}
	f.opts.Spec.Hooks = &specs.Hooks{Prestart: hook("prestart"), CreateRuntime: hook("createRuntime"), CreateContainer: hook("createContainer"),
		Poststart: hook("poststart"), Poststop: hook("poststop"),
		StartContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "ls /bin/busybox && cat > /hooked"}}}}
	f.opts.Spec.Annotations = map[string]string{"a": "b"}
	c := f.create()
	pid := c.Init().PID()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	f.wait(c.Init())
	if err := c.Delete(false); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	for i, want := range []struct {
		name, host string
		status     specs.ContainerState
	}{
		{"prestart", host, "creating"}, {"createRuntime", host, "creating"}, {"createContainer", "berth", "creating"},
		{"poststart", host, "running"}, {"poststop", host, "stopped"},
	} {
		if i >= len(lines) {
			t.Fatalf("hooks ran: %q", lines)
		}
		rest, ok := strings.CutPrefix(lines[i], want.name+" "+want.name+" "+want.host+" ")
		var s specs.State
		if err := json.Unmarshal([]byte(rest), &s); !ok || err != nil {
			t.Fatalf("line %d is %q, %v; want %+v", i, lines[i], err, want)
		}
		if s.Status != want.status || s.ID != f.opts.ID || s.Bundle != dir || s.Annotations["a"] != "b" || s.Status != "stopped" && s.Pid != pid {
			t.Errorf("%s got the state %+v", want.name, s)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "rootfs/hooked")); err != nil || !strings.Contains(string(b), `"created"`) {
		t.Errorf("startContainer left %q, %v", b, err)
	}
}

func TestHooksThatFail(t *testing.T) {
	second := 1
	fail := []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo no luck >&2; exit 3"}}}
	for name, h := range map[string]*specs.Hooks{
		"prestart": {Prestart: fail}, "createRuntime": {CreateRuntime: fail}, "createContainer": {CreateContainer: fail},
	} {
		f := newFixture(t, "true")
		f.opts.Spec.Hooks = h
		if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), "hooks."+name+"[0]: /bin/sh: exit status 3: no luck") {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := newFixture(t, "sleep", "1000")
	f.opts.Spec.Hooks = &specs.Hooks{StartContainer: fail}
	c := f.create()
	if err := c.Start(); err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("startContainer: %v", err)
	}
	f.wait(c.Init())
	f = newFixture(t, "true")
	f.opts.Spec.Hooks = &specs.Hooks{Prestart: []specs.Hook{{Path: "/bin/sleep", Args: []string{"sleep", "100"}, Timeout: &second}}}
	begin := time.Now()
	if _, err := Create(context.Background(), f.opts); err == nil || time.Since(begin) > 20*time.Second {
		t.Errorf("timeout: %v after %v", err, time.Since(begin))
	}
	f.opts.Spec.Hooks = &specs.Hooks{Prestart: []specs.Hook{{Path: "sleep"}}}
	if _, err := Create(context.Background(), f.opts); !errdefs.IsInvalidArgument(err) {
		t.Errorf("relative path: %v", err)
	}
}
