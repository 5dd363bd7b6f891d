package shim_test

import (
	"os/signal"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// An engine that was started with nohup, say, must not make its containers deaf.
func TestIgnoredSignalsAreNotInherited(t *testing.T) {
	signal.Ignore(unix.SIGHUP, unix.SIGTSTP, unix.SIGALRM)
	defer signal.Reset(unix.SIGHUP, unix.SIGTSTP, unix.SIGALRM)
	b := newBench(t)
	cfg := b.config("")
	cfg.Spec.Process.Args = []string{"/bin/busybox", "grep", "SigIgn", "/proc/self/status"} // a shell ignores SIGQUIT by itself
	if _, err := b.run(cfg).Wait(b.ctx()); err != nil {
		t.Fatal(err)
	}
	if out := strings.TrimSpace(logText(t, "stdout", cfg.Log.Path)); out != "SigIgn:\t0000000000000000" {
		t.Errorf("ignored signals of a container: %s", out)
	}
}
