package container

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestKillOfACreated: its init, the first process of a pid namespace, has no handlers.
func TestKillOfACreated(t *testing.T) {
	for _, all := range []bool{false, true} {
		f := newFixture(t, "true")
		c := f.create()
		if err := c.Kill(unix.SIGTERM, all); err != nil {
			t.Fatal(err)
		}
		f.wait(c.Init())
		if s := c.status(); s != specs.StateStopped {
			t.Errorf("all %v: it is %s", all, s)
		}
		if err := c.Delete(false); err != nil {
			t.Error(err)
		}
	}
}

// TestKillOfACreatedSparesIt has signals that end nobody, and one that comes while
// the container is being started.
func TestKillOfACreatedSparesIt(t *testing.T) {
	f := newFixture(t, "sh", "-c", "echo started")
	c := f.create()
	for _, sig := range []unix.Signal{0, unix.SIGWINCH, unix.SIGCHLD, unix.SIGCONT} {
		if err := c.Kill(sig, false); err != nil {
			t.Errorf("signal %d: %v", sig, err)
		}
	}
	err := c.dir.withLock(func() error { return c.Kill(unix.SIGTERM, false) })
	if err != nil {
		t.Error(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if status := f.wait(c.Init()); status.ExitStatus() != 0 || f.output() != "started\n" {
		t.Errorf("status %v, output %q", status, f.output())
	}
}
