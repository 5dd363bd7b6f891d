package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"berth/runtime/cgroup"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// setting reads a file of the container's cgroup, by its names in v1 and v2.
func (b *bundle) setting(v1, v2 string) string {
	b.t.Helper()
	m, err := cgroup.New("", b.id, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	controller, _, _ := strings.Cut(v1, ".")
	name := filepath.Join(m.Paths[controller], v1)
	if m.Unified {
		name = filepath.Join(m.Paths[""], v2)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func TestUpdate(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	b.ok("run", "-d", b.id)
	expect := func(v1, v2, want1, want2 string) {
		t.Helper()
		want := want1
		if m, err := cgroup.New("", b.id, nil); err == nil && m.Unified {
			want = want2
		}
		if got := b.setting(v1, v2); got != want {
			t.Errorf("%s or %s is %q, want %q", v1, v2, got, want)
		}
	}
	b.ok("update", "--memory", "32M", "--pids-limit", "20", "--cpu-share", "512", b.id)
	expect("memory.limit_in_bytes", "memory.max", "33554432", "33554432")
	expect("pids.max", "pids.max", "20", "20")
	expect("cpu.shares", "cpu.weight", "512", "20")
	// Up and down again: memory is to stay below memory and swap at every step.
	for _, m := range []string{"64M", "16M"} {
		b.ok("update", b.id, "--memory="+m, "--memory-swap="+m)
	}
	expect("memory.memsw.limit_in_bytes", "memory.swap.max", "16777216", "0")
	b.ok("update", "--memory", "-1", b.id)
	expect("memory.memsw.limit_in_bytes", "memory.max", "9223372036854771712", "max")
	// A period of its own keeps the quota, and a shorter one than the quota fits
	// goes with it.
	b.ok("update", "--cpu-quota", "50000", b.id)
	b.ok("update", "--cpu-period", "200000", b.id)
	expect("cpu.cfs_quota_us", "cpu.max", "50000", "50000 200000")
	b.ok("update", "--cpu-quota", "2000", "--cpu-period", "1000", b.id)
	expect("cpu.cfs_period_us", "cpu.max", "1000", "2000 1000")

	r := b.command("update", "-r", "-", b.id)
	r.Stdin = strings.NewReader(`{"pids": {"limit": 30}, "cpu": {"cpus": "0"}, "memory": {}}`)
	if out, err := r.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("update -r -: %v, %s", err, out)
	}
	expect("pids.max", "pids.max", "30", "30")
	expect("cpuset.cpus", "cpuset.cpus", "0", "0")

	// What cannot be set changes nothing.
	b.fails(1, "linux.resources.cpu.cpus", "update", "--pids-limit", "40", "--cpu-share", "700", "--cpuset-cpus", "4000", b.id)
	expect("cpu.shares", "cpu.weight", "512", "20")
	expect("pids.max", "pids.max", "30", "30")
	b.fails(1, "invalid value for memory: invalid size: 'lots'", "update", "--memory", "lots", b.id)
	b.fails(1, "invalid value for cpu-share", "update", "--cpu-share", "-5", b.id)
	b.fails(1, "read the resources: EOF", "update", "-r", "/dev/null", b.id)
	b.fails(1, "Intel RDT", "update", "--l3-cache-schema", "L3:0=f", b.id)
	b.ok("kill", b.id, "KILL")
	b.until("stopped")
	b.fails(1, "container not running", "update", "--pids-limit", "40", b.id)
}

func TestBytesOf(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "100": 100, "2k": 2048, "1.5M": 3 << 19, "3GiB": 3 << 30, "4 mb": 4 << 20, "1t": 1 << 40, "-1": -1, "7b": 7} {
		if n, err := bytesOf(s); n != want || err != nil {
			t.Errorf("%q is %d, %v; want %d", s, n, err, want)
		}
	}
	for _, s := range []string{"", "k", "b", "-2", "1x", "9999999p", "m5", "NaN", "1e400"} {
		if n, err := bytesOf(s); err == nil {
			t.Errorf("%q is %d", s, n)
		}
	}
}

func TestEvents(t *testing.T) {
	b := newBundle(t)
	b.configure(func(s *specs.Spec) {
		limit := int64(16 << 20)
		s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit, Swap: &limit}
		s.Process.Args = []string{"sleep", "1000"}
	})
	b.ok("run", "-d", b.id)
	var e event
	if err := json.Unmarshal([]byte(b.ok("events", "--stats", b.id)), &e); err != nil {
		t.Fatal(err)
	}
	if e.Type != "stats" || e.ID != b.id || e.Data.CPU.Usage.Total == 0 || e.Data.Memory.Usage.Limit != 16<<20 || e.Data.Pids.Current != 1 {
		t.Errorf("%+v", e)
	}
	b.fails(1, "duration interval must be greater than 0", "events", "--interval", "0s", b.id)

	follow := b.command("events", "--interval", "20ms", b.id)
	out, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(out)
	next := func(kind string) {
		t.Helper()
		for {
			var e event
			if err := lines.Decode(&e); err != nil {
				t.Fatalf("waiting for %s: %v", kind, err)
			}
			if e.Type == kind {
				return
			}
		}
	}
	next("stats")
	b.do("exec", b.id, "sh", "-c", "x=a; while :; do x=$x$x; done")
	next("oom")
	b.ok("delete", "-f", b.id)
	for lines.Decode(&e) == nil {
	}
	if err := follow.Wait(); err != nil {
		t.Errorf("at the end of the container: %v", err)
	}
	b.fails(1, "container does not exist", "events", b.id)
}

