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
	"github.com/moby/moby/api/types/container"
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
	// With the host's IPC namespace its shared memory and queues are the host's too.
	bind := func(dest string) {
		at := slices.IndexFunc(ms, func(m specs.Mount) bool { return m.Destination == dest })
		ms[at] = specs.Mount{Destination: dest, Type: "bind", Source: dest, Options: []string{"rbind", "nosuid", "noexec", "nodev"}}
	}
	if hc.IpcMode.IsHost() {
		bind("/dev/shm")
		bind("/dev/mqueue")
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
		m, err := volumeMount(v)
		if err != nil {
			return nil, err
		}
		own = append(own, m)
	}
	for _, dest := range slices.Sorted(maps.Keys(in.HostConfig.Tmpfs)) {
		own = append(own, tmpfs(dest, strings.Split(in.HostConfig.Tmpfs[dest], ",")))
	}
	for _, m := range in.HostConfig.Mounts {
		if m.Type == mount.TypeTmpfs {
			own = append(own, tmpfs(m.Target, tmpfsOptions(m)))
		}
	}
	// Over the root itself nothing can be mounted: there would be nothing left to run.
	for i, m := range own {
		if !path.IsAbs(m.Destination) || m.Destination == "/" {
			return nil, fmt.Errorf("invalid mount path: '%s' mount path must be absolute and not the root: %w", m.Destination, errdefs.ErrInvalidArgument)
		}
		if slices.ContainsFunc(own[:i], func(o specs.Mount) bool { return o.Destination == m.Destination }) {
			return nil, fmt.Errorf("duplicate mount point: %s: %w", m.Destination, errdefs.ErrInvalidArgument)
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

// volumeMount is a bind: volumes are host directories by now.
func volumeMount(v container.MountPoint) (specs.Mount, error) {
	modes := strings.Split(v.Mode, ",")
	opts := []string{"rbind"}
	if slices.Contains(modes, "bind-nonrecursive") {
		opts[0] = "bind"
	}
	switch {
	case v.RW:
		opts = append(opts, "rw")
	case slices.Contains(modes, "readonly-nonrecursive"):
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

// tmpfs has docker's safe defaults unless the options say otherwise.
func tmpfs(dest string, options []string) specs.Mount {
	opts := []string{"noexec", "nosuid", "nodev"}
	for _, o := range options {
		if o = strings.TrimSpace(o); o == "" {
			continue
		}
		// "exec" takes "noexec" away, and the other way round.
		opts = slices.DeleteFunc(opts, func(have string) bool { return have == "no"+o || "no"+have == o })
		opts = append(opts, o)
	}
	return specs.Mount{Destination: path.Clean(dest), Type: "tmpfs", Source: "tmpfs", Options: opts}
}

// tmpfsOptions are those of --mount type=tmpfs as mount options.
func tmpfsOptions(m mount.Mount) []string {
	var opts []string
	if m.ReadOnly {
		opts = append(opts, "ro")
	}
	if o := m.TmpfsOptions; o != nil {
		if o.SizeBytes > 0 {
			opts = append(opts, "size="+strconv.FormatInt(o.SizeBytes, 10))
		}
		if o.Mode != 0 {
			opts = append(opts, fmt.Sprintf("mode=%o", o.Mode))
		}
		for _, kv := range o.Options {
			opts = append(opts, strings.Join(kv, "="))
		}
	}
	return opts
}
