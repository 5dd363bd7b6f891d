package container

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func ptr[T any](v T) *T { return &v }

func TestNamesAndNumbers(t *testing.T) {
	f := newFixture(t)
	s := f.opts.Spec
	s.Domainname = "example.test"
	s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1", "kernel.msgmax": "4097", "net/ipv4/conf/lo/forwarding": "0"}
	s.Process.OOMScoreAdj = ptr(500)
	s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 77, Hard: 99}, {Type: "RLIMIT_CORE", Soft: 0, Hard: 0}}
	f.want("cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/net/ipv4/conf/lo/forwarding /proc/self/oom_score_adj; ulimit -Sn; ulimit -Hn; ulimit -c",
		"example.test\n1\n4097\n0\n500\n77\n99\n0")
}

func TestDevices(t *testing.T) {
	f := newFixture(t)
	s := f.opts.Spec
	mode := os.FileMode(0o640)
	s.Linux.Devices = []specs.LinuxDevice{
		{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229, FileMode: &mode, UID: ptr(uint32(7)), GID: ptr(uint32(8))},
		{Path: "/dev/deep/er/pipe", Type: "p"},
		{Path: "/dev/null", Type: "c", Major: 1, Minor: 3},
		{Path: "/dev/mem", Type: "c", Major: 1, Minor: 1},
	}
	s.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}}
	// /dev/mem exists but may not be opened.
	f.want("stat -c '%F %a %u %g %t:%T' /dev/fuse; stat -c %F /dev/deep/er/pipe; head -c 1 /dev/mem; mknod /tmp/z c 1 5 && head -c 2 /tmp/z | wc -c", `
character special file 640 7 8 a:e5
fifo
head: /dev/mem: Operation not permitted
2`)
}

func TestLimits(t *testing.T) {
	f := newFixture(t)
	f.opts.Spec.Linux.Resources = &specs.LinuxResources{
		Pids:   &specs.LinuxPids{Limit: ptr(int64(1))},
		Memory: &specs.LinuxMemory{Limit: ptr(int64(32 << 20))},
	}
	f.want("(true) ; echo never", "sh: can't fork: Resource temporarily unavailable")
}

func TestOutOfMemory(t *testing.T) {
	f := newFixture(t, "sh", "-c", "a=0123456789abcdef; while :; do a=$a$a; done")
	f.opts.Spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(16 << 20))}}
	c := f.create()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if s := f.wait(c.Init()); s.Signal() != unix.SIGKILL {
		t.Errorf("status %v, want SIGKILL", s)
	}
	if n, err := c.OOMKills(); err != nil || n == 0 {
		t.Errorf("kills for memory: %d, %v", n, err)
	}
}

func TestNamespacesByPath(t *testing.T) {
	f := newFixture(t)
	pid := f.running().Init().PID()
	g := newFixture(t)
	g.opts.Spec.Hostname = ""
	for i, n := range g.opts.Spec.Linux.Namespaces {
		file := map[specs.LinuxNamespaceType]string{"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts"}[n.Type]
		if file != "" {
			g.opts.Spec.Linux.Namespaces[i].Path = fmt.Sprintf("/proc/%d/ns/%s", pid, file)
		}
	}
	var want []string
	for _, n := range []string{"pid", "net", "ipc", "uts"} {
		at, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, n))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, at)
	}
	// The pid namespace is the other's, so its first process is, too.
	g.want("for n in pid net ipc uts; do readlink /proc/self/ns/$n; done; hostname; tr '\\0' ' ' < /proc/1/cmdline",
		strings.Join(want, "\n")+"\nberth\nsleep 1000")
}

func TestCgroupsInTheContainer(t *testing.T) {
	for _, own := range []bool{true, false} {
		f := newFixture(t)
		if !own {
			f.opts.Spec.Linux.Namespaces = f.opts.Spec.Linux.Namespaces[:5]
		}
		// Either way the container sees its own cgroups and cannot write to them.
		f.opts.Spec.Process.Args = []string{"sh", "-c", `cd /sys/fs/cgroup; for d in pids memory devices .; do [ -e $d/cgroup.procs ] && grep -cx 1 $d/cgroup.procs; done
			for f in pids/pids.max pids.max; do [ -e $f ] && echo x > $f; done; for d in memory .; do [ -e $d/cgroup.procs ] && mkdir $d/x; done`}
		out, _ := f.run()
		for _, want := range []string{"1\n", "Read-only file system"} {
			if !strings.Contains(out, want) {
				t.Errorf("own namespace %v: output %q, without %q", own, out, want)
			}
		}
		if strings.Contains(out, "0\n") {
			t.Errorf("own namespace %v: a hierarchy shows another cgroup: %q", own, out)
		}
	}
}

func TestBinds(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("text\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	addMount(f.opts.Spec, "/ro", "bind", dir, "rbind", "ro", "nosuid")
	addMount(f.opts.Spec, "/rw", "bind", dir, "bind", "rprivate", "noexec")
	addMount(f.opts.Spec, "/new/file", "bind", filepath.Join(dir, "file"), "bind")
	f.want(`cat /ro/file /new/file; echo a > /ro/x; echo b > /rw/x && cat /ro/x; grep -E ' /(ro|rw) ' /proc/self/mounts | cut -d' ' -f4 | tr ',' '\n' | grep -E '^(ro|rw|nosuid|noexec)$'`, `
text
text
sh: can't create /ro/x: Read-only file system
b
ro
nosuid
rw
noexec`)
	if b, err := os.ReadFile(filepath.Join(dir, "x")); err != nil || string(b) != "b\n" {
		t.Errorf("on the host: %q, %v", b, err)
	}
}

func TestNoPivot(t *testing.T) {
	f := newFixture(t)
	f.opts.NoPivot, f.opts.NoNewKeyring = true, true
	f.want("ls -d /bin /proc/1; ls / | grep -c home", "/bin\n/proc/1\n0")
}

// TestNoPivotHidesTheHost: what the host has mounted stays in the mount namespace, and
// with a bare proc or sysfs in it a user namespace could mount another, without masks.
func TestNoPivotHidesTheHost(t *testing.T) {
	for _, bare := range []bool{false, true} {
		f := newFixture(t)
		f.opts.NoPivot = true
		f.opts.Spec.Process.User = specs.User{UID: 1000, GID: 1000} // root may not map itself
		want := "2"
		if bare { // the container's own are not masked, and then it may: what is tried is right
			f.opts.Spec.Linux.MaskedPaths, f.opts.Spec.Linux.ReadonlyPaths = nil, nil
			want = "0"
		}
		f.want("{ unshare -Urmpf mount -t proc proc /tmp; unshare -Urmn mount -t sysfs -o ro sysfs /tmp; } 2>&1 | grep -c 'ermi'", want)
	}
}

// TestWaitingInitIsSmall is what a created container costs.
func TestWaitingInitIsSmall(t *testing.T) {
	f := newFixture(t, "true")
	c := f.create()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", c.Init().PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "Private_Dirty: %d kB", &kb); n == 1 && kb > 1024 {
			t.Errorf("the waiting init has %d kB of its own", kb)
		}
	}
}
