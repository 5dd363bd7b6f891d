package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// fakeSystemd answers on a real bus the calls that the runtime makes of systemd's
// manager, and does with cgroups what systemd would.
type fakeSystemd struct {
	t     *testing.T
	conn  *dbus.Conn
	roots []string // of the hierarchies in which it makes cgroups

	mu      sync.Mutex
	started map[string]map[string]dbus.Variant
	set     map[string]dbus.Variant
	stopped []string
	refuse  string // the result of the next job, not "done"
}

type property struct {
	Name  string
	Value dbus.Variant
}

type auxiliary struct {
	Name       string
	Properties []property
}

func newFakeSystemd(t *testing.T) *fakeSystemd {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("no dbus-daemon")
	}
	dir, err := os.MkdirTemp("", "berth-bus") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	address := "unix:path=" + dir + "/bus"
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--address="+address)
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
	f := &fakeSystemd{t: t, started: map[string]map[string]dbus.Variant{}, set: map[string]dbus.Variant{}}
	// Its socket is there a moment before it listens.
	for deadline := time.Now().Add(20 * time.Second); ; {
		if f.conn, err = dbus.Connect(address); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("dbus-daemon does not listen: %v", err)
		}
	}
	t.Cleanup(func() { f.conn.Close() })
	var st unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &st); err != nil {
		t.Fatal(err)
	}
	f.roots = []string{"/sys/fs/cgroup"}
	if st.Type != unix.CGROUP2_SUPER_MAGIC {
		f.roots = []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"}
	}
	if err := f.conn.Export(f, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"); err != nil {
		t.Fatal(err)
	}
	if r, err := f.conn.RequestName("org.freedesktop.systemd1", 0); err != nil || r != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(r, err)
	}
	return f
}

func (f *fakeSystemd) Subscribe() *dbus.Error { return nil }

func (f *fakeSystemd) end(unit string) dbus.ObjectPath {
	const job = dbus.ObjectPath("/org/freedesktop/systemd1/job/7")
	result := "done"
	if f.refuse != "" {
		result, f.refuse = f.refuse, ""
	}
	// The end of another's job comes first.
	for path, result := range map[dbus.ObjectPath]string{job + "1": "failed", job: result} {
		if err := f.conn.Emit("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager.JobRemoved", uint32(7), path, unit, result); err != nil {
			f.t.Error(err)
		}
	}
	return job
}

func (f *fakeSystemd) StartTransientUnit(name, mode string, properties []property, _ []auxiliary) (dbus.ObjectPath, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.started[name] != nil {
		return "", dbus.NewError("org.freedesktop.systemd1.UnitExists", []any{"Unit " + name + " already exists."})
	}
	all := map[string]dbus.Variant{}
	for _, p := range properties {
		all[p.Name] = p.Value
	}
	for _, root := range f.roots {
		dir := filepath.Join(root, all["Slice"].Value().(string), name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", dbus.MakeFailedError(err)
		}
		for _, pid := range all["PIDs"].Value().([]uint32) {
			if err := os.WriteFile(dir+"/cgroup.procs", fmt.Append(nil, pid), 0); err != nil {
				return "", dbus.MakeFailedError(err)
			}
		}
	}
	f.started[name] = all
	return f.end(name), nil
}

func (f *fakeSystemd) SetUnitProperties(name string, runtime bool, properties []property) *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range properties {
		f.set[p.Name] = p.Value
	}
	return nil
}

func (f *fakeSystemd) StopUnit(name, mode string) (dbus.ObjectPath, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.started[name] == nil {
		return "", dbus.NewError("org.freedesktop.systemd1.NoSuchUnit", []any{"Unit " + name + " not loaded."})
	}
	delete(f.started, name)
	f.stopped = append(f.stopped, name)
	return f.end(name), nil
}

