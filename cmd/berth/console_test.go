package main

import (
	"strings"
	"syscall"
	"testing"

	"berth/tui/tuitest"
)

// TestTheFirstEvening is what a new user does: opens the console, starts a
// shell in a container of the starter image, touches a file, sees it in the Diff
// tab, leaves, and finds everything there again.
func TestTheFirstEvening(t *testing.T) {
	r := newRig(t)
	r.images()
	r.berth("run", "-dit", "--name", "evening", "berth/starter")
	syscall.Kill(r.engine(), syscall.SIGTERM)
	r.until("the engine has ended", func() bool { return len(r.processes("serve")) == 0 })

	c := tuitest.Start(t, r.command(), 120, 40)
	c.WaitFor("evening", "berth/starter")
	c.Press("E")
	c.WaitFor("/ #")
	c.Type("touch /made-here; echo done-$((1+1))\n")
	c.WaitFor("done-2")
	c.Press("ctrl+]", "q")
	c.WaitGone("▸ shell")
	c.Press("]")
	c.WaitFor("made-here")
	c.Press("q")
	if code := c.WaitExit(); code != 0 {
		t.Fatalf("leaving the console: exit code %d", code)
	}
	// The container runs on, and so does an engine, since it is needed.
	r.engine()
	if out := r.berth("ps", "--format", "{{.Names}} {{.State}}"); out != "evening running" {
		t.Errorf("after the console: %q", out)
	}
	if out := r.berth("diff", "evening"); !strings.Contains(out, "A /made-here") {
		t.Errorf("diff: %q", out)
	}
	again := tuitest.Start(t, r.command(), 120, 40)
	again.WaitFor("evening")
	again.Press("q")
	if code := again.WaitExit(); code != 0 {
		t.Errorf("leaving the second console: exit code %d", code)
	}
}

// TestAConsoleAloneLeavesNothing: no containers, no clients, no engine
// afterwards.
func TestAConsoleAloneLeavesNothing(t *testing.T) {
	r := newRig(t)
	c := tuitest.Start(t, r.command(), 100, 30)
	c.WaitFor("Containers")
	c.Press("q")
	if code := c.WaitExit(); code != 0 {
		t.Fatalf("leaving the console: exit code %d", code)
	}
	if pids := r.processes(""); len(pids) != 0 {
		t.Errorf("processes are left: %v", pids)
	}
}

// TestTheConsoleDiesTheContainersDoNot: SIGKILL of a console that embeds the
// engine.
func TestTheConsoleDiesTheContainersDoNot(t *testing.T) {
	r := newRig(t)
	r.images()
	syscall.Kill(r.engine(), syscall.SIGTERM)
	r.until("the engine has ended", func() bool { return len(r.processes("serve")) == 0 })
	c := tuitest.Start(t, r.command(), 100, 30)
	c.WaitFor("Containers")
	r.berth("run", "-d", "--name", "survivor", "--network", "none", "--stop-signal", "KILL", "busybox", "sleep", "1000")
	c.WaitFor("survivor")
	c.Signal(syscall.SIGKILL)
	c.WaitExit()
	if out := r.berth("ps", "--format", "{{.Names}}"); out != "survivor" {
		t.Errorf("after the kill: %q", out)
	}
	next := tuitest.Start(t, r.command(), 100, 30)
	next.WaitFor("● survivor", "Containers 1")
	next.Press("s") // the next engine has it in hand
	next.WaitFor("○ survivor", "stopped survivor")
	next.Press("q")
	if code := next.WaitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	next.WaitRestored()
}

// TestTheConsoleNeedsATerminal: piped, it says so.
func TestTheConsoleNeedsATerminal(t *testing.T) {
	r := newRig(t)
	if _, code, msg := r.try(); code == 0 || !strings.Contains(msg, "needs a terminal") {
		t.Errorf("exit code %d: %s", code, msg)
	}
}

