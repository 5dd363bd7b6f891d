package engine

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"berth/engine/spec"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// resolveMounts turns -v, --mount, --volumes-from and the image's VOLUMEs into
// mount points with host paths, making volumes and, for -v, missing host
// directories. A later and more explicit one wins a destination, as in docker.
// The volumes are held, on an error too.
func (cs *Containers) resolveMounts(rec *record, hold *volumeHold) (points []container.MountPoint, err error) {
	hc := rec.HostConfig
	byDest := make(map[string]container.MountPoint)
	for _, from := range hc.VolumesFrom {
		if err := cs.volumesFrom(from, byDest); err != nil {
			return nil, err
		}
	}
	explicit := make(map[string]bool)
	// Two explicit mounts at one place are a mistake of the client.
	put := func(m container.MountPoint) error {
		if explicit[m.Destination] {
			return kind(errdefs.ErrInvalidArgument, "Duplicate mount point: %s", m.Destination)
		}
		explicit[m.Destination] = true
		byDest[m.Destination] = m
		return nil
	}
	// -v: a host directory that is missing is made, as docker does; --mount refuses it.
	for _, bind := range hc.Binds {
		m, err := spec.ParseBind(bind)
		if err != nil {
			return nil, err
		}
		if m.Type == mount.TypeBind {
			if err := os.MkdirAll(m.Source, 0o755); err != nil && !isFile(m.Source) {
				return nil, kind(errdefs.ErrInvalidArgument, "error while creating mount source path '%s': %v", m.Source, err)
			}
		}
		if err := put(m); err != nil {
			return nil, err
		}
	}
	for _, m := range hc.Mounts {
		point, ok, err := mountPoint(m)
		if err != nil {
			return nil, err
		}
		if ok {
			if err := put(point); err != nil {
				return nil, err
			}
		}
	}
	// The image's volumes, and `-v /path`, where nothing else is mounted.
	for dest := range rec.Config.Volumes {
		if dest = path.Clean(dest); !explicit[dest] && hc.Tmpfs[dest] == "" {
			if _, ok := byDest[dest]; !ok {
				byDest[dest] = container.MountPoint{Type: mount.TypeVolume, Driver: "local", Destination: dest, RW: true}
			}
		}
	}
	// In the order of their paths, so that a container always has its mounts in the same order.
	for _, dest := range slices.Sorted(maps.Keys(byDest)) {
		m := byDest[dest]
		// Also one of --volumes-from: the other container may be removed meanwhile.
		if m.Type == mount.TypeVolume {
			v, err := hold.ensure(m.Name, volumeLabels(hc, dest))
			if err != nil {
				return nil, err
			}
			m.Name, m.Source = v.Name, v.Mountpoint
		}
		points = append(points, m)
	}
	return points, nil
}

// volumeLabels are what a volume gets that is made for an entry of HostConfig.Mounts.
func volumeLabels(hc *container.HostConfig, dest string) map[string]string {
	for _, m := range hc.Mounts {
		if m.VolumeOptions != nil && path.Clean(m.Target) == dest {
			return m.VolumeOptions.Labels
		}
	}
	return nil
}

// isFile tells that a bind's source is there and no directory: a file, a socket, a device.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// mountPoint converts an entry of HostConfig.Mounts; tmpfs ones are the spec's (ok is false).
func mountPoint(m mount.Mount) (point container.MountPoint, ok bool, err error) {
	bad := func(why string) (container.MountPoint, bool, error) {
		return point, false, kind(errdefs.ErrInvalidArgument, "invalid mount config for type %q: %s", m.Type, why)
	}
	if !path.IsAbs(m.Target) || path.Clean(m.Target) == "/" {
		return bad(fmt.Sprintf("invalid mount path: '%s' mount path must be absolute", m.Target))
	}
	point = container.MountPoint{Type: m.Type, Destination: path.Clean(m.Target), RW: !m.ReadOnly}
	switch m.Type {
	case mount.TypeTmpfs:
		return point, false, nil
	case mount.TypeBind:
		if !filepath.IsAbs(m.Source) {
			return bad("invalid mount path: '" + m.Source + "' mount path must be absolute")
		}
		point.Source, point.Propagation = filepath.Clean(m.Source), mount.PropagationRPrivate
		if o := m.BindOptions; o != nil {
			if o.Propagation != "" {
				point.Propagation = o.Propagation
			}
			var modes []string
			if o.NonRecursive {
				modes = append(modes, "bind-nonrecursive")
			}
			if o.ReadOnlyNonRecursive && m.ReadOnly {
				modes = append(modes, "readonly-nonrecursive")
			}
			point.Mode = strings.Join(modes, ",")
			if o.CreateMountpoint {
				if err := os.MkdirAll(point.Source, 0o755); err != nil && !isFile(point.Source) {
					return bad(err.Error())
				}
			}
		}
		if _, err := os.Stat(point.Source); err != nil {
			return bad("bind source path does not exist: " + m.Source)
		}
	case mount.TypeVolume:
		point.Driver, point.Name, point.Mode = "local", m.Source, "z"
		if o := m.VolumeOptions; o != nil {
			if o.DriverConfig != nil && o.DriverConfig.Name != "" && o.DriverConfig.Name != "local" {
				return bad("no volume driver named " + o.DriverConfig.Name)
			}
			if o.DriverConfig != nil && len(o.DriverConfig.Options) > 0 {
				return bad("options of the local volume driver cannot be used with this engine yet")
			}
			if o.Subpath != "" {
				return bad("a subpath cannot be used with this engine yet")
			}
		}
		if m.Source != "" && !spec.ValidName(m.Source) {
			return bad("invalid volume name " + m.Source)
		}
	default:
		return bad("mount type unknown")
	}
	return point, true, nil
}

// volumesFrom adds the mounts of another container ("name[:MODE,…]").
func (cs *Containers) volumesFrom(from string, byDest map[string]container.MountPoint) error {
	if from == "" {
		return kind(errdefs.ErrInvalidArgument, "volumes-from specification cannot be an empty string")
	}
	ref, mode, given := strings.Cut(from, ":")
	if given && !validFromMode(mode) {
		return kind(errdefs.ErrInvalidArgument, "invalid mode: %s", mode)
	}
	c, err := cs.get(ref)
	if err != nil {
		return kind(errdefs.ErrInvalidArgument, "%v", err)
	}
	readOnly := slices.Contains(strings.Split(mode, ","), "ro")
	for _, m := range c.snapshot().Mounts {
		m.RW = m.RW && !readOnly // what is read-only there cannot become writable here
		byDest[m.Destination] = m
	}
	return nil
}

// validFromMode tells that a mode has at most one word of each kind that docker
// knows for --volumes-from; propagation and copying are the other container's.
func validFromMode(mode string) bool {
	left := []string{"ro rw", "z Z", "consistent cached delegated default"}
	for word := range strings.SplitSeq(mode, ",") {
		at := slices.IndexFunc(left, func(words string) bool { return slices.Contains(strings.Fields(words), word) })
		if at < 0 && !(word == "" && mode == "") {
			return false
		}
		if at >= 0 {
			left[at] = ""
		}
	}
	return true
}
