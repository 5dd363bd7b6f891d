package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// nobody is a user who has a name, as newuidmap(1) wants, and no rights.
const nobody = 65534

// userBundle is a bundle of a user without rights, who runs it.
type userBundle struct {
	*bundle
	before string // a script that root runs first, in a mount namespace of its own
}

func newRootless(t *testing.T) *userBundle {
	t.Helper()
	b := newBundle(t)
	// Where the test's own directory is, only root may go.
	dir, err := os.MkdirTemp("", "berth-rootless-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if out, err := exec.Command("sh", "-c", "cp -a "+b.dir+"/rootfs "+dir+" && mkdir -m 700 "+dir+"/run && cp "+os.Args[0]+" "+dir+
		"/berth && chmod 755 "+dir+" && chown -R 65534:65534 "+dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.dir, b.root = dir, dir+"/run/berth/runtime"
	r := &userBundle{bundle: b}
	t.Cleanup(func() { _, _ = r.run("delete", "-f", b.id) })
	return r
}

// run calls the runtime as the user, without --root.
func (r *userBundle) run(args ...string) (string, error) {
	c := exec.Command(r.dir+"/berth", append([]string{"runtime"}, args...)...)
	if r.before != "" {
		drop := "exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$0\" \"$@\""
		c = exec.Command("unshare", append([]string{"-m", "sh", "-c", r.before + "\n" + drop, r.dir + "/berth", "runtime"}, args...)...)
	} else {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	c.Dir, c.Env = r.dir, []string{"XDG_RUNTIME_DIR=" + r.dir + "/run", "PATH=" + os.Getenv("PATH")}
	out, err := os.Create(filepath.Join(r.dir, "out"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer out.Close()
	c.Stdout, c.Stderr = out, out // a pipe would be held open by a detached container
	err = c.Run()
	b, rerr := os.ReadFile(out.Name())
	if rerr != nil {
		r.t.Fatal(rerr)
	}
	return string(b), err
}

func (r *userBundle) want(want string, args ...string) {
	r.t.Helper()
	if out, err := r.run(args...); err != nil || strings.TrimSpace(out) != strings.TrimSpace(want) {
		r.t.Errorf("%v: printed %q, %v; want %q", args, out, err, want)
	}
}

// script makes what `spec --rootless` writes run a script, with changes.
func (r *userBundle) script(script string, change func(s *specs.Spec)) {
	r.t.Helper()
	_ = os.Remove(r.dir + "/config.json")
	if out, err := r.run("spec", "--rootless"); err != nil {
		r.t.Fatalf("spec --rootless: %v: %s", err, out)
	}
	r.edit(func(s *specs.Spec) {
		s.Process.Terminal, s.Process.Args = false, []string{"sh", "-c", script}
		if change != nil {
			change(s)
		}
	})
}

// TestRootless runs what `spec --rootless` wrote, also with a cgroup namespace and
// with nothing but the host's /sys for cgroups, which are the host's and so not to be
// written (CVE-2023-25809).
func TestRootless(t *testing.T) {
	r := newRootless(t)
	for name, change := range map[string]func(s *specs.Spec){
		"as it is":            func(s *specs.Spec) {},
		"no cgroup namespace": func(s *specs.Spec) { s.Linux.Namespaces = s.Linux.Namespaces[:5] },
		"cgroups writable":    func(s *specs.Spec) { s.Mounts[6].Options = []string{"rw"} },
		"no cgroup mount":     func(s *specs.Spec) { s.Mounts = s.Mounts[:6] },
	} {
		r.script(`id -u; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups | tr -s ' '
			echo > /dev/null; ls -d /sys/kernel; cat /proc/self/fd/0; grep CapEff /proc/self/status
			for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do [ -d $d ] && mkdir $d/x && echo made in $d; done 2>&1 | grep -v 'Read-only file system'; true`, change)
		out, err := r.run("run", r.id)
		if want := "0\n 0 65534 1\n 0 65534 1\ndeny\n/sys/kernel\nCapEff:\t0000000020000420\n"; err != nil || out != want {
			t.Errorf("%s: %q, %v; want %q", name, out, err, want)
		}
	}
	if st, err := os.Stat(r.root); err != nil || st.Mode()&os.ModeSticky == 0 {
		t.Errorf("the root is %v, %v", st, err)
	}
}

func TestRootlessLifecycle(t *testing.T) {
	r := newRootless(t)
	r.script("exec sleep 1000", nil)
	r.want("", "create", r.id)
	r.want("", "start", r.id)
	if out, err := r.run("state", r.id); err != nil || !strings.Contains(out, `"status": "running"`) {
		t.Errorf("state: %s, %v", out, err)
	}
	r.want("0\n/bin", "exec", "--cwd", "/bin", r.id, "sh", "-c", "id -u; pwd")
	if out, err := r.run("ps", "--format", "json", r.id); err != nil || len(strings.Split(out, ",")) != 1 || out == "null\n" {
		t.Errorf("ps: %s, %v; want init alone", out, err)
	}
	if out, err := r.run("pause", r.id); err == nil || !strings.Contains(out, "no cgroup") {
		t.Errorf("pause: %s, %v", out, err)
	}
	r.want("", "kill", r.id, "KILL")
	r.until("stopped")
	r.want("", "delete", r.id)
	if left, err := os.ReadDir(r.root); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// until waits for a status.
func (r *userBundle) until(status string) {
	r.t.Helper()
	for range 1000 {
		if out, err := r.run("state", r.id); err == nil && strings.Contains(out, `"status": "`+status+`"`) {
			return
		}
	}
	r.t.Fatalf("the container is never %s", status)
}

// TestRootlessWithMoreIDs has them mapped by newuidmap and newgidmap, by a list of
// its own of what the user may have.
func TestRootlessWithMoreIDs(t *testing.T) {
	if _, err := exec.LookPath("newuidmap"); err != nil {
		t.Skip("no newuidmap (package uidmap)")
	}
	r := newRootless(t)
	subids := filepath.Join(t.TempDir(), "subids")
	if err := os.WriteFile(subids, []byte("nobody:300000:1000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.before = "mount --bind " + subids + " /etc/subuid && mount --bind " + subids + " /etc/subgid"
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: nobody, Size: 1}, {ContainerID: 1, HostID: 300000, Size: 1000}}
	script := "id -u; id -g; tr -s ' ' < /proc/self/uid_map; cat /proc/self/setgroups; grep Groups /proc/self/status"
	r.script(script, func(s *specs.Spec) {
		s.Linux.UIDMappings, s.Linux.GIDMappings = ids, ids
		s.Process.User = specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7}}
	})
	r.want("5\n6\n 0 65534 1\n 1 300000 1000\nallow\nGroups:\t7", "run", r.id)
	// One that is another user on the host than the one who handles it.
	r.script("exec sleep 1000", func(s *specs.Spec) {
		s.Linux.UIDMappings, s.Linux.GIDMappings = ids, ids
		s.Process.User = specs.User{UID: 5, GID: 6}
	})
	r.want("", "run", "-d", r.id)
	r.want("7\n8", "exec", "-u", "7:8", r.id, "sh", "-c", "id -u; id -g")
	r.want("", "kill", r.id, "KILL")
	r.until("stopped")
	r.want("", "delete", r.id)
	r.script(script, func(s *specs.Spec) {
		s.Linux.UIDMappings, s.Linux.GIDMappings = ids, ids
		s.Linux.UIDMappings[1].Size++
	})
	if out, err := r.run("run", r.id); err == nil || !strings.Contains(out, "linux.uidMappings") || !strings.Contains(out, "newuidmap") {
		t.Errorf("more than is allowed: %s, %v", out, err)
	}
}

func TestRootlessRefuses(t *testing.T) {
	r := newRootless(t)
	limit := int64(10)
	for text, change := range map[string]func(s *specs.Spec){
		"rootless container requires user namespaces": func(s *specs.Spec) {
			s.Linux.Namespaces, s.Linux.UIDMappings, s.Linux.GIDMappings = s.Linux.Namespaces[1:], nil, nil
		},
		"limits need a cgroup":               func(s *specs.Spec) { s.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}} },
		"linux.cgroupsPath":                  func(s *specs.Spec) { s.Linux.CgroupsPath = "/x/" + r.id },
		"cannot set any additional groups":   func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{0} },
		"cannot set uid to unmapped user 1 ": func(s *specs.Spec) { s.Process.User.UID = 1 },
		"id-mapped mounts are not supported": func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Source: "/tmp", Options: []string{"bind", "idmap"}})
		},
		"linux.uidMappings": func(s *specs.Spec) { s.Linux.UIDMappings[0].HostID-- },
	} {
		r.script("true", change)
		out, err := r.run("run", r.id)
		if err == nil || !strings.Contains(out, text) || strings.Count(out, "\n") != 1 {
			t.Errorf("run: %s, %v; want %q in it", strconv.Quote(out), err, text)
		}
		if left, err := os.ReadDir(r.root); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}

// TestRootlessNetwork has a network namespace, with which a sysfs of its own comes.
func TestRootlessNetwork(t *testing.T) {
	r := newRootless(t)
	var host []string
	entries, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		host = append(host, e.Name())
	}
	for own, want := range map[bool]string{true: "lo", false: strings.Join(host, "\n")} {
		r.script("ls /sys/class/net; echo x > /sys/x", func(s *specs.Spec) {
			s.Mounts[5] = specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"ro"}}
			if own {
				s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
			}
		})
		out, _ := r.run("run", r.id)
		if !strings.HasPrefix(out, want+"\n") || !strings.Contains(out, "Read-only file system") {
			t.Errorf("own network %v: %s, want %s", own, out, want)
		}
	}
}
