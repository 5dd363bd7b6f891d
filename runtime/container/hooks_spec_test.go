//lint:file-ignore SA1019 prestart is deprecated, and what Docker uses

package container

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// shellHook is a hook of the host's shell.
func shellHook(script string) []specs.Hook {
	return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", script}}}
}

// TestPoststartThatFails is runtime.md, "Lifecycle", step 9.
func TestPoststartThatFails(t *testing.T) {
	f := newFixture(t, "sleep", "1000")
	f.opts.Spec.Hooks = &specs.Hooks{Poststart: shellHook("exit 3")}
	c := f.create()
	err := c.Start()
	if err == nil || !strings.HasSuffix(err.Error(), "error running poststart hook #0: /bin/sh: exit status 3") {
		t.Errorf("error %v", err)
	}
	f.wait(c.Init())
	if s, err := c.State(); err != nil || s.Status != specs.StateStopped {
		t.Errorf("the container is %s, %v; want it stopped", s.Status, err)
	}
}

// TestPoststopRunsAlways: after a failed Create, too, and one after another whatever
// becomes of them (runtime.md, "Lifecycle", steps 3 and 13).
func TestPoststopRunsAlways(t *testing.T) {
	f := newFixture(t, "true")
	log := filepath.Join(f.opts.Bundle, "log")
	f.opts.Spec.Hooks = &specs.Hooks{CreateRuntime: shellHook("exit 4"),
		Poststop: append(shellHook("echo one >> "+log+"; exit 1"), shellHook("echo two >> "+log)...)}
	var warnings []string
	f.opts.Warn = func(m string) { warnings = append(warnings, m) }
	if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), "error running createRuntime hook #0") {
		t.Errorf("error %v", err)
	}
	f.opts.Spec.Hooks.CreateRuntime = nil
	c := f.create()
	if err := c.Delete(true); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(log); err != nil || string(b) != "one\ntwo\none\ntwo\n" {
		t.Errorf("the hooks wrote %q, %v", b, err)
	}
	if len(warnings) != 2 || warnings[0] != "error running poststop hook #0: /bin/sh: exit status 1" {
		t.Errorf("warnings %q", warnings)
	}
}

// TestCreateContainerIsInItsNamespaces: all of them, and pivot_root is still to come.
func TestCreateContainerIsInItsNamespaces(t *testing.T) {
	f := newFixture(t, "true")
	log := filepath.Join(f.opts.Bundle, "log")
	f.opts.Spec.Hooks = &specs.Hooks{CreateContainer: shellHook("echo $$ $(hostname) > " + log + "; ip link | grep -c eth0 >> " + log +
		"; grep -c ' " + f.opts.Bundle + "/rootfs/proc ' /proc/mounts >> " + log + "; pwd >> " + log + "; umask >> " + log)}
	f.create()
	b, err := os.ReadFile(log)
	if err != nil || len(b) < 2 || b[0] > '9' || b[1] != ' ' || string(b[2:]) != "berth\n0\n1\n"+f.opts.Bundle+"/rootfs\n0022\n" {
		t.Errorf("the hook wrote %q, %v; want a low number of its own", b, err)
	}
}

func TestHookTimeoutIsNamed(t *testing.T) {
	f := newFixture(t, "true")
	second := 1
	f.opts.Spec.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/bin/sleep", Args: []string{"sleep", "100"}, Timeout: &second}}}
	_, err := Create(context.Background(), f.opts)
	if err == nil || !strings.Contains(err.Error(), "error running createContainer hook #0: /bin/sleep: ran past its timeout of 1 s") {
		t.Errorf("error %v", err)
	}
}

// TestHookEnvironment: without one of its own a hook has the runtime's, and in the
// container the command's. Descriptors it has three.
func TestHookEnvironment(t *testing.T) {
	t.Setenv("OF_THE_RUNTIME", "1")
	// One that is not closed at exec, as a caller of the runtime may leave it.
	open, err := unix.FcntlInt(1, unix.F_DUPFD, 200)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(open)
	f := newFixture(t, "true")
	log := filepath.Join(f.opts.Bundle, "log")
	script := "echo $OF_THE_RUNTIME $OWN $HOME $(pwd) >> "
	descriptors := "; ls /proc/$$/fd | grep -c 200 >> " + log + "; true"
	f.opts.Spec.Process.Env = append(f.opts.Spec.Process.Env, "OWN=1", "OWN=2")
	f.opts.Spec.Process.Cwd = "/tmp"
	f.opts.Spec.Hooks = &specs.Hooks{
		CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo $OF_THE_RUNTIME $OWN >> " + log + descriptors}},
			{Path: "/bin/sh", Args: []string{"sh", "-c", "echo $OF_THE_RUNTIME $OWN >> " + log}, Env: []string{"OWN=3"}}},
		StartContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", script + "/hooked"}}},
	}
	f.run()
	for name, want := range map[string]string{log: "1\n0\n3\n", filepath.Join(f.opts.Bundle, "rootfs/hooked"): "2 / /tmp\n"} {
		if b, err := os.ReadFile(name); err != nil || string(b) != want {
			t.Errorf("%s holds %q, %v; want %q", filepath.Base(name), b, err, want)
		}
	}
}
