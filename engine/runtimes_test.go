package engine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"berth/engine/registry"
	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// addRuntimes makes the external runtimes of this machine known: berth's own, which
// the test binary is, runc, and crun where it runs: not beside a cgroup v2 that holds
// nothing. Their names come back.
func (r *rig) addRuntimes() (names []string) {
	r.t.Helper()
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	link := filepath.Join(r.dir, "berth-runtime")
	if err := os.Symlink(self, link); err != nil {
		r.t.Fatal(err)
	}
	runtimes := map[string]Runtime{"again": {Path: link}, "nowhere": {Path: "/nowhere/runc"}}
	names = []string{"again"}
	for _, name := range []string{"runc", "crun"} {
		path, err := exec.LookPath(name)
		if _, serr := os.Stat("/sys/fs/cgroup/unified/cgroup.procs"); err != nil || name == "crun" && !errors.Is(serr, os.ErrNotExist) {
			continue
		}
		runtimes[name] = Runtime{Path: path, Args: []string{"--debug"}}
		names = append(names, name)
	}
	if err := r.Reload(Settings{Runtimes: runtimes}, registry.Config{}); err != nil {
		r.t.Fatal(err)
	}
	return names
}

// of is o for a runtime.
func of(runtime string, o CreateOptions) CreateOptions {
	o.HostConfig.Runtime = runtime
	return o
}

func TestExternalRuntimes(t *testing.T) {
	r := newRig(t)
	for _, name := range r.addRuntimes() {
		t.Run(name, func(t *testing.T) {
			outer := r.t
			r.t = t
			defer func() { r.t = outer }()
			r.externalOutput(name)
			r.externalTerminal(name)
			r.externalLife(name)
			r.externalErrors(name)
		})
	}
}

func (r *rig) externalOutput(name string) {
	r.t.Helper()
	if out, code := r.output(of(name, shell("echo out; echo err >&2; exit 7"))); code != 7 || !strings.Contains(out, "out\n") || !strings.Contains(out, "err\n") {
		r.t.Errorf("output %q, exit %d", out, code)
	}
	if out, code := r.output(of(name, shell("grep -E 'Seccomp:|NoNewPrivs' /proc/1/status; kill -KILL $$"))); !strings.Contains(out, "Seccomp:\t2") {
		r.t.Errorf("no filter of system calls: %q, %d", out, code)
	}
	big := of(name, shell("head -c 64m /dev/zero | tail -c 64m"))
	big.HostConfig.Memory = 16 << 20
	id := r.run(big)
	if code := r.exit(id); code != 137 && code != 1 || !r.inspect(id).State.OOMKilled {
		r.t.Errorf("out of memory: exit %d, %+v", code, r.inspect(id).State)
	}
}

func (r *rig) externalTerminal(name string) {
	r.t.Helper()
	o := of(name, shell("stty size; tty; read x; echo got $x"))
	o.Config.Tty, o.Config.OpenStdin, o.HostConfig.ConsoleSize = true, true, [2]uint{31, 97}
	id := r.create(o)
	c, conn := r.pipe()
	if err := r.Containers.Attach(r.ctx, id, AttachOptions{Stream: true, Stdin: true, Stdout: true, Conn: conn}); err != nil {
		r.t.Fatal(err)
	}
	r.start(id)
	r.until("the terminal speaks", func() string {
		if !strings.Contains(c.text(), "/dev/pts/0") {
			return "so far: " + c.text()
		}
		return ""
	})
	if _, err := c.conn.Write([]byte("key\n")); err != nil {
		r.t.Fatal(err)
	}
	if text := c.end(); !strings.Contains(text, "31 97") || !strings.Contains(text, "got key") {
		r.t.Errorf("terminal: %q", text)
	}
	if code := r.exit(id); code != 0 {
		r.t.Errorf("exit %d", code)
	}
}

func (r *rig) externalLife(name string) {
	r.t.Helper()
	id := r.run(of(name, shell("trap 'exit 9' TERM; while :; do sleep 0.02; done")))
	if got := r.inspect(id).HostConfig.Runtime; got != name {
		r.t.Errorf("inspect says runtime %q", got)
	}
	for _, x := range []struct {
		o    ExecOptions
		want string
		code int
	}{
		{ExecOptions{Cmd: []string{"sh", "-c", "echo $A; exit 5"}, Env: []string{"A=b"}, AttachStdout: true}, "b", 5},
		{ExecOptions{Cmd: []string{"tty"}, Tty: true, AttachStdout: true}, "/dev/pts/0", 0},
	} {
		xid, err := r.Containers.ExecCreate(r.ctx, id, x.o)
		if err != nil {
			r.t.Fatal(err)
		}
		c, conn := r.pipe()
		if err := r.Containers.ExecStart(r.ctx, xid, ExecStartOptions{Tty: x.o.Tty, Conn: conn}); err != nil {
			r.t.Fatal(err)
		}
		text := c.end()
		if resp, err := r.Containers.ExecInspect(r.ctx, xid); err != nil || resp.ExitCode == nil || *resp.ExitCode != x.code || !strings.Contains(text, x.want) {
			r.t.Errorf("exec %v: %q, %+v, %v", x.o.Cmd, text, resp, err)
		}
	}
	if err := r.Containers.Pause(r.ctx, id); err != nil {
		r.t.Fatal(err)
	}
	if !r.inspect(id).State.Paused {
		r.t.Error("not paused")
	}
	if err := r.Containers.Unpause(r.ctx, id); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Containers.Update(r.ctx, id, container.UpdateConfig{Resources: container.Resources{PidsLimit: ptr(int64(77))}}); err != nil {
		r.t.Error(err)
	}
	if s, err := r.Containers.Stats(r.ctx, id); err != nil || s.PidsStats.Limit != 77 {
		r.t.Errorf("after the update: %+v, %v", s.PidsStats, err)
	}
	r.close()
	r.open()
	r.Reload(Settings{}, registry.Config{}) // the name is not known any more, the container is
	if err := r.Containers.Stop(r.ctx, id, StopOptions{}); err != nil {
		r.t.Error(err)
	}
	if code := r.exit(id); code != 9 {
		r.t.Errorf("stopped: exit %d", code)
	}
	if err := r.Containers.Start(r.ctx, id, StartOptions{}); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "unknown or invalid runtime name: "+name) {
		r.t.Errorf("start without the runtime: %v", err)
	}
	os.Remove(filepath.Join(r.dir, "berth-runtime"))
	r.addRuntimes()

	// A killed shim: the engine ends the container with its own runtime.
	id = r.run(of(name, shell("sleep 1000")))
	c, err := shim.Connect(context.Background(), r.Containers.shimDir(id))
	if err != nil {
		r.t.Fatal(err)
	}
	c.Close()
	if err := unix.Kill(c.ShimPID(), unix.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	pid := r.inspect(id).State.Pid
	r.exit(id)
	r.until("the process is gone", func() string {
		if pid != 0 && unix.Kill(pid, 0) == nil {
			return "it runs"
		}
		return ""
	})
}

