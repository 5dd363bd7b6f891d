package container

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// busyboxRoot makes a root file system of a static busybox.
var busyboxRoot = sync.OnceValues(func() (string, error) {
	box, err := exec.LookPath("busybox")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "berth-root-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	for _, d := range []string{"bin", "etc", "proc", "sys", "dev", "tmp", "root"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	b, err := os.ReadFile(box)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "bin/busybox"), b, 0o755); err != nil {
		return "", err
	}
	list, err := exec.Command(box, "--list").Output()
	if err != nil {
		return "", err
	}
	for _, applet := range strings.Fields(string(list)) {
		if applet != "busybox" {
			if err := os.Symlink("busybox", filepath.Join(dir, "bin", applet)); err != nil {
				return "", err
			}
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := busyboxRoot(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

var fixtures atomic.Int64

// fixture is a bundle and a state root of one test.
type fixture struct {
	t    testing.TB
	root string // state root
	opts Options
	out  *os.File
}

func newFixture(t testing.TB, args ...string) *fixture {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("running containers needs root")
	}
	rootfs, err := busyboxRoot()
	if err != nil {
		t.Skipf("no static busybox to run: %v", err)
	}
	dir := t.TempDir()
	// The shared root is never written: each test has a copy of links to it.
	own := filepath.Join(dir, "rootfs")
	if out, err := exec.Command("cp", "-al", rootfs, own).CombinedOutput(); err != nil {
		t.Fatalf("copy the root file system: %v: %s", err, out)
	}
	f := &fixture{t: t, root: filepath.Join(dir, "state")}
	f.out, err = os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.out.Close() })
	f.opts = Options{
		ID: fmt.Sprintf("berth-test-%d-%d", os.Getpid(), fixtures.Add(1)), StateRoot: f.root, Bundle: dir,
		Spec: testSpec(args...), Stdout: f.out, Stderr: f.out, Warn: func(m string) { t.Log("warning:", m) },
	}
	before := leftovers(t, dir)
	t.Cleanup(func() {
		if list, err := List(f.root, func(id string, err error) { f.t.Errorf("container %s: %v", id, err) }); err == nil {
			for _, c := range list {
				if err := c.Delete(true); err != nil {
					t.Errorf("clean up: %v", err)
				}
			}
		}
		if left, _ := os.ReadDir(f.root); len(left) > 0 {
			t.Errorf("state directories are left: %v", left)
		}
		if after := leftovers(t, dir); after != before {
			t.Errorf("left behind:\nbefore %s\nafter  %s", before, after)
		}
	})
	return f
}

// leftovers lists what a container could leave behind on the host: mounts below
// dir and cgroups.
func leftovers(t testing.TB, dir string) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var mine []string
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir) {
			mine = append(mine, line)
		}
	}
	var groups []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), fmt.Sprintf("berth-test-%d-", os.Getpid())) {
			groups = append(groups, p)
		}
		return nil
	})
	return strings.Join(mine, "") + strings.Join(groups, " ")
}

func testSpec(args ...string) *specs.Spec {
	all := []string{"CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_MKNOD"}
	return &specs.Spec{
		Version: "1.2.0",
		Process: &specs.Process{
			Args: args, Cwd: "/", Env: []string{"PATH=/bin:/sbin"}, NoNewPrivileges: true,
			Capabilities: &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all},
		},
		Root:     &specs.Root{Path: "rootfs"},
		Hostname: "berth",
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}},
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{{Type: "pid"}, {Type: "network"}, {Type: "ipc"}, {Type: "uts"}, {Type: "mount"}, {Type: "cgroup"}},
			MaskedPaths: []string{"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware",
				"/proc/does-not-exist"},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}

func (f *fixture) create() *Container {
	f.t.Helper()
	c, err := Create(context.Background(), f.opts)
	if err != nil {
		f.t.Fatalf("create: %v", err)
	}
	return c
}

// run runs the container to its end and returns its output and status.
func (f *fixture) run() (string, unix.WaitStatus) {
	f.t.Helper()
	c := f.create()
	if err := c.Start(); err != nil {
		f.t.Fatalf("start: %v", err)
	}
	status := f.wait(c.Init())
	if err := c.Delete(false); err != nil {
		f.t.Fatalf("delete: %v", err)
	}
	return f.output(), status
}

func (f *fixture) wait(p *Process) unix.WaitStatus {
	f.t.Helper()
	type result struct {
		status unix.WaitStatus
		err    error
	}
	done := make(chan result, 1)
	go func() {
		s, err := p.Wait()
		done <- result{s, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			f.t.Fatalf("wait: %v", r.err)
		}
		return r.status
	case <-time.After(20 * time.Second):
		f.t.Fatal("the process does not end")
	}
	return 0
}

func (f *fixture) output() string {
	f.t.Helper()
	if _, err := f.out.Seek(0, io.SeekStart); err != nil {
		f.t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, f.out); err != nil {
		f.t.Fatal(err)
	}
	return b.String()
}

// want runs the script and compares its output, line by line.
func (f *fixture) want(script, want string) {
	f.t.Helper()
	f.opts.Spec.Process.Args = []string{"sh", "-c", script}
	got, status := f.run()
	if !status.Exited() || strings.TrimSpace(got) != strings.TrimSpace(want) {
		f.t.Errorf("the script\n%s\nprinted\n%s\n(status %v), want\n%s", script, got, status, want)
	}
}

func TestRun(t *testing.T) {
	f := newFixture(t, "sh", "-c", "echo hello; exit 7")
	out, status := f.run()
	if out != "hello\n" || status.ExitStatus() != 7 {
		t.Errorf("output %q, status %d; want hello and 7", out, status.ExitStatus())
	}
}

func TestWhatTheCommandSees(t *testing.T) {
	newFixture(t).want(`
		echo $$ $(hostname) $HOME $(id -u) $(umask)
		grep -E 'NoNewPrivs|CapEff|CapBnd|CapAmb' /proc/self/status | tr '\t\n' '  '; echo
		ls /proc/self/fd | tr '\n' ' '; echo
		ls /dev | grep -v core | tr '\n' ' '; echo
		ip link show lo | grep -o 'LOOPBACK,UP'
		wc -c < /proc/timer_list
		ls /sys/firmware | wc -l
		echo x > /proc/sys/kernel/hostname
		echo y > /sys/x
		cat /proc/self/cgroup | grep -v ':/$'
		echo hi > /dev/null && head -c 3 /dev/zero | wc -c
	`, `
1 berth / 0 0022
CapEff: 00000000080404e1 CapBnd: 00000000080404e1 CapAmb: 0000000000000000 NoNewPrivs: 1 
0 1 2 3 
fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero 
LOOPBACK,UP
0
0
sh: can't create /proc/sys/kernel/hostname: Read-only file system
sh: can't create /sys/x: Read-only file system
3`)
}
