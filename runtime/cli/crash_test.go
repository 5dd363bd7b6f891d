package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/runtime/cgroup"
	"berth/runtime/steptest"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// sequence is a command to be killed, after others that prepare for it.
type sequence struct {
	before [][]string
	args   []string
}

func sequences(id string) map[string]sequence {
	created, running := []string{"create", id}, []string{"run", "-d", id}
	return map[string]sequence{
		"create":         {nil, created},
		"run":            {nil, running},
		"start":          {[][]string{created}, []string{"start", id}},
		"exec":           {[][]string{running}, []string{"exec", "-d", id, "sleep", "1000"}},
		"pause":          {[][]string{running}, []string{"pause", id}},
		"kill":           {[][]string{running}, []string{"kill", id, "KILL"}},
		"delete":         {[][]string{created}, []string{"delete", id}},
		"delete --force": {[][]string{running}, []string{"delete", "-f", id}},
	}
}

// TestKilledAtAnyStep kills the runtime at its system calls. What it leaves,
// delete --force removes. BERTH_CRASH_STEPS is how many of each command's are
// tried, of some 300.
func TestKilledAtAnyStep(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	for name, s := range sequences(b.id) {
		t.Run(name, func(t *testing.T) {
			all := b.step(t, s, steptest.Command, 0)
			for _, at := range steptest.Points(all.Steps, few(name)) {
				b.step(t, s, steptest.Command, at)
			}
			t.Logf("%d system calls", all.Steps)
		})
	}
}

// TestInitKilledAtAnyStep kills the process that is becoming the container's, or
// an exec's: the runtime notices, and says so, or it is as if the command had been
// killed.
func TestInitKilledAtAnyStep(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	for _, name := range []string{"create", "run", "exec"} {
		t.Run(name, func(t *testing.T) {
			s := sequences(b.id)[name]
			all := b.step(t, s, steptest.Child, 0)
			for _, at := range steptest.Points(all.Steps, few(name)) {
				b.step(t, s, steptest.Child, at)
			}
			t.Logf("%d system calls", all.Steps)
		})
	}
}

// few is how many steps of a command are tried by default. The orphan of an exec
// keeps its pid namespace alive until the machine's first process reaps it, which
// can take a second.
func few(name string) int {
	if name == "exec" {
		return steptest.Count(3)
	}
	return steptest.Count(8)
}

// step runs a sequence, kills its last command or that's child, and cleans up.
func (b *bundle) step(t *testing.T, s sequence, g steptest.Generation, at int) steptest.Result {
	t.Helper()
	for _, args := range s.before {
		b.ok(args...)
	}
	r, err := steptest.Run(b.command(s.args...), g, at)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Killed && r.Status.ExitStatus() != 0 {
		t.Fatalf("%v, not killed (step %d): %v", s.args, at, r.Status)
	}
	if r.Killed && g != steptest.Command && r.Status.ExitStatus() != 0 && s.before == nil {
		// A create that failed has undone what it did.
		if left := b.leftovers(); len(left) > 0 {
			t.Fatalf("%v, whose init was killed at step %d, leaves %q", s.args, at, left)
		}
	}
	if r.Killed && s.args[0] == "start" {
		b.startAgain(t, at)
	}
	b.ok("delete", "--force", b.id)
	if left := b.leftovers(); len(left) > 0 {
		t.Fatalf("%v killed at step %d and deleted by force leaves %q", s.args, at, left)
	}
	return r
}

// startAgain starts a container after a start that was killed, which either did
// nothing or all.
func (b *bundle) startAgain(t *testing.T, at int) {
	t.Helper()
	var s specs.State
	if err := json.Unmarshal([]byte(b.ok("state", b.id)), &s); err != nil {
		t.Fatal(err)
	}
	switch s.Status {
	case specs.StateRunning:
	case specs.StateCreated:
		if _, errs, status := b.do("start", b.id); status != 0 {
			t.Errorf("a start killed at step %d left the container created, and it cannot be started: %s", at, errs)
		}
	default:
		t.Errorf("a start killed at step %d left the container %s", at, s.Status)
	}
}

// leftovers lists cgroups, states, mounts and processes of the bundle's container,
// once those that are ending have had their time.
func (b *bundle) leftovers() (left []string) {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if left = b.left(); len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

func (b *bundle) left() []string {
	var left []string
	m, err := cgroup.New("", b.id, nil)
	if err != nil {
		return []string{err.Error()}
	}
	for _, dir := range m.Paths {
		if _, err := os.Stat(dir); err == nil {
			left = append(left, dir)
		}
	}
	if states, err := os.ReadDir(b.root); err == nil {
		for _, s := range states {
			left = append(left, s.Name())
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return append(left, err.Error())
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, b.dir) {
			left = append(left, line)
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return append(left, err.Error())
	}
	for _, p := range processes {
		// A process of the container has its root, or is in its cgroups on the way
		// there; it may end while we look.
		at, _ := os.Readlink(p + "/root")
		groups, _ := os.ReadFile(p + "/cgroup")
		if strings.HasPrefix(at, b.dir) || strings.Contains(string(groups), b.id) {
			left = append(left, p)
		}
	}
	return left
}
