package container

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// clocks prints the offsets of a process's time namespace.
const clocks = "tr -s ' ' < /proc/self/timens_offsets; readlink /proc/self/ns/time; cut -d. -f1 /proc/uptime"

// uptime checks what the script clocks printed: the clocks are years ahead.
func uptime(t *testing.T, out, ns string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var seconds float64
	if len(lines) == 4 {
		_, _ = fmt.Sscan(lines[3], &seconds)
	}
	if len(lines) != 4 || lines[0] != "monotonic 86400 7" || lines[1] != "boottime 1000000000 0" || lines[2] != ns || seconds < 1e9 || math.IsInf(seconds, 0) {
		t.Errorf("clocks %q, want those of %s", lines, ns)
	}
}

func TestTimeNamespace(t *testing.T) {
	for _, user := range []bool{false, true} {
		t.Run(fmt.Sprint("user namespace ", user), func(t *testing.T) {
			f := newFixture(t)
			l := f.opts.Spec.Linux
			l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
			l.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 86400, Nanosecs: 7}, "boottime": {Secs: 1e9}}
			if user {
				f.userNS()
			}
			c := f.running()
			ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/time", c.Init().PID()))
			if own, _ := os.Readlink("/proc/self/ns/time"); err != nil || ns == own {
				t.Fatalf("init's time namespace is %s, ours %s, %v", ns, own, err)
			}
			out, _ := f.exec(c, "sh", "-c", clocks)
			uptime(t, out, ns)
			// Another container in the same one.
			g := newFixture(t, "sh", "-c", clocks)
			g.opts.Spec.Linux.Namespaces = append(g.opts.Spec.Linux.Namespaces,
				specs.LinuxNamespace{Type: specs.TimeNamespace, Path: fmt.Sprintf("/proc/%d/ns/time", c.Init().PID())})
			out, _ = g.run()
			uptime(t, out, ns)
		})
	}
}

func TestTimeNamespaceRefuses(t *testing.T) {
	offsets := func(clock string, secs int64, nsecs uint32) map[string]specs.LinuxTimeOffset {
		return map[string]specs.LinuxTimeOffset{clock: {Secs: secs, Nanosecs: nsecs}}
	}
	for text, change := range map[string]func(l *specs.Linux){
		"no new time namespace":            func(l *specs.Linux) { l.Namespaces = l.Namespaces[:6] },
		"no new time namespace in":         func(l *specs.Linux) { l.Namespaces[6].Path = "/proc/self/ns/time" },
		`unknown clock "realtime"`:         func(l *specs.Linux) { l.TimeOffsets = offsets("realtime", 1, 0) },
		"1000000000 nanoseconds":           func(l *specs.Linux) { l.TimeOffsets = offsets("boottime", 1, 1e9) },
		"linux.timeOffsets: boottime: set": func(l *specs.Linux) { l.TimeOffsets = offsets("boottime", math.MinInt64, 0) },
		"time is given twice":              func(l *specs.Linux) { l.Namespaces = append(l.Namespaces, l.Namespaces[6]) },
	} {
		t.Run(strings.Map(letters, text), func(t *testing.T) {
			f := newFixture(t, "true")
			l := f.opts.Spec.Linux
			l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
			l.TimeOffsets = offsets("boottime", 1, 0)
			change(l)
			if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("error %v; want %q in it", err, text)
			}
		})
	}
}

// TestAllNamespacesByPath runs a container in those of another, and its own mounts
// in a copy of the other's mount namespace.
func TestAllNamespacesByPath(t *testing.T) {
	f := newFixture(t)
	f.userNS()
	f.opts.Spec.Linux.Namespaces = append(f.opts.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
	pid := f.running().Init().PID()
	g := newFixture(t)
	g.own(g.opts.Bundle+"/rootfs", 100000, 200000)
	g.opts.Spec.Hostname = ""
	files := map[specs.LinuxNamespaceType]string{"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup", "user": "user", "time": "time"}
	g.opts.Spec.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	var want []string
	for n, file := range files {
		at := fmt.Sprintf("/proc/%d/ns/%s", pid, file)
		g.opts.Spec.Linux.Namespaces = append(g.opts.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: n, Path: at})
	}
	for _, file := range []string{"pid", "net", "ipc", "uts", "cgroup", "user", "time"} {
		at, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, file))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, at)
	}
	g.want("for n in pid net ipc uts cgroup user time; do readlink /proc/self/ns/$n; done; hostname; tr '\\0' ' ' < /proc/1/cmdline",
		strings.Join(want, "\n")+"\nberth\nsleep 1000")
}
