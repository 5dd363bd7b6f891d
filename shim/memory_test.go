package shim_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"berth/shim"
)

// privateKB is the memory that a process shares with nobody.
func privateKB(t *testing.T, pid int) (kb int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if errors.Is(err, unix.ESRCH) {
		return math.MaxInt // it is between two images, and has none
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var n int
		if f := strings.Fields(line); len(f) == 3 && (f[0] == "Private_Clean:" || f[0] == "Private_Dirty:") {
			fmt.Sscan(f[1], &n)
			kb += n
		}
	}
	return kb
}

// idleKB is what conmon, podman's counterpart of the shim, takes: 1.06 MB.
const idleKB = 1085

// An idle shim costs no more than that, after a busy life too. (The shim here is the
// test binary.)
func TestIdleMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector multiplies memory")
	}
	b := newBench(t)
	cfg := b.config("seq 1 100000; read x")
	cfg.OpenStdin = true
	c := b.run(cfg)
	for i := range 5 {
		id := fmt.Sprint(i)
		term := b.exec(c, shim.ExecConfig{ID: id, Process: process("seq 1 1000")})
		term.all()
		b.execExit(c, id)
	}
	kb := 0
	end := time.Now().Add(waitLimit)
	for {
		kb = privateKB(t, c.ShimPID())
		if kb <= idleKB || time.Now().After(end) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("idle shim: %d kB private", kb)
	if kb > idleKB {
		t.Errorf("an idle shim has %d kB of private memory", kb)
	}
	c.Kill(unix.SIGKILL, true)
	b.exit(c)
}

// stuckKB is the output that waits for a client, a megabyte, and what a busy shim has beside it.
const stuckKB = 4900

// A client that does not read costs what waits for it, and not several times that.
func TestStuckClientMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector multiplies memory")
	}
	b := newBench(t)
	cfg := b.config("read x; i=0; while [ $i -lt 50000 ]; do echo 0123456789; i=$((i+1)); done; echo done >&2; read x")
	cfg.OpenStdin = true
	c := b.run(cfg)
	b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true, Mux: true}).write("x\n")
	b.until("the end of the output", func() bool {
		log, err := os.ReadFile(cfg.Log.Path)
		return err == nil && strings.Contains(string(log), "done")
	})
	kb := 0
	b.until("rest", func() bool {
		kb = privateKB(t, c.ShimPID())
		return kb <= stuckKB
	})
	t.Logf("shim with a stuck client: %d kB private", kb)
	c.Kill(unix.SIGKILL, true)
	b.exit(c)
}

// BenchmarkRun is the shim's part of `berth run`, and how it divides: until parked,
// until started, until the exit was told.
func BenchmarkRun(b *testing.B) {
	bench := newBench(b)
	var parked, started, told time.Duration
	for b.Loop() {
		cfg := bench.config("true")
		cfg.Spec.Process.Args = []string{"/bin/true"}
		t0 := time.Now()
		c := bench.create(cfg)
		t1 := time.Now()
		if err := c.Start(); err != nil {
			b.Fatal(err)
		}
		t2 := time.Now()
		bench.exit(c)
		parked, started, told = parked+t1.Sub(t0), started+t2.Sub(t1), told+time.Since(t2)
	}
	for name, d := range map[string]time.Duration{"ms/parked": parked, "ms/started": started, "ms/told": told} {
		b.ReportMetric(d.Seconds()*1000/float64(b.N), name)
	}
}
