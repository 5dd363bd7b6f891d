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
		if s.Status != want.status || s.ID != f.opts.ID || s.Bundle != dir || s.Annotations["a"] != "b" || s.Pid != map[string]int{"createContainer": 1, "poststop": 0}[want.name] && s.Pid != pid {
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
		if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), "error running "+name+" hook #0: /bin/sh: exit status 3: no luck") {
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

// TestStartHooksAreTheContainers has hooks that are files of the container: they
// may do what its command may, and no more.
func TestStartHooksAreTheContainers(t *testing.T) {
	f := newFixture(t, "cat", "/tmp/hook")
	f.opts.Spec.Process.User = specs.User{UID: 12, GID: 34}
	f.opts.Spec.Process.Capabilities = nil
	errno := uint(13)
	f.opts.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActErrno, ErrnoRet: &errno}}}
	script := `exec > /tmp/hook 2>&1; id -u; id -g; grep -E 'Cap(Eff|Prm|Bnd)|NoNew' /proc/self/status | tr '\t\n' '  '; echo
cmp /proc/1/cgroup /proc/self/cgroup; mkdir /tmp/x; sed 's/.*"pid":\([0-9]*\).*/\1/'; echo`
	f.opts.Spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/busybox", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/bin"}}}}
	want := `12
34
CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 
mkdir: can't create directory '/tmp/x': Permission denied
1
`
	if err := os.Chmod(filepath.Join(f.opts.Bundle, "rootfs/tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	// Held by Container.innerHook, which is Exec.
	if out, status := f.run(); out != want {
		t.Errorf("the hook saw\n%s(status %v), want\n%s", out, status, want)
	}
}

// TestHookThatSaysMuch would wait for ever for a reader of its output.
func TestHookThatSaysMuch(t *testing.T) {
	f := newFixture(t, "true")
	f.opts.Spec.Hooks = &specs.Hooks{Prestart: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "head -c 300000 /dev/zero"}}}}
	f.run()
}
