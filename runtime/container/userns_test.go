package container

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// userNS gives the container of the fixture a user namespace in which the IDs from
// 0 are high ones of the host, and the directories to its root.
func (f *fixture) userNS() {
	f.t.Helper()
	l := f.opts.Spec.Linux
	l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	l.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	l.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 200000, Size: 65536}}
	f.own(filepath.Join(f.opts.Bundle, "rootfs"), 100000, 200000)
}

// own gives the directories below dir, and not the files, which all tests share,
// to a user.
func (f *fixture) own(dir string, uid, gid int) {
	f.t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Lchown(p, uid, gid)
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestUserNamespace(t *testing.T) {
	f := newFixture(t)
	f.userNS()
	f.opts.Spec.Process.User.AdditionalGids = []uint32{7, 8}
	dir := t.TempDir()
	// The way there is the host's root's alone.
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("bound\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	addMount(f.opts.Spec, "/new/file", "bind", filepath.Join(dir, "file"), "bind", "ro")
	f.want(`
		echo $(id -u) $(id -g) $(cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups) $(hostname)
		grep -E 'Groups|NoNewPrivs|CapEff|CapBnd' /proc/self/status | tr '\t\n' '  '; echo
		stat -c '%n %F %u %t:%T' /dev/null /dev/tty
		echo hi > /dev/null && head -c 3 /dev/zero | wc -c
		stat -c '%n %u %g' / /dev /dev/shm /dev/pts /proc/1 /new
		touch /tmp/made; stat -c '%u %g' /tmp/made
		wc -c < /proc/timer_list; ls /sys/firmware | wc -l
		echo x > /proc/sys/kernel/hostname
		echo y > /sys/x
		mknod /tmp/null c 1 3
		cat /new/file
		ip link show lo | grep -o 'LOOPBACK,UP'
		cd /sys/fs/cgroup; for d in pids memory; do [ -e $d ] || d=.; grep -cx 1 $d/cgroup.procs; done
	`, `
0 0 0 100000 65536 0 200000 65536 allow berth
Groups: 7 8  CapEff: 00000000080404e1 CapBnd: 00000000080404e1 NoNewPrivs: 1 
/dev/null character special file 65534 1:3
/dev/tty character special file 65534 5:0
3
/ 0 0
/dev 0 0
/dev/shm 0 0
/dev/pts 0 0
/proc/1 0 0
/new 0 0
0 0
0
0
sh: can't create /proc/sys/kernel/hostname: Read-only file system
sh: can't create /sys/x: Read-only file system
mknod: /tmp/null: Operation not permitted
bound
LOOPBACK,UP
1
1`)
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(f.opts.Bundle, "rootfs/tmp/made"), &st); err != nil || st.Uid != 100000 || st.Gid != 200000 {
		t.Errorf("on the host the file is %d:%d's, %v", st.Uid, st.Gid, err)
	}
}

// owner gives the user namespace that a namespace belongs to.
func owner(t *testing.T, ns string) uint64 {
	t.Helper()
	f, err := os.Open(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		t.Fatalf("the owner of %s: %v", ns, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// TestUserNamespaceOwnsTheOthers looks at a waiting init from the host.
func TestUserNamespaceOwnsTheOthers(t *testing.T) {
	f := newFixture(t, "sleep", "1000")
	f.userNS()
	f.opts.Spec.Linux.Namespaces = append(f.opts.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
	c := f.create()
	proc := fmt.Sprintf("/proc/%d/", c.Init().PID())
	var user, st unix.Stat_t
	if err := unix.Stat(proc+"ns/user", &user); err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"pid", "net", "mnt", "ipc", "uts", "cgroup", "time"} {
		if got := owner(t, proc+"ns/"+ns); got != user.Ino {
			t.Errorf("the %s namespace belongs to user namespace %d, want %d", ns, got, user.Ino)
		}
	}
	// Files of a dumpable process are its user's, of an undumpable one the root's of
	// the user namespace of its memory, which must not be the container's.
	if err := unix.Stat(proc+"environ", &st); err != nil || st.Uid != 0 {
		t.Errorf("the waiting init can be looked into by user %d, %v", st.Uid, err)
	}
	if b, err := os.ReadFile("/proc/self/uid_map"); err != nil || !bytes.Contains(b, []byte("4294967295")) {
		t.Errorf("this process is in a user namespace: %s, %v", b, err)
	}
	if err := c.Delete(true); err != nil {
		t.Fatal(err)
	}
	f.wait(c.Init())
}

func TestExecInUserNamespace(t *testing.T) {
	f := newFixture(t)
	f.userNS()
	c := f.running()
	script := `for n in user pid mnt uts ipc net cgroup; do [ "$(readlink /proc/self/ns/$n)" = "$(readlink /proc/1/ns/$n)" ] || echo other $n; done
diff /proc/1/cgroup /proc/self/cgroup && grep CapEff /proc/self/status | cut -f2; pwd; id -u; ls /proc/self/fd | tr '\n' ' '; exit 3`
	out, status := f.exec(c, "sh", "-c", script)
	if want := "00000000080404e1\n/tmp\n0\n0 1 2 3 "; out != want || status.ExitStatus() != 3 {
		t.Errorf("output %q, status %d; want %q and 3", out, status.ExitStatus(), want)
	}
	socket, ours := console(t)
	p, err := c.Exec(context.Background(), ExecOptions{ConsoleSocket: socket, Process: &specs.Process{Terminal: true, Cwd: "/", Env: []string{"PATH=/bin"},
		Args: []string{"sh", "-c", "tty; stat -c %u $(tty); echo x > /dev/tty; read x"}, User: specs.User{UID: 1000}}})
	if err != nil {
		t.Fatal(err)
	}
	m := master(t, ours)
	readUntil(t, m, "/dev/pts/0\r\n1000\r\nx\r\n")
	if _, err := m.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	f.wait(p)
	for user, text := range map[uint32]string{70000: "cannot set uid to unmapped user 70000"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Exec(context.Background(), ExecOptions{Stdout: w, Process: &specs.Process{Cwd: "/", Args: []string{"true"}, Env: []string{"PATH=/bin"}, User: specs.User{UID: user}}})
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("exec as user %d: %v", user, err)
		}
		r.Close()
		w.Close()
	}
	if err := c.Kill(unix.SIGTERM, true); err != nil {
		t.Error(err)
	}
	if err := c.Kill(unix.SIGKILL, false); err != nil {
		t.Error(err)
	}
}

// TestPipesInUserNamespace opens the pipe that standard output is by its name.
func TestPipesInUserNamespace(t *testing.T) {
	f := newFixture(t, "sh", "-c", "echo opened > /dev/stdout")
	f.userNS()
	f.opts.Spec.Process.User = specs.User{UID: 1000, GID: 1000}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f.opts.Stdout = w
	_, status := f.run()
	w.Close()
	buf := make([]byte, 64)
	n, _ := r.Read(buf)
	if string(buf[:n]) != "opened\n" || status.ExitStatus() != 0 {
		t.Errorf("read %q, status %v", buf[:n], status)
	}
}

func TestTerminalInUserNamespace(t *testing.T) {
	f := newFixture(t, "sh", "-c", "tty; stat -c '%n %u' /dev/console /dev/pts/0; echo done > /dev/console")
	f.userNS()
	socket, ours := console(t)
	f.opts.ConsoleSocket = socket
	f.opts.Spec.Process.Terminal = true
	f.opts.Spec.Process.User.UID = 5
	c := f.create()
	m := master(t, ours)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	readUntil(t, m, "/dev/pts/0\r\n/dev/console 5\r\n/dev/pts/0 5\r\ndone\r\n")
	f.wait(c.Init())
}

func TestHooksInUserNamespace(t *testing.T) {
	f := newFixture(t, "true")
	f.userNS()
	dir, err := os.MkdirTemp("", "berth-hooks-") // t.TempDir is in one of root's alone
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	hook := func(name string) []specs.Hook {
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo " + name + " $(id -u) $(cat /proc/self/uid_map) >> " + dir + "/" + name}, Env: []string{"PATH=/bin:/usr/bin"}}}
	}
	f.opts.Spec.Hooks = &specs.Hooks{CreateRuntime: hook("runtime"), CreateContainer: hook("container"),
		StartContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "/bin/id -u > /hooked"}}}}
	f.run()
	for name, want := range map[string]string{
		dir + "/runtime":                 "runtime 0 0 0 4294967295\n",
		dir + "/container":               "container 0 0 100000 65536\n",
		f.opts.Bundle + "/rootfs/hooked": "0\n",
	} {
		if b, err := os.ReadFile(name); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v; want %q", filepath.Base(name), b, err, want)
		}
	}
}

