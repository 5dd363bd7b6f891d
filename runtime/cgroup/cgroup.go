// Package cgroup makes, limits, freezes and removes the cgroups of containers,
// under cgroup v1, v2, and the hybrid of both, which counts as v1.
//
// The files are written by github.com/opencontainers/cgroups, except where its
// way is slow or heavy for a program that has a millisecond to start in: finding
// the hierarchies (one read of /proc/self/cgroup here) and the device rules.
//
// Nobody is ever moved into a container's cgroup from outside: init writes
// itself in (v1), which takes no global lock in the kernel, or is born there
// (v2, CLONE_INTO_CGROUP). So a thread of the runtime is never charged to the
// container, nor killed for its memory.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sort"
	"strings"

	"berth/runtime/rootfs"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// root is where every distribution mounts the hierarchies.
const root = "/sys/fs/cgroup"

// Manager is one container's cgroups. Paths holds the directories by controller
// (v1) or under "" (v2); it is what has to be saved to find them again.
type Manager struct {
	Paths   map[string]string
	Unified bool

	impl      cgroups.Manager
	resources *specs.LinuxResources
}

// New gives the cgroups of a container at cgroupsPath (linux.cgroupsPath): an
// absolute path starts at the root of the hierarchies, a relative one, or the ID
// if it is empty, at the runtime's own cgroup. Nothing is made yet.
func New(cgroupsPath, id string, resources *specs.LinuxResources) (*Manager, error) {
	if cgroupsPath == "" {
		cgroupsPath = id
	}
	if strings.ContainsRune(cgroupsPath, 0) {
		return nil, fmt.Errorf("linux.cgroupsPath %q holds a NUL byte: %w", cgroupsPath, errdefs.ErrInvalidArgument)
	}
	own, err := os.ReadFile("/proc/thread-self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("find the cgroup hierarchies: %w", err)
	}
	paths, err := find(string(own), cgroupsPath)
	if err != nil {
		return nil, err
	}
	return Load(paths, resources)
}

