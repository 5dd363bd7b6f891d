// Package resctrl puts containers into groups of the resctrl file system: classes
// of cache and memory bandwidth (Intel RDT, AMD PQoS, Arm MPAM; linux.intelRdt of
// the runtime specification), and monitoring groups below them.
package resctrl

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Group is where one container belongs. It is kept in the container's state.
type Group struct {
	Dir     string `json:"dir"`               // the class
	Made    bool   `json:"made,omitempty"`    // it is made by Create
	Own     bool   `json:"own,omitempty"`     // it bears the container's name and goes with it
	Monitor string `json:"monitor,omitempty"` // its monitoring group, if it has one

	schemata []string
}

// Root finds where resctrl is mounted.
func Root() (string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("linux.intelRdt: find the resctrl file system: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		before, after, _ := strings.Cut(line, " - ")
		if f := strings.Fields(before); strings.HasPrefix(after, "resctrl ") && len(f) > 4 {
			return f[4], nil
		}
	}
	return "", fmt.Errorf("linux.intelRdt: no resctrl file system is mounted; mount one (mount -t resctrl resctrl /sys/fs/resctrl) or remove the field: %w", errdefs.ErrNotImplemented)
}

// New plans the group of a container below root and makes nothing yet. A class
// that is there already must be as the spec wants it; one that is not is to be
// made with what the spec has for it (config-linux.md, "Intel RDT").
func New(root, id string, s *specs.LinuxIntelRdt) (*Group, error) {
	g := &Group{Own: s.ClosID == ""}
	for _, line := range append([]string{s.L3CacheSchema, s.MemBwSchema}, s.Schemata...) {
		if line != "" {
			g.schemata = append(g.schemata, strings.TrimSuffix(line, "\n"))
		}
	}
	class := s.ClosID
	switch {
	case class == "":
		class = id
	case class == "/":
		class = ""
	case class == "." || class == ".." || strings.ContainsAny(class, "/\x00\n"):
		return nil, fmt.Errorf("linux.intelRdt.closID: %q is no name of a directory: %w", class, errdefs.ErrInvalidArgument)
	}
	g.Dir = path.Join(root, class)
	if s.EnableMonitoring {
		g.Monitor = path.Join(g.Dir, "mon_groups", id)
	}
	_, err := os.Stat(g.Dir)
	switch {
	case err == nil:
		return g, g.matches()
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("linux.intelRdt: %w", err)
	case s.ClosID != "" && len(g.schemata) == 0:
		return nil, fmt.Errorf("linux.intelRdt.closID: there is no class %s, and nothing to make it of (schemata): %w", s.ClosID, errdefs.ErrNotFound)
	}
	g.Made = true
	return g, nil
}

// matches compares an existing class with the spec.
func (g *Group) matches() error {
	if len(g.schemata) == 0 {
		return nil
	}
	b, err := os.ReadFile(path.Join(g.Dir, "schemata"))
	if err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	have := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		for _, part := range parts(line) {
			have[part] = true
		}
	}
	for line := range strings.Lines(strings.Join(g.schemata, "\n")) {
		for _, part := range parts(line) {
			if !have[part] {
				return fmt.Errorf("linux.intelRdt: class %s exists and does not have %s; use another closID: %w", g.Dir, strings.TrimSpace(line), errdefs.ErrFailedPrecondition)
			}
		}
	}
	return nil
}

// parts splits "L3:0=0ff;1=1" into "L3:0=ff" and "L3:1=1".
func parts(line string) (list []string) {
	resource, values, _ := strings.Cut(strings.TrimSpace(line), ":")
	for value := range strings.SplitSeq(values, ";") {
		domain, mask, _ := strings.Cut(strings.TrimSpace(value), "=")
		list = append(list, resource+":"+strings.TrimSpace(domain)+"="+strings.ToLower(strings.TrimLeft(strings.TrimSpace(mask), "0")))
	}
	return list
}

// Create makes what is missing.
func (g *Group) Create() (err error) {
	if g.Made {
		defer func() {
			if err != nil {
				_ = os.Remove(g.Dir) // nobody uses it yet
			}
		}()
		if err := os.Mkdir(g.Dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("linux.intelRdt: make the class: %w", err)
		}
		if len(g.schemata) > 0 {
			if err := write(path.Join(g.Dir, "schemata"), strings.Join(g.schemata, "\n")+"\n"); err != nil {
				return fmt.Errorf("linux.intelRdt: give the class %q: %w", g.schemata, err)
			}
		}
	}
	if g.Monitor != "" {
		if err := os.Mkdir(g.Monitor, 0o755); err != nil {
			return fmt.Errorf("linux.intelRdt.enableMonitoring: make the group: %w", err)
		}
	}
	return nil
}

// Add puts a process into the group; its children follow.
func (g *Group) Add(pid int) error {
	for _, dir := range []string{g.Dir, g.Monitor} {
		if dir == "" {
			continue
		}
		if err := write(path.Join(dir, "tasks"), strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("linux.intelRdt: add process %d: %w", pid, err)
		}
	}
	return nil
}

// Remove takes away what Create made for this container alone. That it is gone
// already is no error.
func (g *Group) Remove() error {
	dirs := []string{g.Monitor}
	if g.Made && g.Own {
		dirs = append(dirs, g.Dir)
	}
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		// The kernel removes the files of a group with its directory.
		if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the resctrl group: %w", err)
		}
	}
	return nil
}

// write writes a file that must exist in one write(2), as resctrl wants it.
func write(name, content string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Close())
}