// TestTerminalVerbs drives run -it, exec -it and attach: sizes, detaching, exit
// codes.
func TestTerminalVerbs(t *testing.T) {
	r := newRig(t)
	r.images()
	c := tuitest.Start(t, r.command("run", "-it", "--name", "tty", "--network", "none", "busybox", "sh"), 90, 25)
	c.WaitFor("/ #")
	c.Type("stty size\n")
	c.WaitFor("25 90")
	c.Resize(70, 20)
	c.Type("while [ \"$(stty size)\" != \"20 70\" ]; do :; done; stty size\n")
	c.WaitFor("20 70")
	c.Press("ctrl+p", "ctrl+q")
	if code := c.WaitExit(); code != 0 {
		t.Errorf("detaching: exit code %d", code)
	}
	e := tuitest.Start(t, r.command("exec", "-it", "tty", "sh"), 80, 24)
	e.WaitFor("/ #")
	e.Type("stty size; exit 6\n")
	e.WaitFor("24 80")
	if code := e.WaitExit(); code != 6 {
		t.Errorf("the shell's exit code: %d", code)
	}
	a := tuitest.Start(t, r.command("attach", "tty"), 80, 24)
	a.Type("echo back-$((2+2))\n")
	a.WaitFor("back-4")
	a.Type("exit 5\n")
	if code := a.WaitExit(); code != 5 {
		t.Errorf("the container's exit code: %d", code)
	}
}

// TestLeavingWaitsForAStop: what was asked for is done before the engine goes to
// the background, and the one who has left is told what the wait is for.
func TestLeavingWaitsForAStop(t *testing.T) {
	r := newRig(t)
	r.images()
	syscall.Kill(r.engine(), syscall.SIGTERM)
	r.until("the engine has ended", func() bool { return len(r.processes("serve")) == 0 })
	c := tuitest.Start(t, r.command(), 100, 30)
	c.WaitFor("Containers")
	for _, name := range []string{"deaf", "other"} { // they hear SIGTERM and go on
		r.berth("run", "-d", "--name", name, "--network", "none", "busybox", "sh", "-c", "trap 'echo heard' TERM; while :; do sleep 0.1; done")
	}
	c.WaitFor("● deaf", "● other")
	stopping := r.command("stop", "-t", "4", "deaf")
	if err := stopping.Start(); err != nil {
		t.Fatal(err)
	}
	r.until("the stop is under way", func() bool { return strings.Contains(r.berth("logs", "deaf"), "heard") })
	c.Press("q")
	c.WaitFor("waiting for what is under way")
	if err := stopping.Wait(); err != nil {
		t.Errorf("the stop: %v", err)
	}
	if code := c.WaitExit(); code != 0 {
		t.Errorf("leaving the console: exit code %d\n%s", code, c.Screen())
	}
	if out := r.berth("ps", "--format", "{{.Names}}"); out != "other" {
		t.Errorf("after the console: %q", out)
	}
}

// TestLeavingCutShort: neither the end of the terminal nor the signals that cut off
// the wait keep the engine from being handed over.
func TestLeavingCutShort(t *testing.T) {
	r := newRig(t)
	r.images()
	syscall.Kill(r.engine(), syscall.SIGTERM)
	r.until("the engine has ended", func() bool { return len(r.processes("serve")) == 0 })
	c := tuitest.Start(t, r.command(), 100, 30)
	c.WaitFor("Containers")
	r.berth("run", "-d", "--name", "deaf", "--network", "none", "busybox", "sh", "-c", "trap 'echo heard' TERM; while :; do sleep 0.1; done")
	c.WaitFor("● deaf")
	stopping := r.command("stop", "-t", "1000", "deaf")
	if err := stopping.Start(); err != nil {
		t.Fatal(err)
	}
	r.until("the stop is under way", func() bool { return strings.Contains(r.berth("logs", "deaf"), "heard") })
	c.Press("q")
	c.WaitFor("waiting for what is under way")
	c.WaitRestored()
	c.Signal(syscall.SIGHUP)
	c.Signal(syscall.SIGTERM)
	c.Signal(syscall.SIGINT)
	c.Signal(syscall.SIGTERM)
	if code := c.WaitExit(); code != 0 {
		t.Errorf("leaving the console: exit code %d\n%s", code, c.Screen())
	}
	if len(r.processes("serve")) != 1 {
		t.Error("the engine was not handed over")
	}
	if out := r.berth("ps", "--format", "{{.Names}}"); out != "deaf" {
		t.Errorf("after the console: %q", out)
	}
	_ = stopping.Wait() // it was cut off
}
