package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Who is attached to a container, by attach, start -a or exec, keeps its streams when the
// engine is killed, and learns the exit code from the next one.
func TestAttachedVerbsOutliveTheEngine(t *testing.T) {
	r := newRig(t)
	r.images()
	script := func(name, then string) []string {
		return []string{"sh", "-c", "while :; do [ -e /host/" + name + " ] && break; echo up; sleep 0.02; done; " + then}
	}
	box := func(verb, name, then string) {
		t.Helper()
		r.berth(append([]string{verb, "--name", name, "--network", "none", "-v", r.dir + ":/host", "busybox"}, script(name, then)...)...)
	}
	box("create", "first", "echo bye first; exit 5")
	r.berth("start", "first")
	box("create", "second", "echo bye second >&2; exit 6")
	r.berth("run", "-d", "--name", "host", "--network", "none", "-v", r.dir+":/host", "busybox", "sleep", "1000")
	var ended []func()
	for _, verb := range []struct {
		args []string
		last string
		code int
	}{
		{[]string{"attach", "first"}, "bye first\n", 5},
		{[]string{"start", "-a", "second"}, "bye second\n", 6},
		{append([]string{"exec", "host"}, script("third", "echo bye third; exit 7")...), "bye third\n", 7},
	} {
		out := &transcript{}
		cmd := r.command(verb.args...)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		r.until("it is attached", func() bool { return strings.Contains(out.String(), "up\n") })
		ended = append(ended, func() {
			t.Helper()
			_ = cmd.Wait() // the code tells
			if code := cmd.ProcessState.ExitCode(); code != verb.code || !strings.HasSuffix(out.String(), verb.last) {
				text := out.String()
				t.Errorf("%v: exit code %d, and at the end %q", verb.args, code, text[max(0, len(text)-200):])
			}
		})
	}
	syscall.Kill(r.engine(), syscall.SIGKILL)
	r.until("the engine is dead", func() bool { return len(r.processes("serve")) == 0 })
	for _, name := range []string{"first", "second", "third"} {
		if err := os.WriteFile(filepath.Join(r.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range ended {
		end()
	}
	r.berth("rm", "-f", "host")
}
