package shim_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"berth/runtime/mount"
	"berth/shim"
	"berth/shim/server"
)

// The test binary is the shim too, as berth is.
func init() {
	if len(os.Args) > 0 && os.Args[0] == "berth-shim" {
		os.Exit(server.Main())
	}
}

// waitLimit bounds what a test waits for. It is for what never happens: a virtual
// machine without hardware's help needs a multiple for what does.
var waitLimit = func() time.Duration {
	if os.Getenv("BERTH_TEST_VM") != "" {
		return 2 * time.Minute
	}
	return 10 * time.Second
}()

// bench is where one test runs its containers: directories of its own, and a root
// filesystem with busybox.
type bench struct {
	t    testing.TB
	dir  string
	self shim.Executable
}

// containers counts those of this test process.
var containers int

func newBench(t testing.TB) *bench {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: starts containers")
	}
	dir := t.TempDir()
	self, err := shim.NewExecutable("")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: dir, self: self}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs a static busybox in PATH")
	}
	for _, d := range []string{"bin", "dev", "proc", "sys", "tmp", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, "lower", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lower/bin/busybox"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "cat", "echo", "sleep", "true", "false", "kill", "stty", "head", "seq", "yes", "dd", "tty", "touch", "mount", "ls", "readlink"} {
		if err := os.Symlink("busybox", filepath.Join(dir, "lower/bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := shim.PrivateMount(filepath.Join(dir, "mnt")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		self.Close()
		b.assertNothingLeft()
		if err := shim.RemovePrivateMount(filepath.Join(dir, "mnt")); err != nil {
			t.Error(err)
		}
	})
	return b
}

// config of a container that runs a shell script.
func (b *bench) config(script string) shim.Config {
	containers++
	id := fmt.Sprintf("shimtest-%d-%d", os.Getpid(), containers)
	upper, work := filepath.Join(b.dir, id, "upper"), filepath.Join(b.dir, id, "work")
	for _, d := range []string{upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			b.t.Fatal(err)
		}
	}
	point := filepath.Join(b.dir, "mnt", id)
	return shim.Config{
		ID: id, Dir: filepath.Join(b.dir, "shim", id), RuntimeRoot: filepath.Join(b.dir, "runtime"),
		Spec: &specs.Spec{
			Version: specs.Version,
			Root:    &specs.Root{Path: point},
			Process: &specs.Process{Args: []string{"/bin/sh", "-c", script}, Cwd: "/", Env: []string{"PATH=/bin"}},
			Mounts: []specs.Mount{
				{Destination: "/proc", Type: "proc", Source: "proc"},
				{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755", "size=64k"}},
				{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"newinstance", "ptmxmode=0666", "mode=0620"}},
			},
			Linux: &specs.Linux{
				CgroupsPath: "/berth-test/" + id,
				Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.MountNamespace},
					{Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}},
			},
		},
		Rootfs: []mount.Mount{{Type: "overlay", Source: "overlay", Options: []string{
			"lowerdir=" + filepath.Join(b.dir, "lower"), "upperdir=" + upper, "workdir=" + work}}},
		MountPoint: point,
		Log:        shim.LogConfig{Driver: "json-file", Path: filepath.Join(b.dir, id, "log.json")},
		ExitPath:   filepath.Join(b.dir, id, "exit.json"),
	}
}

// create starts a shim and leaves the container parked.
func (b *bench) create(cfg shim.Config) *shim.Client {
	b.t.Helper()
	c, err := shim.Start(b.ctx(), b.self, cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Kill(unix.SIGKILL, true) })
	return c
}

// run starts a container.
func (b *bench) run(cfg shim.Config) *shim.Client {
	b.t.Helper()
	c := b.create(cfg)
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	b.t.Cleanup(cancel)
	return ctx
}

// exit waits for the end of a container.
func (b *bench) exit(c *shim.Client) shim.Exit {
	b.t.Helper()
	x, err := c.Wait(b.ctx())
	if err != nil {
		b.t.Fatal(err)
	}
	return x
}

// until waits for a condition.
func (b *bench) until(what string, f func() bool) {
	b.t.Helper()
	for end := time.Now().Add(waitLimit); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%s: not within %v", what, waitLimit)
		}
	}
}

// assertNothingLeft fails if a process, a mount, a cgroup or a directory of this bench
// is left behind.
func (b *bench) assertNothingLeft() {
	b.t.Helper()
	found := ""
	end := time.Now().Add(waitLimit)
	for {
		found = b.left()
		if found == "" {
			return
		}
		if time.Now().After(end) {
			b.t.Errorf("left behind: %s", found)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (b *bench) left() string {
	for _, dir := range []string{"shim", "mnt", "runtime"} {
		entries, err := os.ReadDir(filepath.Join(b.dir, dir))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err.Error()
		}
		if len(entries) > 0 {
			return filepath.Join(dir, entries[0].Name())
		}
	}
	id := fmt.Sprintf("shimtest-%d-", os.Getpid())
	cgroups, _ := filepath.Glob("/sys/fs/cgroup/*/berth-test/" + id + "*")
	more, _ := filepath.Glob("/sys/fs/cgroup/berth-test/" + id + "*")
	if cgroups = append(cgroups, more...); len(cgroups) > 0 {
		return cgroups[0]
	}
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		if line, err := os.ReadFile(p); err == nil && strings.Contains(string(line), id) {
			return p + ": " + strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err.Error()
	}
	if strings.Contains(string(mounts), filepath.Join(b.dir, "mnt", id)) {
		return "a mount below " + b.dir
	}
	return ""
}
