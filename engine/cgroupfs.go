package engine

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"berth/engine/network"
)

// cgroupParent names the parent of all cgroups of an engine after its state
// directory, so that two engines have different ones.
func cgroupParent(stateDir string) string {
	if stateDir == network.DefaultState {
		return "/berth"
	}
	sum := sha256.Sum256([]byte(stateDir))
	return "/berth-" + hex.EncodeToString(sum[:4])
}

// cgroupfs knows where the machine's cgroup hierarchies are mounted.
type cgroupfs struct {
	parent  string            // of this engine's containers, below each hierarchy
	unified bool              // v2 only
	mounts  map[string]string // v1 controller, or "" for v2 → mount point
}

// findCgroups reads the mount table (proc_pid_mountinfo(5)).
func findCgroups(parent string) (cgroupfs, error) {
	c := cgroupfs{parent: parent, mounts: make(map[string]string)}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return c, fmt.Errorf("find cgroups: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		mount, super, ok := strings.Cut(line, " - ")
		if !ok {
			continue
		}
		f, s := strings.Fields(mount), strings.Fields(super)
		if len(f) < 5 || len(s) < 3 || f[3] != "/" && !strings.HasPrefix(s[0], "cgroup") {
			continue
		}
		switch s[0] {
		case "cgroup2":
			c.mounts[""] = f[4]
		case "cgroup":
			for opt := range strings.SplitSeq(s[2], ",") {
				c.mounts[opt] = f[4]
			}
		}
	}
	// In the hybrid layout v2 is mounted beside v1 without controllers; then v1 is what counts.
	_, v1 := c.mounts["memory"]
	_, v1cpu := c.mounts["cpu"]
	c.unified = c.mounts[""] != "" && !v1 && !v1cpu
	return c, nil
}

// dir is a container's cgroup in the hierarchy of a v1 controller, or the one
// there is; "" if the controller is not mounted.
func (c *cgroupfs) dir(controller, path string) string {
	if c.unified {
		controller = ""
	}
	root := c.mounts[controller]
	if root == "" {
		return ""
	}
	return filepath.Join(root, path)
}

// pids lists the processes of a cgroup and of those below it.
func (c *cgroupfs) pids(path string) ([]int, error) {
	// Every v1 hierarchy has the container's cgroup; the first that is mounted will do.
	var top string
	for _, controller := range []string{"pids", "memory", "cpu", "devices"} {
		if top = c.dir(controller, path); top != "" {
			break
		}
	}
	var pids []int
	err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && p != top {
				return nil
			}
			return err
		}
		if d.Name() != "cgroup.procs" {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return nil // gone since
		}
		for f := range bytes.FieldsSeq(b) {
			if pid, err := strconv.Atoi(string(f)); err == nil {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list processes of cgroup %s: %w", path, err)
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// removeParent takes away the engine's own cgroups, which the kernel refuses
// while a container is below them.
func (c *cgroupfs) removeParent() {
	for _, mount := range c.mounts {
		os.Remove(filepath.Join(mount, c.parent))
	}
}

// numbers reads a file with numbers in one line; nil if there is none, or something else in it.
func numbers(dir, name string) []uint64 {
	if dir == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil
	}
	var all []uint64
	for _, word := range strings.Fields(string(b)) {
		n, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return nil
		}
		all = append(all, n)
	}
	return all
}

// number reads a file with one number; "max" and what is missing are 0.
func number(dir, name string) uint64 {
	if dir == "" {
		return 0
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// table reads a file of "key value" lines; what is missing is empty.
func table(dir, name string) map[string]uint64 {
	all := make(map[string]uint64)
	if dir == "" {
		return all
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return all
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			all[key] = n
		}
	}
	return all
}
