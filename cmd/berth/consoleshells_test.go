package main

import (
	"syscall"
	"testing"

	"berth/tui/tuitest"
)

// TestShellsOutliveTheirEngine: the engine is killed under a shell and under an
// attachment to the main process, with a console that starts the next engine and
// with one that waits for somebody to do so. Keys, output and sizes go on.
func TestShellsOutliveTheirEngine(t *testing.T) {
	for _, c := range []struct {
		name string
		far  bool
		open string
	}{{"shell", false, "E"}, {"main process", false, "a"}, {"by socket", true, "E"}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.images()
			r.berth("run", "-dit", "--name", "lasting", "--network", "none", "busybox", "sh")
			cmd := r.command()
			if c.far {
				cmd = r.command("-H", r.conf.Socket())
			}
			u := tuitest.Start(t, cmd, 110, 32)
			u.WaitFor("● lasting")
			u.Press(c.open)
			u.WaitFor("/ #")
			u.Type("before=$(stty size); echo one-$((1+1))\n")
			u.WaitFor("one-2")
			syscall.Kill(r.engine(), syscall.SIGKILL)
			u.WaitFor("the engine is gone")
			u.Type("echo two-$((1+2))\n") // nobody but the shim is there
			u.WaitFor("two-3")
			u.Resize(90, 28)
			if c.far {
				r.berth("ps")
			}
			u.WaitGone("the engine is gone")
			u.Type("while [ \"$(stty size)\" = \"$before\" ]; do sleep 0.1; done; echo resized-$((3+4))\n")
			u.WaitFor("resized-7")
			u.Signal(syscall.SIGTERM)
			u.WaitExit()
		})
	}
}