// TestUserNamespaceByPath joins that of another container, or the one of a process
// in which groups cannot be set.
func TestUserNamespaceByPath(t *testing.T) {
	f := newFixture(t)
	f.userNS()
	pid := f.running().Init().PID()
	g := newFixture(t)
	g.own(filepath.Join(g.opts.Bundle, "rootfs"), 100000, 200000)
	l := g.opts.Spec.Linux
	l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace, Path: fmt.Sprintf("/proc/%d/ns/user", pid)})
	l.Namespaces[1].Path = fmt.Sprintf("/proc/%d/ns/net", pid)
	want, err := os.Readlink(l.Namespaces[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	g.opts.Spec.Process.Args = []string{"true"}
	l.UIDMappings = mapping(0, 100000, 65535)
	if _, err := Create(context.Background(), g.opts); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "linux.uidMappings: they are not those") {
		t.Errorf("other mappings: %v", err)
	}
	l.UIDMappings = mapping(0, 100000, 65536)
	g.want("cat /proc/self/uid_map | tr -s ' '; readlink /proc/self/ns/net; stat -c %u /; hostname", " 0 100000 65536\n"+want+"\n0\nberth")
}

func TestUserNamespaceWithTheHostsNetwork(t *testing.T) {
	f := newFixture(t)
	f.userNS()
	l := f.opts.Spec.Linux
	l.Namespaces[1].Path = "/proc/self/ns/net" // given, and the host's own
	want, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	f.opts.Spec.Mounts = f.opts.Spec.Mounts[:5] // a sysfs would show what is not the container's
	l.MaskedPaths = nil
	f.want("readlink /proc/self/ns/net; id -u", want+"\n0")
}

