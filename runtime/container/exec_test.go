package container

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// running starts a container that sleeps.
func (f *fixture) running() *Container {
	f.t.Helper()
	f.opts.Spec.Process.Args = []string{"sleep", "1000"}
	c := f.create()
	if err := c.Start(); err != nil {
		f.t.Fatalf("start: %v", err)
	}
	f.t.Cleanup(func() {
		_ = c.Init().Signal(unix.SIGKILL)
		f.wait(c.Init())
	})
	return c
}

// exec runs a process in c to its end.
func (f *fixture) exec(c *Container, args ...string) (string, unix.WaitStatus) {
	f.t.Helper()
	out, err := os.Create(filepath.Join(f.opts.Bundle, "exec-out"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer out.Close()
	p, err := c.Exec(context.Background(), ExecOptions{Process: &specs.Process{Args: args, Cwd: "/tmp", Env: []string{"PATH=/bin"}},
		Stdout: out, Stderr: out})
	if err != nil {
		f.t.Fatalf("exec: %v", err)
	}
	status := f.wait(p)
	b, err := os.ReadFile(out.Name())
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b), status
}

func TestExecRunsBesideInit(t *testing.T) {
	f := newFixture(t)
	c := f.running()
	script := `for n in pid mnt uts ipc net cgroup; do [ "$(readlink /proc/self/ns/$n)" = "$(readlink /proc/1/ns/$n)" ] || echo other $n; done
diff /proc/1/cgroup /proc/self/cgroup && grep CapEff /proc/self/status | cut -f2; pwd; ls /proc/self/fd | tr '\n' ' '; exit 3`
	out, status := f.exec(c, "sh", "-c", script)
	if want := "00000000080404e1\n/tmp\n0 1 2 3 "; out != want || status.ExitStatus() != 3 {
		t.Errorf("output %q, status %d; want %q and 3", out, status.ExitStatus(), want)
	}
	if pids, err := c.Pids(); err != nil || len(pids) != 1 {
		t.Errorf("pids %v, %v; want init alone", pids, err)
	}
}

func TestExecOfWhatCannotRun(t *testing.T) {
	f := newFixture(t)
	c := f.running()
	plain := filepath.Join(f.opts.Bundle, "rootfs/bin/plain")
	if err := os.WriteFile(plain, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.opts.Bundle, "rootfs/bin/garbage"), []byte("\x00garbage"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		arg, text string
		kind      error
	}{
		{"nosuch", "executable file not found in $PATH", ErrNotFound},
		{"/nosuch", "no such file or directory", ErrNotFound},
		{"plain", "permission denied", ErrNotExecutable},
		{"/bin", "is a directory", ErrNotExecutable},
		{"garbage", "exec format error", ErrNotExecutable},
	} {
		_, err := c.Exec(context.Background(), ExecOptions{Process: &specs.Process{Args: []string{tc.arg}, Cwd: "/", Env: []string{"PATH=/bin"}}})
		if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("exec %s: error %v, want %v with %q", tc.arg, err, tc.kind, tc.text)
		}
	}
	if pids, err := c.Pids(); err != nil || len(pids) != 1 {
		t.Errorf("pids %v, %v; want init alone", pids, err)
	}
}

// TestExecDefaults is a process.json that says next to nothing: the container's own
// process speaks for it.
func TestExecDefaults(t *testing.T) {
	f := newFixture(t)
	p := f.opts.Spec.Process
	score, umask := 400, uint32(0o27)
	p.OOMScoreAdj, p.User.Umask = &score, &umask
	p.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Nice: 4}
	p.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_IDLE}
	p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 77, Hard: 99}}
	c := f.running()
	out, _ := f.exec(c, "sh", "-c", "cat /proc/self/oom_score_adj; umask; cut -d' ' -f19 /proc/self/stat; ionice -p $$; ulimit -n; grep CapEff /proc/self/status")
	if want := "400\n0027\n4\nidle\n77\nCapEff:\t00000000080404e1\n"; out != want {
		t.Errorf("an exec has %q, want %q", out, want)
	}
}

func TestDefaultsDoNotOverride(t *testing.T) {
	d := defaultsOf(&specs.Process{ApparmorProfile: "a", SelinuxLabel: "b", OOMScoreAdj: ptr(1), Rlimits: []specs.POSIXRlimit{{Type: "x"}}})
	own := specs.Process{ApparmorProfile: "c", OOMScoreAdj: ptr(2)}
	d.fill(&own)
	if own.ApparmorProfile != "c" || own.SelinuxLabel != "b" || *own.OOMScoreAdj != 2 || len(own.Rlimits) != 1 || own.Capabilities != nil {
		t.Errorf("filled in: %+v", own)
	}
}
