package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/runtime/cgroup"
)

// TestKilledAtAnyTime kills the runtime at growing times into create, start,
// exec and delete. What it leaves, delete --force removes.
func TestKilledAtAnyTime(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	killed := 0
	for _, c := range []struct {
		before [][]string
		args   []string
		step   time.Duration
	}{
		{nil, []string{"create", b.id}, 500 * time.Microsecond},
		{[][]string{{"create", b.id}}, []string{"start", b.id}, time.Millisecond},
		// The orphans that these leave keep their pid namespace alive until the
		// machine's first process reaps them, which can take seconds.
		{[][]string{{"run", "-d", b.id}}, []string{"exec", b.id, "sleep", "1000"}, 4 * time.Millisecond},
		{[][]string{{"run", "-d", b.id}}, []string{"delete", "-f", b.id}, time.Millisecond},
	} {
		for after := time.Duration(0); after < 12*time.Millisecond; after += c.step {
			for _, args := range c.before {
				b.ok(args...)
			}
			cmd := b.command(c.args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(after) // not to wait for something: the moment is what is tested
			_ = cmd.Process.Kill()
			if err := cmd.Wait(); err != nil {
				killed++
			}
			b.ok("delete", "--force", b.id)
			if left := b.leftovers(); len(left) > 0 {
				t.Fatalf("%v killed after %v and deleted by force leaves %q", c.args, after, left)
			}
		}
	}
	if killed < 10 {
		t.Errorf("only %d were killed before their end", killed)
	}
}

// leftovers lists cgroups, states and processes of the bundle's container.
func (b *bundle) leftovers() []string {
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
	roots, err := filepath.Glob("/proc/[0-9]*/root")
	if err != nil {
		return append(left, err.Error())
	}
	for _, r := range roots {
		// A process of the container has its root; it may die while we look.
		if at, err := os.Readlink(r); err == nil && strings.HasPrefix(at, b.dir) {
			left = append(left, r)
		}
	}
	return left
}
