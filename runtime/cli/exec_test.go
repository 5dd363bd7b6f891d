package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/runtime/cgroup"
)

func TestExecInAPausedContainerWaits(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	b.ok("run", "-d", b.id)
	b.ok("pause", b.id)
	b.fails(255, "cannot exec in a paused container (use --ignore-paused to override)", "exec", b.id, "true")
	waiting := b.command("exec", "--ignore-paused", b.id, "sh", "-c", "exit 6")
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	m, err := cgroup.New("", b.id, nil)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if pids, err := m.Pids(); err != nil || len(pids) > 1 {
			break // it is in the container, and frozen
		}
	}
	b.until("paused")
	b.ok("resume", b.id)
	if _ = waiting.Wait(); waiting.ProcessState.ExitCode() != 6 {
		t.Errorf("status %d, want 6", waiting.ProcessState.ExitCode())
	}
}

func TestExecInASubCgroup(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	b.ok("run", "-d", b.id)
	m, err := cgroup.New("", b.id, nil)
	if err != nil {
		t.Fatal(err)
	}
	controller, flag := "pids", "pids:inner"
	if m.Unified {
		controller, flag = "", "inner"
	}
	dir := filepath.Join(m.Paths[controller], "inner")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pid := filepath.Join(b.dir, "exec-pid")
	b.ok("exec", "-d", "--pid-file", pid, "--cgroup", flag, b.id, "sleep", "1000")
	want, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(dir + "/cgroup.procs"); err != nil || strings.TrimSpace(string(got)) != string(want) {
		t.Errorf("in the sub-cgroup is %q, %v; want %s", got, err, want)
	}
	for flag, text := range map[string]string{"../..": "../.. is not a sub cgroup path", "cpu,:x": "empty <controller> prefix", "a:b:c": "invalid --cgroup argument",
		"cpu,cpu:x": "controller cpu specified multiple times", "moon:x": `no cgroup of the controller "moon"`, "nosuch": "no such file or directory"} {
		b.fails(255, text, "exec", "--cgroup", flag, b.id, "true")
	}
}

func TestExecOfAProcessFile(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	b.ok("run", "-d", b.id)
	name := filepath.Join(b.dir, "process.json")
	text := `{"terminal": false, "cwd": "/bin", "args": ["sh", "-c", "pwd; echo $A; id -u"], "env": ["PATH=/bin", "A=1"], "user": {"uid": 5, "gid": 6}}`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := b.ok("exec", "-p", name, b.id); out != "/bin\n1\n5\n" {
		t.Errorf("output %q", out)
	}
	b.fails(255, "no such file", "exec", "-p", name+".gone", b.id)
	b.fails(255, "process args cannot be empty", "exec", b.id)
}

// TestExecBesideAnInitThatMovedOn: under v2 a cgroup that hands its controllers
// on can have no process, as when systemd runs in the container.
func TestExecBesideAnInitThatMovedOn(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	b.ok("run", "-d", b.id)
	m, err := cgroup.New("", b.id, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !m.Unified {
		t.Skip("a rule of cgroup v2 only")
	}
	dir := m.Paths[""]
	pid := strings.Trim(strings.TrimSpace(b.ok("ps", "-f", "json", b.id)), "[]")
	if err := os.Mkdir(dir+"/init.scope", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/init.scope/cgroup.procs", []byte(pid), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/cgroup.subtree_control", []byte("+pids"), 0); err != nil {
		t.Fatal(err)
	}
	if out := b.ok("exec", b.id, "cat", "/proc/self/cgroup"); !strings.Contains(out, "init.scope") {
		t.Errorf("the exec runs in %q", out)
	}
}
