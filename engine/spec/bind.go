package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// ParseBind reads an entry of HostConfig.Binds: "destination", "source:destination"
// or "source:destination:options". A source that is not an absolute path is the
// name of a volume; without source the volume is anonymous (Name and Source empty).
func ParseBind(bind string) (container.MountPoint, error) {
	bad := func(why string) (container.MountPoint, error) {
		return container.MountPoint{}, fmt.Errorf("invalid volume specification: '%s': %s: %w", bind, why, errdefs.ErrInvalidArgument)
	}
	parts := strings.Split(bind, ":")
	var m container.MountPoint
	switch len(parts) {
	case 1:
		m.Destination = parts[0]
	case 2:
		m.Source, m.Destination = parts[0], parts[1]
	case 3:
		m.Source, m.Destination, m.Mode = parts[0], parts[1], parts[2]
	default:
		return bad("too many colons")
	}
	if !path.IsAbs(m.Destination) || path.Clean(m.Destination) == "/" {
		return bad("destination must be an absolute path other than '/'")
	}
	if len(parts) > 1 && m.Source == "" {
		return bad("source is empty")
	}
	// Clean, so that "/data" and "/data/" are the same place.
	m.Destination = path.Clean(m.Destination)
	m.Type, m.RW, m.Propagation = mount.TypeBind, true, mount.PropagationRPrivate
	// As docker tells them apart: a path is absolute, a name has no slash.
	if !path.IsAbs(m.Source) {
		m.Type, m.Driver, m.Propagation = mount.TypeVolume, "local", ""
		m.Name, m.Source = m.Source, ""
		if m.Name != "" && !ValidName(m.Name) {
			return bad(fmt.Sprintf("%q includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path", m.Name))
		}
	} else {
		m.Source = path.Clean(m.Source)
	}
	// z and Z label for SELinux, which does nothing elsewhere.
	for _, opt := range strings.Split(m.Mode, ",") {
		switch {
		case opt == "ro":
			m.RW = false
		case opt == "" || opt == "rw" || opt == "z" || opt == "Z" || opt == "nocopy" || opt == "bind-nonrecursive" || opt == "rbind" || opt == "bind":
		case slices.Contains(mount.Propagations, mount.Propagation(opt)):
			m.Propagation = mount.Propagation(opt)
		default:
			return bad(fmt.Sprintf("invalid mode: %s", opt))
		}
	}
	return m, nil
}

// ValidName tells whether s can name a container or a volume: docker's
// [a-zA-Z0-9][a-zA-Z0-9_.-]+.
func ValidName(s string) bool {
	if len(s) < 2 {
		return false
	}
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || r != '_' && r != '.' && r != '-') {
			return false
		}
	}
	return true
}
