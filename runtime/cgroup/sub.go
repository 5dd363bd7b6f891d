package cgroup

import (
	"fmt"
	"maps"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
)

// Sub gives cgroups below the container's, which have to exist. paths holds
// their relative paths by controller, or one for all under "".
func (m *Manager) Sub(paths map[string]string) (*Manager, error) {
	sub := *m
	sub.Paths = maps.Clone(m.Paths)
	for controller, inner := range paths {
		if _, ok := m.Paths[controller]; !ok && controller != "" {
			return nil, fmt.Errorf("the container has no cgroup of the controller %q: %w", controller, errdefs.ErrInvalidArgument)
		}
		for c, dir := range m.Paths {
			if controller != "" && controller != c {
				continue
			}
			at := path.Join(dir, inner)
			if at != dir && !strings.HasPrefix(at, dir+"/") {
				return nil, fmt.Errorf("%s is not a sub cgroup path: %w", inner, errdefs.ErrInvalidArgument)
			}
			sub.Paths[c] = at
		}
	}
	return &sub, nil
}

// Of gives the cgroup in which a further process of the container can be, with
// its process pid: in v2 one that hands controllers on to cgroups below it can
// have no process itself, as when the container runs systemd. It is the process's
// own then.
func (m *Manager) Of(pid int) (*Manager, error) {
	if !m.Unified || m.value("", "cgroup.subtree_control") == "" {
		return m, nil
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, fmt.Errorf("find the cgroup of process %d: %w", pid, err)
	}
	_, at, ok := strings.Cut(strings.TrimSpace(string(b)), "::")
	if at = path.Join(root, at); !ok || !strings.HasPrefix(at, m.Paths[""]+"/") {
		return m, nil
	}
	sub := *m
	sub.Paths = map[string]string{"": at}
	return &sub, nil
}

// Freezer is the cgroup that stops the container when it is frozen.
func (m *Manager) Freezer() string { return m.dir("freezer") }

// Relative gives the cgroups as paths in their hierarchies, CONTROLLER:PATH in
// v1.
func (m *Manager) Relative() (list []string) {
	if m.Unified {
		return []string{strings.TrimPrefix(m.Paths[""], root)}
	}
	for controller, dir := range m.Paths {
		inner := strings.TrimPrefix(dir, root+"/")
		if i := strings.IndexByte(inner, '/'); i >= 0 {
			list = append(list, controller+":"+inner[i:])
		}
	}
	sort.Strings(list)
	return list
}