func (f *fakeSystemd) ResetFailedUnit(name string) *dbus.Error {
	return dbus.NewError("org.freedesktop.systemd1.NoSuchUnit", []any{"Unit " + name + " not loaded."})
}

func TestSystemdMakesTheCgroups(t *testing.T) {
	b := newBundle(t)
	f := newFakeSystemd(t)
	slice := fmt.Sprintf("berthtest%d.slice", os.Getpid())
	t.Cleanup(func() {
		dirs, _ := filepath.Glob("/sys/fs/cgroup/*/" + slice)
		for _, d := range append(dirs, "/sys/fs/cgroup/"+slice) {
			if err := os.Remove(d); err != nil && !os.IsNotExist(err) {
				t.Errorf("left: %v", err)
			}
		}
	})
	b.configure(func(s *specs.Spec) {
		limit, quota, pids := int64(64<<20), int64(25000), int64(50)
		s.Linux.CgroupsPath = slice + ":runc:" + b.id
		s.Annotations = map[string]string{"org.systemd.property.TimeoutStopUSec": "uint64 7000000", "org.systemd.property.CollectMode": "'inactive'"}
		s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
		s.Linux.Resources.CPU = &specs.LinuxCPU{Quota: &quota}
		s.Linux.Resources.Pids = &specs.LinuxPids{Limit: &pids}
		s.Process.Args = []string{"sleep", "1000"}
	})
	b.ok("--systemd-cgroup", "run", "-d", b.id)
	unit := "runc-" + b.id + ".scope"
	got := f.started[unit]
	memory := map[bool]string{true: "MemoryMax", false: "MemoryLimit"}[len(f.roots) == 1]
	for name, want := range map[string]string{"Slice": `"` + slice + `"`, "Delegate": "true", "DevicePolicy": `"strict"`, memory: "@t 67108864",
		"TasksMax": "@t 50", "CPUQuotaPerSecUSec": "@t 250000", "TimeoutStopUSec": "@t 7000000", "CollectMode": `"inactive"`} {
		if v := got[name].String(); v != want {
			t.Errorf("%s is %s, want %s", name, v, want)
		}
	}
	if allowed := got["DeviceAllow"].String(); !strings.Contains(allowed, `["/dev/char/1:3", "rwm"]`) || !strings.Contains(allowed, `["char-pts", "rwm"]`) {
		t.Errorf("DeviceAllow is %s", allowed)
	}
	// The container is where systemd expects it, alone.
	pid := strings.Trim(strings.TrimSpace(b.ok("ps", "-f", "json", b.id)), "[]")
	for _, root := range f.roots {
		procs, err := os.ReadFile(filepath.Join(root, slice, unit, "cgroup.procs"))
		if err != nil || strings.TrimSpace(string(procs)) != pid {
			t.Errorf("in %s of systemd's cgroup are %q, %v; want %s", root, procs, err, pid)
		}
	}
	b.ok("update", "--pids-limit", "60", "--memory", "32M", b.id)
	if f.set["TasksMax"].String() != "@t 60" || f.set[memory].String() != "@t 33554432" {
		t.Errorf("systemd was told %v", f.set)
	}
	b.ok("delete", "-f", b.id)
	if len(f.stopped) != 1 || f.stopped[0] != unit {
		t.Errorf("stopped %q, want %s", f.stopped, unit)
	}
	f.refuse = "canceled"
	b.fails(1, `the job ended with "canceled"`, "--systemd-cgroup", "run", b.id)
	b.configure(func(s *specs.Spec) { s.Linux.CgroupsPath = "/a/b" })
	b.fails(1, `expected cgroupsPath to be of format "slice:prefix:name"`, "--systemd-cgroup", "run", b.id)
}

func TestNoSystemd(t *testing.T) {
	b := newBundle(t)
	b.args("true")
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/gone")
	b.fails(1, "no systemd on the bus at /gone", "--systemd-cgroup", "run", b.id)
	if left, err := os.ReadDir(b.root); err == nil && len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
