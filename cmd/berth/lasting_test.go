package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// transcript is what a process prints, readable while it runs.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// What waits, follows and listens goes on with the next engine: end the one that it
// began with, and end a container while there is none.
func TestVerbsGoOnWithTheNextEngine(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) { verbsGoOn(t, sig) })
	}
}

func verbsGoOn(t *testing.T, sig syscall.Signal) {
	r := newRig(t)
	r.images()
	untilFile := func(name, then string) []string {
		return []string{"--network", "none", "-v", r.dir + ":/host", "busybox", "sh", "-c", "echo up; while [ ! -e /host/" + name + " ]; do sleep 0.01; done; " + then}
	}
	touch := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(r.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.berth(append([]string{"run", "-d", "--name", "talk"}, untilFile("talk", "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; sleep 0.002; done; exit 4")...)...)
	run, logs, wait, events, stats := &transcript{}, &transcript{}, &transcript{}, &transcript{}, &transcript{}
	start := func(out *transcript, args ...string) func() int {
		t.Helper()
		cmd := r.command(args...)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		return func() int { cmd.Wait(); return cmd.ProcessState.ExitCode() }
	}
	ran := start(run, append([]string{"run", "--rm", "--name", "gone"}, untilFile("gone", "exit 7")...)...)
	logged := start(logs, "logs", "-f", "talk")
	waited := start(wait, "wait", "talk")
	start(events, "events", "--format", "{{.Action}} {{.Actor.Attributes.name}}")
	start(stats, "stats", "--format", "{{.Name}}")
	r.until("all are at it", func() bool {
		return strings.Contains(stats.String(), "talk") && strings.Contains(run.String(), "up") && strings.Contains(logs.String(), "up") && strings.Contains(r.berth("ps"), "gone")
	})
	// Whether events listens shows by an event.
	r.until("events listens", func() bool {
		r.berth("rename", "talk", "talker")
		r.berth("rename", "talker", "talk")
		return strings.Contains(events.String(), "rename")
	})
	touch("talk")
	r.until("lines come", func() bool { return strings.Contains(logs.String(), "\n50\n") })
	syscall.Kill(r.engine(), sig)
	r.until("the engine is dead", func() bool { return len(r.processes("serve")) == 0 })
	touch("gone")
	if code := ran(); code != 7 {
		t.Errorf("run --rm of what ended without an engine: exit code %d: %s", code, run.String())
	}
	if code := logged(); code != 0 {
		t.Errorf("logs -f: exit code %d", code)
	}
	var want strings.Builder
	want.WriteString("up\n")
	for i := range 300 {
		fmt.Fprintf(&want, "%d\n", i+1)
	}
	if got := logs.String(); got != want.String() {
		t.Errorf("logs -f has a gap, or lines twice: %d bytes, want %d", len(got), want.Len())
	}
	if code := waited(); code != 0 || wait.String() != "4\n" {
		t.Errorf("wait: exit code %d, %q", code, wait.String())
	}
	r.until("events go on", func() bool { return strings.Contains(events.String(), "die talk") })
	r.berth("run", "-d", "--name", "later", "--network", "none", "busybox", "sleep", "1000")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(stats.String())
		}
	})
	r.until("stats go on", func() bool { return strings.Contains(stats.String(), "later") })
}

func TestStampedLines(t *testing.T) {
	const at = "2026-03-04T05:06:07.000000008Z "
	var out bytes.Buffer
	s := &stamped{}
	w := &stampedLines{stampedWriter{s, &out}, nil}
	for _, p := range []string{at + "on", "e\n" + at, "two\nno time\n", at + "rest"} {
		if n, err := w.Write([]byte(p)); err != nil || n != len(p) {
			t.Fatal(n, err)
		}
	}
	if out.String() != "one\ntwo\nno time\n" || s.last.Format(time.RFC3339Nano)+" " != at {
		t.Errorf("got %q, %v", out.String(), s.last)
	}
	if err := w.flush(); err != nil || !strings.HasSuffix(out.String(), "\nrest") {
		t.Errorf("got %q, %v", out.String(), err)
	}
	s.keep = true
	out.Reset()
	if _, err := (stampedWriter{s, &out}).Write([]byte(at + "x\n")); err != nil || out.String() != at+"x\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}
