package cgroup

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper starts a process, in the cgroups of m if there is one.
func sleeper(t *testing.T, m *Manager) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if m != nil {
		if err := os.WriteFile(filepath.Join(m.main(), "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
			t.Fatal(err)
		}
	}
	return cmd
}

// TestSignalSparesTheHost has a process of the host under a number that was in the
// cgroup's list, as after the end of the container's process of that number.
func TestSignalSparesTheHost(t *testing.T) {
	m := made(t, nil)
	inside, outside := sleeper(t, m), sleeper(t, nil)
	if err := m.signal([]int{inside.Process.Pid, outside.Process.Pid}, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := inside.Wait(); err == nil {
		t.Error("the process in the cgroup was not killed")
	}
	// Held by the second list in Manager.signal.
	if err := outside.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatalf("the process outside was killed: %v", err)
	}
	if err := outside.Wait(); err == nil || err.Error() != "signal: terminated" {
		t.Errorf("the process outside: %v, want its own signal", err)
	}
}

func TestSignalCounts(t *testing.T) {
	m := made(t, nil)
	if n, err := m.Signal(unix.SIGTERM); n != 0 || err != nil {
		t.Errorf("of an empty cgroup: %d, %v", n, err)
	}
	cmd := sleeper(t, m)
	if n, err := m.Signal(unix.SIGTERM); n != 1 || err != nil {
		t.Errorf("of one process: %d, %v", n, err)
	}
	_ = cmd.Wait()
}

// TestNumberZero is how the kernel lists what is in no pid namespace of ours.
func TestNumberZero(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0\n12\n0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if pids, err := processes(dir); err != nil || !slices.Equal(pids, []int{12}) {
		t.Errorf("processes %v, %v; want 12 alone", pids, err)
	}
}

// TestKillOfWhatFrozeItself has a container that may write its cgroups and has put
// a process into a frozen one of its own: v1 does not let that die.
func TestKillOfWhatFrozeItself(t *testing.T) {
	m := made(t, nil)
	dir := m.Paths["freezer"]
	if m.Unified || dir == "" {
		t.Skip("no freezer of cgroup v1")
	}
	inner := filepath.Join(dir, "a/b")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := sleeper(t, m)
	for file, value := range map[string]string{"cgroup.procs": strconv.Itoa(cmd.Process.Pid), "freezer.state": "FROZEN"} {
		if err := writeFile(filepath.Join(inner, file), value); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = writeFile(filepath.Join(inner, "freezer.state"), "THAWED") })
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	// Held by thaw, which goes down.
	if err := m.Kill(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the process does not end")
	}
}