// Load gives the cgroups at paths again.
func Load(paths map[string]string, resources *specs.LinuxResources) (*Manager, error) {
	_, unified := paths[""]
	m := &Manager{Paths: paths, Unified: unified, resources: resources}
	converted, err := convert(resources, unified)
	if err != nil {
		return nil, err
	}
	config := &cgroups.Cgroup{Resources: converted}
	if unified {
		m.impl, err = fs2.NewManager(config, paths[""])
	} else {
		m.impl, err = fs.NewManager(config, paths)
	}
	if err != nil {
		return nil, fmt.Errorf("linux.resources: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return m, nil
}

// find turns /proc/self/cgroup into the container's directory in every mounted
// hierarchy. Lines are "ID:controller,controller:path"; v2 is "0::path".
func find(own, inner string) (map[string]string, error) {
	paths := map[string]string{}
	var v2 string
	for line := range strings.Lines(own) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, at, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		if controllers == "" {
			v2 = at
			continue
		}
		dir, err := mountPoint(controllers)
		if err != nil {
			continue // a hierarchy that is not mounted cannot be used
		}
		for c := range strings.SplitSeq(controllers, ",") {
			paths[c] = place(dir, at, inner)
		}
	}
	if len(paths) == 0 {
		if !isFS(root, unix.CGROUP2_SUPER_MAGIC) {
			return nil, fmt.Errorf("no cgroup hierarchy is mounted at %s: %w", root, errdefs.ErrFailedPrecondition)
		}
		return map[string]string{"": place(root, v2, inner)}, nil
	}
	if paths["devices"] == "" {
		return nil, fmt.Errorf("the devices cgroup, which keeps containers from the host's devices, is not mounted: %w", errdefs.ErrFailedPrecondition)
	}
	return paths, nil
}

// mountPoint finds the directory of a v1 hierarchy.
func mountPoint(controllers string) (string, error) {
	name := strings.TrimPrefix(controllers, "name=")
	dir := path.Join(root, name)
	if isFS(dir, unix.CGROUP_SUPER_MAGIC) {
		return dir, nil
	}
	// Mounted under another order of its controllers, or elsewhere.
	first, _, _ := strings.Cut(controllers, ",")
	dir, err := cgroups.FindCgroupMountpoint("", first)
	if err != nil {
		return "", err
	}
	return dir, nil
}

func place(dir, own, inner string) string {
	if !path.IsAbs(inner) {
		// In a container that sees a part of the hierarchy only, the path of
		// /proc/self/cgroup does not exist and the mount's root is our own.
		if at := path.Join(dir, own); exists(at) {
			dir = at
		}
		inner = "/" + inner
	}
	return path.Join(dir, path.Clean(inner))
}

func exists(name string) bool {
	return unix.Access(name, unix.F_OK) == nil
}

func isFS(name string, magic int64) bool {
	var st unix.Statfs_t
	return unix.Statfs(name, &st) == nil && int64(st.Type) == magic
}

// Create makes the directories. Whether one of them was there before is told by
// Exists.
func (m *Manager) Create() error {
	if err := m.impl.Apply(-1); err != nil {
		return fmt.Errorf("make the cgroups: %w", err)
	}
	return nil
}

// Occupied tells whether a process lives in the cgroups already.
func (m *Manager) Occupied() bool {
	if !exists(m.main()) {
		return false
	}
	pids, err := m.impl.GetAllPids()
	return err == nil && len(pids) > 0
}

// main is the directory that stands for all of them: every process is in it.
func (m *Manager) main() string {
	if m.Unified {
		return m.Paths[""]
	}
	return m.Paths["devices"]
}

// Limit applies the resources of the spec.
func (m *Manager) Limit() error {
	if err := m.impl.Set(m.configured()); err != nil {
		return fmt.Errorf("linux.resources: %w", err)
	}
	if m.Unified {
		return attachDeviceFilter(m.Paths[""], deviceRules(m.resources))
	}
	return writeDeviceRules(m.Paths["devices"], deviceRules(m.resources))
}

func (m *Manager) configured() *cgroups.Resources {
	c, err := m.impl.GetCgroups()
	if err != nil {
		return nil
	}
	return c.Resources
}

// Join opens the files to which a process writes "0" to join, by controller.
// They are for v1; in v2 a process is born in the directory that Dir opens.
func (m *Manager) Join() (map[string]*os.File, error) {
	files := map[string]*os.File{}
	if m.Unified {
		return files, nil
	}
	byDir := map[string]bool{}
	for controller, dir := range m.Paths {
		if byDir[dir] {
			continue
		}
		byDir[dir] = true
		f, err := os.OpenFile(path.Join(dir, "tasks"), os.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			return nil, fmt.Errorf("open the %s cgroup: %w", controller, err)
		}
		files[controller] = f
	}
	return files, nil
}

// Hierarchies lists the container's directories by hierarchy, for mounting them.
func (m *Manager) Hierarchies() []rootfs.Hierarchy {
	if m.Unified {
		return []rootfs.Hierarchy{{Path: m.Paths[""]}}
	}
	byDir := map[string]*rootfs.Hierarchy{}
	for controller, dir := range m.Paths {
		h := byDir[dir]
		if h == nil {
			name, _, _ := strings.Cut(strings.TrimPrefix(dir, root+"/"), "/")
			h = &rootfs.Hierarchy{Name: name, Path: dir}
			byDir[dir] = h
		}
		h.Controllers = append(h.Controllers, controller)
	}
	var list []rootfs.Hierarchy
	for _, h := range byDir {
		sort.Strings(h.Controllers)
		list = append(list, *h)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// Dir opens the directory of v2.
func (m *Manager) Dir() (*os.File, error) {
	return os.OpenFile(m.Paths[""], unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// Pids lists the processes in the cgroups and those below them.
func (m *Manager) Pids() ([]int, error) {
	pids, err := m.impl.GetAllPids()
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the processes of the cgroup: %w", err)
	}
	return pids, nil
}

// Freeze stops all processes, or lets them go on.
func (m *Manager) Freeze(frozen bool) error {
	state := cgroups.Thawed
	if frozen {
		state = cgroups.Frozen
	}
	if err := m.impl.Freeze(state); err != nil {
		return fmt.Errorf("set the freezer to %s: %w", state, err)
	}
	return nil
}

// Frozen tells whether the processes are frozen.
func (m *Manager) Frozen() bool {
	if !exists(m.main()) {
		return false
	}
	state, err := m.impl.GetFreezerState()
	return err == nil && state == cgroups.Frozen
}

// OOMKills counts the processes that the kernel killed for their memory.
func (m *Manager) OOMKills() (uint64, error) { return m.impl.OOMKillCount() }

// Stats reads the counters of all controllers.
func (m *Manager) Stats() (*cgroups.Stats, error) { return m.impl.GetStats() }
