package shim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/runtime/container"
	"berth/shim"
)

// logText returns what a container wrote to one stream, by its log. The files are read
// from the oldest on.
func logText(t testing.TB, stream string, paths ...string) string {
	t.Helper()
	var text strings.Builder
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var o struct{ Log, Stream string }
			if err := json.Unmarshal(line, &o); err != nil {
				t.Fatalf("log line %q: %v", line, err)
			}
			if o.Stream == stream {
				text.WriteString(o.Log)
			}
		}
	}
	return text.String()
}

func TestRunExitCode(t *testing.T) {
	b := newBench(t)
	cfg := b.config("echo out; echo err >&2; exit 7")
	x := b.exit(b.run(cfg))
	if x.Status != 7 || x.Signal != 0 || x.Error != "" || x.StartedAt.IsZero() || !x.ExitedAt.After(x.StartedAt) {
		t.Errorf("exit is %+v", x)
	}
	onDisk, err := shim.ReadExit(cfg.ExitPath)
	if err != nil || onDisk != x {
		t.Errorf("record is %+v (%v), the waiter got %+v", onDisk, err, x)
	}
	if out, errs := logText(t, "stdout", cfg.Log.Path), logText(t, "stderr", cfg.Log.Path); out != "out\n" || errs != "err\n" {
		t.Errorf("log has %q and %q", out, errs)
	}
	b.assertNothingLeft()
	if _, err := os.Stat(cfg.ExitPath + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the reserved record is still there: %v", err)
	}
}

func TestInfoThroughALife(t *testing.T) {
	b := newBench(t)
	cfg := b.config("read x; exit 3")
	cfg.OpenStdin, cfg.StdinOnce = true, true
	c := b.create(cfg)
	status := func(want shim.Status) shim.Info {
		t.Helper()
		i, err := c.Info()
		if err != nil || i.Status != want {
			t.Fatalf("status is %q, %v; want %s", i.Status, err, want)
		}
		return i
	}
	if i := status(shim.StatusCreated); i.ID != cfg.ID || i.PID != c.PID() || i.ShimPID != c.ShimPID() || !i.StartedAt.IsZero() || !i.HasStdin {
		t.Errorf("info is %+v", i)
	}
	if err := c.Pause(); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("pause before the start gives %v", err)
	}
	if err := c.Resize(10, 10); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("resize without a terminal gives %v", err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if i := status(shim.StatusRunning); i.StartedAt.IsZero() {
		t.Error("no start time")
	}
	if err := c.Start(); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("second start gives %v", err)
	}
	if err := c.Pause(); err != nil {
		t.Fatal(err)
	}
	status(shim.StatusPaused)
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	status(shim.StatusRunning)
	if _, err := shim.Start(b.ctx(), b.self, cfg); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a second shim in the same directory gives %v", err)
	}
	b.attach(c, shim.AttachOptions{Stdin: true}).closeWrite()
	if x := b.exit(c); x.Status != 3 {
		t.Errorf("exit is %+v", x)
	}
	if _, err := shim.Connect(b.ctx(), cfg.Dir); err != nil && !errdefs.IsNotFound(err) && !errdefs.IsUnavailable(err) {
		t.Errorf("connect after the end gives %v", err)
	}
}

func TestSignals(t *testing.T) {
	b := newBench(t)
	t.Run("caught", func(t *testing.T) {
		cfg := b.config(`trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.01; done`)
		c := b.run(cfg)
		b.until("ready", func() bool { return strings.Contains(logText(t, "stdout", cfg.Log.Path), "ready") })
		if err := c.Kill(unix.SIGTERM, false); err != nil {
			t.Fatal(err)
		}
		if x := b.exit(c); x.Status != 5 {
			t.Errorf("exit is %+v", x)
		}
	})
	t.Run("killed", func(t *testing.T) {
		c := b.run(b.config("sleep 1000"))
		if err := c.Kill(unix.SIGKILL, false); err != nil {
			t.Fatal(err)
		}
		if x := b.exit(c); x.Status != 137 || x.Signal != 9 || x.OOMKilled {
			t.Errorf("exit is %+v", x)
		}
	})
	t.Run("killed while paused", func(t *testing.T) {
		c := b.run(b.config("sleep 1000"))
		if err := c.Pause(); err != nil {
			t.Fatal(err)
		}
		if err := c.Kill(unix.SIGKILL, false); err != nil {
			t.Fatal(err)
		}
		if x := b.exit(c); x.Status != 137 {
			t.Errorf("exit is %+v", x)
		}
	})
	t.Run("killed before the start", func(t *testing.T) {
		c := b.create(b.config("true"))
		if err := c.Kill(unix.SIGKILL, true); err != nil {
			t.Fatal(err)
		}
		if x := b.exit(c); x.Status != 137 || !x.StartedAt.IsZero() {
			t.Errorf("exit is %+v", x)
		}
	})
}

