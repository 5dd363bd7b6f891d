package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// world is what the engine of r has on the machine beside its directories. All its
// names follow from the state directory, and others' engines come and go meanwhile.
func (r *rig) world() (all []string) {
	r.t.Helper()
	sum := sha256.Sum256([]byte(r.conf.State))
	mark := hex.EncodeToString(sum[:2]) // which even the shortest names have
	add := func(what, name string) {
		if strings.Contains(name, mark) || strings.HasPrefix(name, r.dir) {
			all = append(all, what+" "+name)
		}
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		add("mount", strings.Fields(line)[4])
	}
	links, err := net.Interfaces()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, l := range links {
		add("link", l.Name)
	}
	cgroups, err := filepath.Glob("/sys/fs/cgroup/*/berth-*")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, dir := range cgroups {
		add("cgroup", dir)
	}
	if nft, err := exec.LookPath("nft"); err == nil {
		tables, err := exec.Command(nft, "list", "tables").Output()
		if err != nil {
			r.t.Fatal(err)
		}
		for line := range strings.Lines(string(tables)) {
			if strings.Contains(line, "berth") {
				add("nft", strings.TrimSpace(line))
			}
		}
	}
	return all
}

// occupied is an engine with something of everything.
func occupied(t *testing.T) *rig {
	t.Helper()
	needBusybox(t)
	r := newRig(t)
	r.berth("image", "starter")
	r.berth("network", "create", "--subnet", "10.213.77.0/24", "own")
	r.berth("volume", "create", "data")
	r.berth("run", "-d", "--name", "one", "--network", "own", "-p", "127.0.0.1::80", "-v", "data:/d", "busybox", "sleep", "1000")
	r.berth("run", "-d", "--name", "two", "--restart", "always", "--tmpfs", "/t", "--ipc", "shareable", "busybox", "sleep", "1000")
	r.berth("create", "--name", "three", "busybox")
	return r
}

func (r *rig) nothingIsLeft() {
	r.t.Helper()
	for _, dir := range []string{r.conf.Root, r.conf.State} {
		if _, err := os.Lstat(dir); !os.IsNotExist(err) {
			r.t.Errorf("%s: %v", dir, err)
		}
	}
	r.until("the processes are gone", func() bool { return len(r.processes("")) == 0 })
	if left := r.world(); len(left) > 0 {
		r.t.Errorf("left behind: %q", left)
	}
}

func TestSystemReset(t *testing.T) {
	r := occupied(t)
	if made := r.world(); len(made) < 4 {
		t.Errorf("the engine has made only %q", made)
	}
	// Nobody says yes.
	if _, code, msg := r.try("system", "reset"); code != 0 || !strings.Contains(msg, "all volumes with their data") || !strings.Contains(msg, r.conf.Root) {
		t.Errorf("without an answer: %d, %s", code, msg)
	}
	if got := r.berth("ps", "-q"); len(strings.Fields(got)) != 2 {
		t.Fatalf("a question without an answer has removed something: %q run", got)
	}
	r.berth("system", "reset", "--force")
	r.nothingIsLeft()
	// Nothing to do is no error.
	r.berth("system", "reset", "-f")
}

// The engine was killed, and its database is no database any more.
func TestSystemResetWhereNoEngineStarts(t *testing.T) {
	r := occupied(t)
	var devices []string
	for prefix, id := range map[string]string{
		"br-": r.berth("network", "inspect", "-f", "{{.Id}}", "own"),
		"dm-": r.berth("network", "create", "--driver", "macvlan", "aside"),
	} {
		devices = append(devices, filepath.Join("/sys/class/net", prefix+id[:12]))
	}
	r.berth("run", "-d", "--network", "aside", "busybox", "sleep", "1000")
	for _, pid := range r.processes("serve") {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	r.until("the engine is gone", func() bool { return len(r.processes("serve")) == 0 })
	if err := os.WriteFile(filepath.Join(r.conf.Root, "meta.db"), []byte(strings.Repeat("damage", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, code, _ := r.try("ps"); code == 0 {
		t.Error("an engine starts on a damaged database")
	}
	for _, d := range devices {
		if _, err := os.Stat(d); err != nil {
			t.Error(err)
		}
	}
	r.berth("system", "reset", "--force")
	r.nothingIsLeft()
	for _, d := range devices { // whose names say nothing of the engine
		if _, err := os.Stat(d); !os.IsNotExist(err) {
			t.Errorf("%s is left behind: %v", d, err)
		}
	}
}

// What is not berth's is not removed, whatever somebody types.
func TestSystemResetRefuses(t *testing.T) {
	r := newRig(t)
	mine := filepath.Join(r.conf.Root, "precious")
	if err := os.MkdirAll(mine, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, code, msg := r.try("system", "reset", "--force"); code == 0 || !strings.Contains(msg, "is no directory of an engine") {
		t.Errorf("a directory of somebody else: %d, %s", code, msg)
	}
	if err := os.WriteFile(filepath.Join(r.conf.Root, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, code, msg := r.try("system", "reset", "--force"); code == 0 || !strings.Contains(msg, "is no directory of an engine") {
		t.Errorf("a directory that somebody else locks: %d, %s", code, msg)
	}
	if err := os.WriteFile(filepath.Join(r.conf.Root, "meta.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", mine, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(mine, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, code, msg := r.try("system", "reset", "--force"); code == 0 || !strings.Contains(msg, "something is mounted at "+mine) {
		t.Errorf("somebody's mount: %d, %s", code, msg)
	}
	if _, err := os.Stat(filepath.Join(mine, "file")); err != nil {
		t.Error(err)
	}
	if err := syscall.Unmount(mine, 0); err != nil {
		t.Fatal(err)
	}
	r.berth("system", "reset", "--force")
	if _, code, msg := r.try("-H", "tcp://127.0.0.1:1", "system", "reset", "--force"); code == 0 || !strings.Contains(msg, "run it there") {
		t.Errorf("another machine's: %d, %s", code, msg)
	}
}
