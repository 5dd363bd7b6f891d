// Package cgroup makes, limits, freezes and removes the cgroups of containers,
// under cgroup v1, v2, and the hybrid of both, which counts as v1.
//
// It writes the files itself, instead of through github.com/opencontainers/cgroups:
// that imports net and D-Bus, which alone would make the runtime start after all
// the engine's packages instead of before them (package early).
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
	"strconv"
	"strings"

	"berth/runtime/caps"
	"berth/runtime/plainfile"
	"berth/runtime/rootfs"
	"github.com/containerd/errdefs"
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

	resources *specs.LinuxResources
	settings  []setting
	unit      *unit // systemd's, if it makes the cgroups
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
	// The process's and not the thread's, for the reason that plainfile.FD has.
	own, err := plainfile.Read("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("find the cgroup hierarchies: %w", err)
	}
	paths, err := find(string(own), cgroupsPath)
	if err != nil {
		return nil, err
	}
	return Load(paths, resources)
}

// Own gives the cgroups of the calling thread.
func Own() (*Manager, error) { return New("./", "", nil) }

// Load gives the cgroups at paths again.
func Load(paths map[string]string, resources *specs.LinuxResources) (*Manager, error) {
	_, unified := paths[""]
	m := &Manager{Paths: paths, Unified: unified, resources: resources}
	if resources == nil {
		return m, nil
	}
	if err := checkDevices(resources); err != nil {
		return nil, err
	}
	var err error
	m.settings, err = settings(resources, unified, unset)
	return m, err
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
		if !Unified() {
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
	// Under another order of its controllers, one of which is a link to it.
	first, _, _ := strings.Cut(name, ",")
	dir = path.Join(root, first)
	if to, err := os.Readlink(dir); err == nil {
		if dir = to; !path.IsAbs(dir) {
			dir = path.Join(root, dir)
		}
	}
	if !isFS(dir, unix.CGROUP_SUPER_MAGIC) {
		return "", os.ErrNotExist
	}
	return dir, nil
}

func place(dir, own, inner string) string {
	if !path.IsAbs(inner) {
		// In a container that sees a part of the hierarchy only, the path of
		// /proc/self/cgroup does not exist and the mount's root is our own.
		if at := path.Join(dir, own); at == dir || exists(at) {
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

// Occupied tells whether a process lives in the cgroups already.
func (m *Manager) Occupied() bool {
	if !exists(m.main()) {
		return false
	}
	pids, err := m.Pids()
	return err == nil && len(pids) > 0
}

// Unified tells whether this machine has cgroup v2 alone.
func Unified() bool { return isFS(root, unix.CGROUP2_SUPER_MAGIC) }

// main is the directory that stands for all of them: every process is in it.
func (m *Manager) main() string {
	if m.Unified {
		return m.Paths[""]
	}
	return m.Paths["devices"]
}

// Limit applies the resources of the spec.
func (m *Manager) Limit() error {
	for _, w := range m.settings {
		if err := m.write(w); err != nil {
			return err
		}
	}
	err := m.limitDevices()
	if (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)) && caps.Rootless() {
		// Only the host's root may. What the user cannot open, the container cannot
		// either, as nobody can make devices in its user namespace.
		return nil
	}
	return err
}

func (m *Manager) limitDevices() error {
	if m.Unified {
		return attachDeviceFilter(m.Paths[""], deviceRules(m.resources))
	}
	return writeDeviceRules(m.Paths["devices"], deviceRules(m.resources))
}

// Limits tells whether the resources of the spec ask for any, devices aside.
func (m *Manager) Limits() bool { return len(m.settings) > 0 }

// Join opens the files to which a process writes "0" to join, by controller. In v2
// that is for those who cannot be born in the directory that Dir opens: in a user
// namespace nobody has the rights for that, while here the rights are the opener's.
func (m *Manager) Join() (map[string]*os.File, error) {
	files := map[string]*os.File{}
	if m.Unified {
		f, err := openFile(path.Join(m.Paths[""], "cgroup.procs"))
		if err != nil {
			return nil, fmt.Errorf("open the cgroup: %w", err)
		}
		files["unified"] = f
		return files, nil
	}
	byDir := map[string]bool{}
	for controller, dir := range m.Paths {
		if byDir[dir] {
			continue
		}
		byDir[dir] = true
		f, err := openFile(path.Join(dir, "tasks"))
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
	return plainfile.Open(m.Paths[""], unix.O_PATH|unix.O_DIRECTORY)
}

// Pids lists the processes in the cgroups and those below them.
func (m *Manager) Pids() ([]int, error) {
	pids, err := processes(m.main())
	if err != nil {
		return nil, fmt.Errorf("list the processes of the cgroup: %w", err)
	}
	return pids, nil
}

func processes(dir string) ([]int, error) {
	b, err := plainfile.Read(path.Join(dir, "cgroup.procs"))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil, nil // removed, before or just now
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.Lines(string(b)) {
		// A process of another pid namespace has the number 0, which would be all
		// of our own process group to kill(2).
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil || st.Nlink == 2 {
		return pids, nil // no directories below
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return pids, nil
	}
	for _, e := range entries {
		if e.IsDir() {
			more, err := processes(path.Join(dir, e.Name()))
			if err != nil {
				return nil, err
			}
			pids = append(pids, more...)
		}
	}
	return pids, nil
}

// OOMKills counts the processes that the kernel killed for their memory.
func (m *Manager) OOMKills() (uint64, error) {
	name := path.Join(m.Paths["memory"], "memory.oom_control")
	if m.Unified {
		name = path.Join(m.Paths[""], "memory.events")
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, fmt.Errorf("count the kills for memory: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strconv.ParseUint(strings.TrimSpace(n), 10, 64)
		}
	}
	return 0, nil
}