func TestOOMKill(t *testing.T) {
	b := newBench(t)
	cfg := b.config("exec dd if=/dev/zero of=/dev/null bs=64M count=1")
	limit := int64(16 << 20)
	cfg.Spec.Linux.Resources = memoryLimit(limit)
	if x := b.exit(b.run(cfg)); x.Status != 137 || !x.OOMKilled {
		t.Errorf("exit is %+v", x)
	}
}

// All output is in the log, in order, though the process ends right after it.
func TestLogIsComplete(t *testing.T) {
	b := newBench(t)
	cfg := b.config("seq 1 200000")
	if x := b.exit(b.run(cfg)); x.Status != 0 {
		t.Errorf("exit is %+v", x)
	}
	var want strings.Builder
	for i := range 200000 {
		fmt.Fprintln(&want, i+1)
	}
	if got := logText(t, "stdout", cfg.Log.Path); got != want.String() {
		t.Errorf("the log has %d bytes of %d", len(got), want.Len())
	}
}

func TestLogRotates(t *testing.T) {
	b := newBench(t)
	cfg := b.config("seq 1 10000")
	cfg.Log.MaxSize, cfg.Log.MaxFiles = 100<<10, 3
	b.exit(b.run(cfg))
	got := logText(t, "stdout", cfg.Log.Path+".2", cfg.Log.Path+".1", cfg.Log.Path)
	if !strings.HasSuffix(got, "\n9999\n10000\n") || strings.Count(got, "\n") < 2500 {
		t.Errorf("%d lines are kept", strings.Count(got, "\n"))
	}
	if names, _ := filepath.Glob(cfg.Log.Path + "*"); len(names) != 3 {
		t.Errorf("files are %v", names)
	}
}

func TestNoLog(t *testing.T) {
	b := newBench(t)
	cfg := b.config("echo x")
	cfg.Log = shim.LogConfig{Driver: "none"}
	if x := b.exit(b.run(cfg)); x.Status != 0 {
		t.Errorf("exit is %+v", x)
	}
}

