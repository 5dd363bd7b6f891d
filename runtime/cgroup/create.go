package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"berth/runtime/plainfile"
	"golang.org/x/sys/unix"
)

// Create makes the directories.
func (m *Manager) Create() error {
	if m.unit != nil {
		if err := m.unit.start(m); err != nil {
			return err
		}
	}
	if m.Unified {
		return createUnified(m.Paths[""])
	}
	done := map[string]bool{}
	for controller, dir := range m.Paths {
		if done[dir] {
			continue
		}
		done[dir] = true
		if err := mkdir(dir); err != nil {
			return fmt.Errorf("make the %s cgroup: %w", controller, err)
		}
	}
	if dir := m.Paths["cpuset"]; dir != "" {
		if err := inheritCPUSet(dir); err != nil {
			return fmt.Errorf("make the cpuset cgroup: %w", err)
		}
	}
	return nil
}

func mkdir(dir string) error {
	// Nearly always only the last part is missing.
	err := unix.Mkdir(dir, 0o755)
	if err == nil || err == unix.EEXIST {
		return nil
	}
	return os.MkdirAll(dir, 0o755)
}

// inheritCPUSet fills in the CPUs and memory nodes of a new v1 cpuset and of the
// new ones above it: empty, as they are at first, no process can join them. For what
// comes below those above the kernel does it from then on (clone_children): a write has it
// compare the cgroup with all beside it, of which each container has one, and build the
// domains of its scheduler anew.
func inheritCPUSet(dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if _, err := inherit(dir, file, true); err != nil {
			return err
		}
	}
	return nil
}

func inherit(dir, file string, last bool) (string, error) {
	b, err := plainfile.Read(path.Join(dir, file))
	if err != nil {
		return "", err
	}
	value := strings.TrimSpace(string(b))
	if value != "" || !below(dir) {
		return value, nil
	}
	if value, err = inherit(path.Dir(dir), file, false); err != nil {
		return "", err
	}
	if !last {
		if err := writeFile(path.Join(dir, "cgroup.clone_children"), "1"); err != nil {
			return "", err
		}
	}
	return value, writeFile(path.Join(dir, file), value)
}

// below tells whether dir is below a hierarchy's root.
func below(dir string) bool {
	return strings.Count(strings.TrimPrefix(dir, root), "/") > 1
}

// createUnified makes a v2 cgroup and hands it all controllers that its parents
// have.
func createUnified(dir string) error {
	rest := strings.Split(strings.Trim(strings.TrimPrefix(dir, root), "/"), "/")
	at := root
	for _, part := range rest {
		b, err := plainfile.Read(path.Join(at, "cgroup.controllers"))
		if err != nil {
			return fmt.Errorf("make the cgroup %s: %w", dir, err)
		}
		for _, c := range strings.Fields(string(b)) {
			// One that cannot be handed down (a parent with processes) is missed
			// only by a limit that needs it, which then names its file.
			_ = writeFile(path.Join(at, "cgroup.subtree_control"), "+"+c)
		}
		at = path.Join(at, part)
		if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("make the cgroup %s: %w", dir, err)
		}
	}
	return nil
}
