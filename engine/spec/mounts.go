package spec

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"berth/runtime/pid1"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const defaultShmSize = 64 << 20 // bytes, as docker

// defaultMounts are docker's, in the order in which they are mounted.
func defaultMounts(in Input, sec security) []specs.Mount {
	hc := in.HostConfig
	// --shm-size 0 is not "no shared memory" but "the default".
	shm := hc.ShmSize
	if shm <= 0 {
		shm = defaultShmSize
	}
	// /sys shows the host's devices and cgroups: only a privileged container may write there.
	access := "ro"
	if hc.Privileged {
		access = "rw"
	}
	cgroups := "ro"
	if sec.cgroups {
		cgroups = "rw"
	}
	ms := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", access}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{cgroups, "nosuid", "noexec", "nodev"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=" + strconv.FormatInt(shm, 10)}},
	}
	// With the host's IPC namespace its shared memory is the host's too. Message queues are
	// those of the namespace, wherever they are mounted; the host need not have done so.
	bind := func(source, dest string) {
		at := slices.IndexFunc(ms, func(m specs.Mount) bool { return m.Destination == dest })
		ms[at] = specs.Mount{Destination: dest, Type: "bind", Source: source, Options: []string{"rbind", "nosuid", "noexec", "nodev"}}
	}
	if hc.IpcMode.IsHost() {
		bind("/dev/shm", "/dev/shm")
	}
	if in.Shm != "" {
		bind(in.Shm, "/dev/shm")
	}
	if hc.IpcMode.IsNone() {
		ms = slices.DeleteFunc(ms, func(m specs.Mount) bool { return m.Destination == "/dev/shm" })
	}
	return ms
}

// mounts are the defaults, less what the user mounts over, and then the
// user's, parents before children.
func mounts(in Input, sec security) ([]specs.Mount, error) {
	var own []specs.Mount
	for _, v := range in.Volumes {
		m, err := pointMount(v)
		if err != nil {
			return nil, err
		}
		own = append(own, m)
	}
	// A tmpfs of --tmpfs wins over a volume of the image, as in docker.
	for _, dest := range slices.Sorted(maps.Keys(in.HostConfig.Tmpfs)) {
		m, err := tmpfs(dest, in.HostConfig.Tmpfs[dest])
		if err != nil {
			return nil, err
		}
		own = slices.DeleteFunc(own, func(o specs.Mount) bool { return o.Destination == m.Destination })
		own = append(own, m)
	}
	for i, m := range own {
		if err := CheckDestination(m.Destination); err != nil {
			return nil, fmt.Errorf("%w%w", err, invalid)
		}
		if slices.ContainsFunc(own[:i], func(o specs.Mount) bool { return o.Destination == m.Destination }) {
			//lint:ignore ST1005 the words are docker's
			return nil, fmt.Errorf("Duplicate mount point: %s%w", m.Destination, invalid)
		}
	}
	// The engine's files give way to the user's own.
	for _, f := range in.Files {
		if !slices.ContainsFunc(own, func(o specs.Mount) bool { return o.Destination == f.Destination }) {
			own = append(own, specs.Mount{Destination: f.Destination, Type: "bind", Source: f.Source, Options: []string{"rbind", "rprivate"}})
		}
	}
	if hasInit(in.HostConfig) {
		// Read-only, as it is the engine's own executable.
		own = append(own, specs.Mount{Destination: pid1.Path, Type: "bind", Source: in.Init, Options: []string{"bind", "ro", "nosuid", "nodev", "rprivate"}})
	}
	// By depth: /a must be there before /a/b is mounted in it.
	slices.SortStableFunc(own, func(a, b specs.Mount) int {
		return strings.Count(a.Destination, "/") - strings.Count(b.Destination, "/")
	})
	// A user's /dev/shm replaces the default one, and a user's /dev all defaults below it.
	all := slices.DeleteFunc(defaultMounts(in, sec), func(d specs.Mount) bool {
		return slices.ContainsFunc(own, func(o specs.Mount) bool {
			return o.Destination == d.Destination || strings.HasPrefix(d.Destination, "/dev/") && o.Destination == "/dev"
		})
	})
	return append(all, own...), nil
}

// pointMount mounts a mount point: a bind, for volumes and images are host
// directories by now, or a tmpfs.
func pointMount(v Mount) (specs.Mount, error) {
	if v.Type == mount.TypeTmpfs {
		return tmpfs(v.Destination, v.Tmpfs)
	}
	opts := []string{"rbind"}
	if v.NonRecursive {
		opts[0] = "bind"
	}
	switch {
	case v.RW: // unless the source is mounted read-only, which stays so
	case v.ReadOnlyNonRecursive:
		opts = append(opts, "ro")
	default:
		// rro takes the mounts below along (Linux 5.12), ro is for the topmost.
		opts = append(opts, "ro", "rro")
	}
	// docker's default: mounts made later on either side stay there.
	prop := string(v.Propagation)
	if prop == "" {
		prop = "rprivate"
	}
	if !slices.Contains(mount.Propagations, mount.Propagation(prop)) {
		return specs.Mount{}, fmt.Errorf("invalid propagation mode %q of %s: %w", prop, v.Destination, errdefs.ErrInvalidArgument)
	}
	return specs.Mount{Destination: path.Clean(v.Destination), Type: "bind", Source: v.Source, Options: append(opts, prop)}, nil
}

// rootPropagation is what the root must be for the mounts of a user to propagate:
// what is private in the container's namespace takes no mounts on or passes none.
func rootPropagation(volumes []Mount) string {
	prop := ""
	for _, v := range volumes {
		switch v.Propagation {
		case mount.PropagationShared, mount.PropagationRShared:
			return "shared"
		case mount.PropagationSlave, mount.PropagationRSlave:
			prop = "slave"
		}
	}
	return prop
}
