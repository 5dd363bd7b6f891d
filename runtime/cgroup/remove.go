package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// removeWait is how long Remove waits for processes that are dead but not yet
// out of their cgroup.
const removeWait = 5 * time.Second

// Kill kills every process in the cgroups, those that are born meanwhile
// included.
func (m *Manager) Kill() error {
	if m.Unified {
		err := writeFile(path.Join(m.Paths[""], "cgroup.kill"), "1")
		if err == nil || errors.Is(err, os.ErrNotExist) && !exists(m.Paths[""]) {
			return nil
		}
	}
	// Without cgroup.kill (before Linux 5.14, and v1): again until none is left.
	// A frozen process dies only when thawed, so it is thawed after the signal.
	for deadline := time.Now().Add(removeWait); ; {
		left, err := m.Signal(unix.SIGKILL)
		if err != nil {
			return err
		}
		if left == 0 {
			return nil
		}
		if err := m.Thaw(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("kill the processes of the cgroup: %d are left", left)
		}
		time.Sleep(time.Millisecond)
	}
}

// Remove removes the directories with all below them. Processes must be dead,
// or be dying.
func (m *Manager) Remove() error {
	if m.unit != nil {
		if err := m.unit.stop(); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(removeWait)
	done := map[string]bool{}
	for _, dir := range m.Paths {
		if done[dir] {
			continue
		}
		done[dir] = true
		if err := remove(dir, deadline); err != nil {
			return fmt.Errorf("remove the cgroup %s: %w", dir, err)
		}
	}
	return nil
}

func remove(dir string, deadline time.Time) error {
	for wait := 50 * time.Microsecond; ; wait = min(2*wait, 10*time.Millisecond) {
		err := unix.Rmdir(dir)
		if err == nil || err == unix.ENOENT {
			return nil
		}
		if err != unix.EBUSY && err != unix.EINTR {
			return err
		}
		// The container may have made cgroups of its own below.
		if err := removeChildren(dir, deadline); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(wait)
	}
}

func removeChildren(dir string, deadline time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := remove(path.Join(dir, e.Name()), deadline); err != nil {
				return err
			}
		}
	}
	return nil
}