func ptr[T any](v T) *T { return &v }

func (r *rig) externalErrors(name string) {
	r.t.Helper()
	const before = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
	for cmd, want := range map[string]int{"/nope": 127, "/etc/passwd": 126} {
		o := of(name, shell(""))
		o.Config.Cmd = []string{cmd}
		id := r.create(o)
		err := r.Containers.Start(r.ctx, id, StartOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), before) || !strings.HasSuffix(err.Error(), ": unknown") || !errdefs.IsInvalidArgument(err) {
			r.t.Errorf("%s: %v", cmd, err)
		}
		if got := r.inspect(id).State; got.ExitCode != want || got.Status != "created" {
			r.t.Errorf("%s: %+v", cmd, got)
		}
	}
	id := r.create(of("nowhere", shell("true")))
	if err := r.Containers.Start(r.ctx, id, StartOptions{}); err == nil || !strings.Contains(err.Error(), "OCI runtime create failed: runtime nowhere") {
		r.t.Errorf("missing program: %v", err)
	}
	if _, err := r.Containers.Create(r.ctx, of("unknown", shell("true"))); !errdefs.IsInvalidArgument(err) || err.Error() != "unknown or invalid runtime name: unknown" {
		r.t.Errorf("unknown runtime: %v", err)
	}
	run := r.run(of(name, shell("sleep 1000")))
	xid, err := r.Containers.ExecCreate(r.ctx, run, ExecOptions{Cmd: []string{"/nope"}})
	if err != nil {
		r.t.Fatal(err)
	}
	err = r.Containers.ExecStart(r.ctx, xid, ExecStartOptions{Detach: true})
	if err == nil || !strings.HasPrefix(err.Error(), "OCI runtime exec failed: ") || !errdefs.IsInvalidArgument(err) {
		r.t.Errorf("exec of a missing command: %v", err)
	}
	if resp, err := r.Containers.ExecInspect(r.ctx, xid); err != nil || resp.ExitCode == nil || *resp.ExitCode != 127 {
		r.t.Errorf("exec of a missing command: %+v, %v", resp, err)
	}
	if err := r.Containers.Kill(r.ctx, run, "KILL"); err != nil {
		r.t.Error(err)
	}
	if code := r.exit(run); code != 137 {
		r.t.Errorf("killed: exit %d", code)
	}
}

func TestRuntimeSettings(t *testing.T) {
	for want, s := range map[string]Settings{
		"":                                   {Runtimes: map[string]Runtime{"x": {Path: "x"}}, DefaultRuntime: "x"},
		"runtime name 'berth' is reserved":   {Runtimes: map[string]Runtime{"berth": {Path: "x"}}},
		"runtime x: a path must be":          {Runtimes: map[string]Runtime{"x": {}}},
		"cannot be the name of a runtime":    {Runtimes: map[string]Runtime{"a b": {Path: "x"}}},
		"default runtime 'y' does not exist": {DefaultRuntime: "y"},
	} {
		err := s.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
	s := Settings{Runtimes: map[string]Runtime{"x": {Path: "/x", Args: []string{"-v"}}}, DefaultRuntime: "x"}
	if got := s.runtimeList(); got != "berth:berth-runtime x:/x" {
		t.Errorf("%q", got)
	}
	for text, want := range map[string]int{
		"OCI runtime create failed: exec: \"x\": permission denied": 126,
		"start: OCI runtime create failed: mount: not a directory":  126,
		"OCI runtime exec failed: executable file not found":        127,
		"OCI runtime create failed: what else":                      128,
	} {
		code, ok, err := runtimeError("before", kind(shim.ErrExternal, "%s", text))
		if !ok || code != want || !strings.HasPrefix(err.Error(), "before: OCI runtime ") {
			t.Errorf("%s: %d, %v, %v", text, code, ok, err)
		}
	}
	if _, ok, _ := runtimeError("", errors.New("OCI runtime")); ok {
		t.Error("another's error is taken for a runtime's")
	}
}