// TestSetgroupsDenied joins a user namespace in which groups cannot be set.
func TestSetgroupsDenied(t *testing.T) {
	denied := exec.Command("sleep", "1000")
	denied.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, GidMappingsEnableSetgroups: false,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}, GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}}
	f := newFixture(t)
	if err := denied.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = denied.Process.Kill(); _ = denied.Wait() }()
	f.opts.Spec.Linux.Namespaces = append(f.opts.Spec.Linux.Namespaces,
		specs.LinuxNamespace{Type: specs.UserNamespace, Path: "/proc/" + strconv.Itoa(denied.Process.Pid) + "/ns/user"})
	f.opts.Spec.Mounts[2].Options = []string{"newinstance", "ptmxmode=0666", "mode=0620"} // there is no group 5
	f.want("cat /proc/self/setgroups; id -u", "deny\n0")
	f.opts.Spec.Process.User.AdditionalGids = []uint32{0}
	if _, err := Create(context.Background(), f.opts); !errdefs.IsPermissionDenied(err) || !strings.Contains(err.Error(), "process.user.additionalGids") {
		t.Errorf("error %v", err)
	}
}

func TestUserNamespaceRefuses(t *testing.T) {
	ids := func(n ...uint32) (list []specs.LinuxIDMapping) {
		for i := 0; i < len(n); i += 3 {
			list = append(list, specs.LinuxIDMapping{ContainerID: n[i], HostID: n[i+1], Size: n[i+2]})
		}
		return list
	}
	for text, change := range map[string]func(s *specs.Spec){
		"no user namespace in linux.namespaces":       func(s *specs.Spec) { s.Linux.Namespaces = s.Linux.Namespaces[:6] },
		"linux.uidMappings: user namespaces enabled":  func(s *specs.Spec) { s.Linux.UIDMappings = nil },
		"linux.gidMappings: user namespaces enabled":  func(s *specs.Spec) { s.Linux.GIDMappings = nil },
		"linux.uidMappings: [0]: size is 0":           func(s *specs.Spec) { s.Linux.UIDMappings[0].Size = 0 },
		"linux.gidMappings: [0]: IDs end at":          func(s *specs.Spec) { s.Linux.GIDMappings[0].HostID = 1<<32 - 10 },
		"linux.uidMappings: [0] and [1] overlap":      func(s *specs.Spec) { s.Linux.UIDMappings = ids(0, 1000, 10, 9, 2000, 5) },
		"linux.gidMappings: [0] and [1] overlap":      func(s *specs.Spec) { s.Linux.GIDMappings = ids(0, 1000, 10, 10, 1009, 5) },
		"the container's root is not mapped":          func(s *specs.Spec) { s.Linux.UIDMappings = ids(1, 1000, 10) },
		"341 mappings are more than the 340":          func(s *specs.Spec) { s.Linux.UIDMappings = make([]specs.LinuxIDMapping, 341) },
		"process.user.uid: cannot set uid to unmappe": func(s *specs.Spec) { s.Process.User.UID = 70000 },
		"cannot set gid to unmapped group 70000":      func(s *specs.Spec) { s.Process.User.GID = 70000 },
		"cannot set gid to unmapped group 70001":      func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{70001} },
		"linux.devices: make /dev/x: bind the host's": func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "c", Major: 1, Minor: 3}}
		},
		"what the host has there is another": func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/zero", Type: "c", Major: 1, Minor: 3}}
		},
	} {
		t.Run(strings.Map(letters, text), func(t *testing.T) {
			f := newFixture(t, "true")
			f.userNS()
			change(f.opts.Spec)
			if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("error %v; want %q in it", err, text)
			}
		})
	}
}
