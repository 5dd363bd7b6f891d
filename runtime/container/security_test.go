package container

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestMountsThroughLinksStayInside has an image whose links lead to the host.
func TestMountsThroughLinksStayInside(t *testing.T) {
	outside := t.TempDir()
	f := newFixture(t)
	root := filepath.Join(f.opts.Bundle, "rootfs")
	for link, target := range map[string]string{
		"abs": outside, "rel": "../../../../../../../.." + outside, "dangling": outside + "/new", "loop": "loop",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, dest := range []string{"/abs/a", "/rel/b", "/dangling/c", "/abs/../abs/d", "/../../.." + outside + "/e"} {
		addMount(f.opts.Spec, dest, "tmpfs", "tmpfs", "size=1m")
	}
	if err := os.WriteFile(filepath.Join(f.opts.Bundle, "file"), []byte("bound"), 0o644); err != nil {
		t.Fatal(err)
	}
	addMount(f.opts.Spec, "/abs/file", "bind", "file", "bind")
	f.want("grep -c "+outside+" /proc/self/mounts; cat "+outside+"/file", "6\nbound")
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("made on the host: %v, %v", left, err)
	}
	f.opts.Spec.Mounts = append(f.opts.Spec.Mounts[:0:0], specs.Mount{Destination: "/loop/x", Type: "tmpfs"})
	if _, err := Create(context.Background(), f.opts); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link to itself: %v, want ELOOP", err)
	}
}

// TestProcOnALink is CVE-2019-16884: with /proc a link, what masks its files
// would mask other files.
func TestProcOnALink(t *testing.T) {
	f := newFixture(t, "true")
	proc := filepath.Join(f.opts.Bundle, "rootfs/proc")
	if err := errors.Join(os.Remove(proc), os.Mkdir(filepath.Join(f.opts.Bundle, "rootfs/evil"), 0o755), os.Symlink("evil", proc)); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(context.Background(), f.opts); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "ordinary directory") {
		t.Errorf("create: %v", err)
	}
}

// TestNoDescriptorLeaks is CVE-2024-21626: a descriptor of a host directory that
// the command inherits leads out of the container.
func TestNoDescriptorLeaks(t *testing.T) {
	host, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	// As if the runtime had been started with it.
	leaked, err := unix.FcntlInt(host.Fd(), unix.F_DUPFD, 50)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leaked)
	f := newFixture(t)
	c := f.running()
	list := "ls /proc/1/fd /proc/self/fd | tr '\\n' ' '"
	if out, _ := f.exec(c, "sh", "-c", list); strings.TrimSpace(out) != "/proc/1/fd: 0 1 2  /proc/self/fd: 0 1 2 3" {
		t.Errorf("descriptors: %q", out)
	}
	for _, cwd := range []string{"/proc/self/fd/" + strconv.Itoa(leaked), "/proc/self/fd/7"} {
		p := &specs.Process{Args: []string{"pwd"}, Cwd: cwd, Env: []string{"PATH=/bin"}}
		if _, err := c.Exec(context.Background(), ExecOptions{Process: p}); err == nil {
			t.Errorf("exec with cwd %s went through", cwd)
		}
		g := newFixture(t, "pwd")
		g.opts.Spec.Process.Cwd = cwd
		if _, err := Create(context.Background(), g.opts); err == nil {
			t.Errorf("create with cwd %s went through", cwd)
		}
	}
}

func TestExtraFiles(t *testing.T) {
	f := newFixture(t, "sh", "-c", "cat <&3; cat <&4; ls /proc/self/fd | tr '\\n' ' '")
	for _, text := range []string{"three\n", "four\n"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
		w.Close()
		defer r.Close()
		f.opts.ExtraFiles = append(f.opts.ExtraFiles, r)
	}
	if out, _ := f.run(); out != "three\nfour\n0 1 2 3 4 5 " {
		t.Errorf("output %q", out)
	}
}

func TestUser(t *testing.T) {
	f := newFixture(t)
	umask := uint32(0o077)
	f.opts.Spec.Process.User = specs.User{UID: 1234, GID: 567, AdditionalGids: []uint32{10, 20}, Umask: &umask}
	f.opts.Spec.Process.Capabilities.Ambient = []string{"CAP_KILL", "CAP_CHOWN"}
	f.opts.Spec.Process.Capabilities.Inheritable = []string{"CAP_KILL"}
	if err := os.WriteFile(filepath.Join(f.opts.Bundle, "rootfs/etc/passwd"), []byte("me:x:1234:567::/home/me:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.want("id; umask; echo $HOME; grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status | tr '\\t\\n' '  '; echo >> /proc/self/fd/1", `
uid=1234(me) gid=567 groups=10,20
0077
/home/me
CapInh: 0000000000000020 CapPrm: 0000000000000020 CapEff: 0000000000000020 CapAmb: 0000000000000020`)
}

// TestWorkingDirectoryOfRoot has a working directory that only root can enter: init
// is root when it gets there first, and that will do, as with runc.
func TestWorkingDirectoryOfRoot(t *testing.T) {
	f := newFixture(t)
	dir := filepath.Join(f.opts.Bundle, "rootfs/closed")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f.opts.Spec.Process.User = specs.User{UID: 1234, GID: 567}
	f.opts.Spec.Process.Capabilities = nil
	f.opts.Spec.Process.Cwd = "/closed"
	f.want("/bin/pwd; ls /closed 2>&1 | grep -c denied", "/closed\n1")
}

func TestReadOnlyRoot(t *testing.T) {
	f := newFixture(t)
	f.opts.Spec.Root.Readonly = true
	addMount(f.opts.Spec, "/tmp", "tmpfs", "tmpfs", "noexec", "mode=1777", "tmpcopyup")
	if err := os.WriteFile(filepath.Join(f.opts.Bundle, "rootfs/tmp/kept"), []byte("kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.want("echo x > /x; cat /tmp/kept; cp /bin/busybox /tmp/b; /tmp/b true; echo y > /dev/new && echo dev", `
sh: can't create /x: Read-only file system
kept
sh: /tmp/b: Permission denied
dev`)
}

func TestPropagationDoesNotReachTheHost(t *testing.T) {
	f := newFixture(t)
	f.opts.Spec.Linux.RootfsPropagation = "shared"
	f.opts.Spec.Process.Capabilities.Effective = append(f.opts.Spec.Process.Capabilities.Effective, "CAP_SYS_ADMIN")
	f.opts.Spec.Process.Capabilities.Permitted = f.opts.Spec.Process.Capabilities.Effective
	f.opts.Spec.Process.Capabilities.Bounding = f.opts.Spec.Process.Capabilities.Effective
	f.want("mount -t tmpfs inner /tmp && grep -c inner /proc/self/mounts", "1")
}

// TestCgroupOfAnother refuses a cgroup with processes in it, and leaves them be.
func TestCgroupOfAnother(t *testing.T) {
	f := newFixture(t)
	c := f.running()
	g := newFixture(t, "true")
	g.opts.Spec.Linux.CgroupsPath = f.opts.ID
	if _, err := Create(context.Background(), g.opts); !errdefs.IsAlreadyExists(err) {
		t.Errorf("create: %v", err)
	}
	if s, err := c.State(); err != nil || s.Status != specs.StateRunning {
		t.Errorf("the other container is %s, %v", s.Status, err)
	}
}