// TestJSONLikeRunc compares the fields that commands print with those of the
// runc that is installed.
func TestJSONLikeRunc(t *testing.T) {
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Skip("runc is not installed")
	}
	b := newBundle(t)
	b.args("sleep", "1000")
	b.ok("run", "-d", b.id)
	peer := b.id + "-runc"
	other := func(args ...string) []byte {
		t.Helper()
		c := exec.Command(runc, append([]string{"--root", b.root + "-runc"}, args...)...)
		c.Dir = b.dir
		out, err := c.Output()
		if err != nil {
			t.Fatalf("runc %v: %v", args, err)
		}
		return out
	}
	// Detached with files: a pipe would be held open by the container.
	start := exec.Command(runc, "--root", b.root+"-runc", "run", "-d", peer)
	start.Dir = b.dir
	if err := start.Run(); err != nil {
		t.Skipf("runc does not run containers here: %v", err)
	}
	defer other("delete", "-f", peer)
	for _, c := range []struct {
		mine, theirs []string
		lacks        map[string]bool // fields that runc fills by what happened before
	}{
		{[]string{"state", b.id}, []string{"state", peer}, nil},
		{[]string{"list", "-f", "json"}, []string{"list", "-f", "json"}, nil},
		{[]string{"events", "--stats", b.id}, []string{"events", "--stats", peer}, map[string]bool{"data.memory.cache": true}},
		{[]string{"features"}, []string{"features"}, nil},
	} {
		mine, theirs := map[string]bool{}, map[string]bool{}
		for text, into := range map[string]map[string]bool{b.ok(c.mine...): mine, string(other(c.theirs...)): theirs} {
			var v any
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Fatalf("%v: %v", c.mine, err)
			}
			fields(v, "", into)
		}
		for f := range theirs {
			if !mine[f] && !c.lacks[f] && !strings.HasPrefix(f, "annotations.") {
				t.Errorf("%v lacks the field %s", c.mine, f)
			}
		}
	}
}

// fields collects the paths of all fields in v.
func fields(v any, at string, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			name := strings.TrimPrefix(at+"."+k, ".")
			into[name] = true
			fields(inner, name, into)
		}
	case []any:
		for _, inner := range v {
			fields(inner, at, into)
		}
	}
}