// A log that fills its disk hurts neither the container nor its exit record, which is
// on the same disk.
func TestLogOnAFullDisk(t *testing.T) {
	b := newBench(t)
	disk := filepath.Join(b.dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(disk, unix.MNT_DETACH)
	cfg := b.config("seq 1 20000; read x; echo last; exit 4")
	cfg.OpenStdin = true
	cfg.Log.Path, cfg.ExitPath = filepath.Join(disk, "log.json"), filepath.Join(disk, "exit.json")
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	c := b.run(cfg)
	b.until("the disk is full and all was written", func() bool {
		i, err := c.Info()
		log, rerr := os.ReadFile(cfg.Log.Path)
		written := bytes.Count(log, []byte{'\n'})
		return err == nil && rerr == nil && i.LogDropped > 1000 && int(i.LogDropped)+written >= 19999 && strings.Contains(i.LogError, "no space left")
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	b.attach(c, shim.AttachOptions{Stdin: true}).write("go\n")
	if x := b.exit(c); x.Status != 4 {
		t.Errorf("exit is %+v", x)
	}
	if got := logText(t, "stderr", cfg.Log.Path); !strings.Contains(got, "lines of output are missing here: no space left on device") {
		t.Errorf("the log tells %q of what is missing", got)
	}
	if got := logText(t, "stdout", cfg.Log.Path); !strings.HasSuffix(got, "last\n") {
		t.Errorf("the log ends with %q", got[len(got)-20:])
	}
}

func TestExitRecordFitsAFullDisk(t *testing.T) {
	b := newBench(t)
	disk := filepath.Join(b.dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(disk, unix.MNT_DETACH)
	cfg := b.config("seq 1 20000; exit 9")
	cfg.Log.Path, cfg.ExitPath = filepath.Join(disk, "log.json"), filepath.Join(disk, "exit.json")
	b.exit(b.run(cfg))
	if x, err := shim.ReadExit(cfg.ExitPath); err != nil || x.Status != 9 {
		t.Errorf("record is %+v, %v", x, err)
	}
}

// What cannot be created leaves nothing behind and says why.
func TestFailedStarts(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]struct {
		change func(*shim.Config)
		kind   error
		text   string
	}{
		"no command":      {func(c *shim.Config) { c.Spec.Process.Args = []string{"/bin/nothing"} }, container.ErrNotFound, "/bin/nothing"},
		"not executable":  {func(c *shim.Config) { c.Spec.Process.Args = []string{"/etc"} }, container.ErrNotExecutable, "/etc"},
		"no lower layer":  {func(c *shim.Config) { c.Rootfs[0].Options[0] = "lowerdir=/nonexistent/berth" }, nil, "mount root filesystem"},
		"log is nowhere":  {func(c *shim.Config) { c.Log.Path = "/nonexistent/log" }, nil, "open container log"},
		"exit is nowhere": {func(c *shim.Config) { c.ExitPath = "/nonexistent/exit" }, nil, "exit record"},
		"relative path":   {func(c *shim.Config) { c.ExitPath = "exit" }, errdefs.ErrInvalidArgument, "absolute"},
		"no process":      {func(c *shim.Config) { c.Spec.Process = nil }, errdefs.ErrInvalidArgument, "no process"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := b.config("true")
			c.change(&cfg)
			_, err := shim.Start(b.ctx(), b.self, cfg)
			if err == nil || !strings.Contains(err.Error(), c.text) || c.kind != nil && !errors.Is(err, c.kind) {
				t.Errorf("error is %v", err)
			}
			b.assertNothingLeft()
			if _, err := os.Stat(cfg.ExitPath + ".new"); err == nil {
				t.Error("the reserved record is left")
			}
		})
	}
}

// The container's root and network, by descriptor.
func TestDescriptors(t *testing.T) {
	b := newBench(t)
	cfg := b.config("echo here > /tmp/file; echo ready; sleep 1000")
	c := b.run(cfg)
	b.until("ready", func() bool { return logText(t, "stdout", cfg.Log.Path) != "" })
	root, err := c.RootFD()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	fd, err := unix.Openat(int(root.Fd()), "tmp/file", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	ns, err := c.NetNS()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	var theirs, got unix.Stat_t
	if err := errors.Join(unix.Stat(fmt.Sprintf("/proc/%d/ns/net", c.PID()), &theirs), unix.Fstat(int(ns.Fd()), &got)); err != nil || got.Ino != theirs.Ino {
		t.Errorf("namespace is %d, not %d: %v", got.Ino, theirs.Ino, err)
	}
	c.Kill(unix.SIGKILL, true)
	b.exit(c)
}

// The host's mount table knows nothing of a container.
func TestIsolation(t *testing.T) {
	b := newBench(t)
	cfg := b.config("sleep 1000")
	c := b.run(cfg)
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), cfg.MountPoint) {
		t.Error("the overlay is in the host's mount table")
	}
	c.Kill(unix.SIGKILL, true)
	b.exit(c)
}

// The same container can run again at once, in the same directory.
func TestRunsAgain(t *testing.T) {
	b := newBench(t)
	cfg := b.config("echo again")
	for range 10 {
		if x := b.exit(b.run(cfg)); x.Status != 0 {
			t.Fatalf("exit is %+v", x)
		}
	}
	if got := logText(t, "stdout", cfg.Log.Path); got != strings.Repeat("again\n", 10) {
		t.Errorf("log has %q", got)
	}
}

// Descriptors that an engine was born with do not reach its shims.
func TestNoInheritedDescriptor(t *testing.T) {
	b := newBench(t)
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil { // without O_CLOEXEC
		t.Fatal(err)
	}
	r := os.NewFile(uintptr(p[0]), "pipe")
	defer r.Close()
	c := b.run(b.config("sleep 1000"))
	unix.Close(p[1])
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the pipe gives %d, %v: somebody holds it", n, err)
	}
	c.Kill(unix.SIGKILL, true)
	b.exit(c)
}
