package spec

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// Mount is a mount point with what docker's API does not show of it.
type Mount struct {
	container.MountPoint
	MountOptions
}

// MountOptions say how a mount point is mounted.
type MountOptions struct {
	NonRecursive           bool   `json:",omitempty"` // without what is mounted below a bind's source
	ReadOnlyNonRecursive   bool   `json:",omitempty"` // what is mounted below a read-only mount stays writable
	ReadOnlyForceRecursive bool   `json:",omitempty"` // and where the kernel cannot do otherwise, it is an error
	CreateSource           bool   `json:",omitempty"` // of a bind, a directory, when the container starts
	NoCopy                 bool   `json:",omitempty"` // nothing of the image goes into a new volume
	Subpath                string `json:",omitempty"` // what of the volume or the image is mounted
	Tmpfs                  string `json:",omitempty"` // options of a tmpfs, joined with commas
	Image                  string `json:",omitempty"` // ID of what an image mount shows
}

// ParseMount reads an entry of HostConfig.Mounts, and refuses what docker does.
// Whether a bind's source exists is not its question, nor how it propagates if
// that is left open.
func ParseMount(m mount.Mount) (Mount, error) {
	out := Mount{MountPoint: container.MountPoint{Type: m.Type, Destination: path.Clean(m.Target), RW: !m.ReadOnly}}
	if err := checkMount(m); err != nil {
		return out, MountError(m.Type, err)
	}
	switch m.Type {
	case mount.TypeBind:
		out.Source = path.Clean(m.Source)
		if o := m.BindOptions; o != nil {
			out.Propagation = o.Propagation
			out.NonRecursive, out.CreateSource = o.NonRecursive, o.CreateMountpoint
			out.ReadOnlyNonRecursive, out.ReadOnlyForceRecursive = o.ReadOnlyNonRecursive, o.ReadOnlyForceRecursive
		}
	case mount.TypeVolume:
		out.Name, out.Driver = m.Source, "local"
		if o := m.VolumeOptions; o != nil {
			out.NoCopy, out.Subpath = o.NoCopy, o.Subpath
			if o.DriverConfig != nil && o.DriverConfig.Name != "" {
				out.Driver = o.DriverConfig.Name
			}
		}
	case mount.TypeImage:
		out.Source = m.Source
		if o := m.ImageOptions; o != nil {
			out.Subpath = o.Subpath
		}
	case mount.TypeTmpfs:
		out.Tmpfs, _ = tmpfsOptions(m)
	}
	return out, nil
}

// MountError says in docker's words what is wrong with an entry of HostConfig.Mounts.
func MountError(t mount.Type, err error) error {
	return fmt.Errorf("invalid mount config for type %q: %w%w", t, err, invalid)
}

// The fields of an entry that belong to one type alone.
type typedOptions struct {
	name  string
	given bool
	of    mount.Type
}

func checkMount(m mount.Mount) error {
	if m.Target == "" {
		return errors.New("field Target must not be empty")
	}
	if err := CheckDestination(m.Target); err != nil {
		return err
	}
	switch m.Type {
	case mount.TypeBind, mount.TypeVolume, mount.TypeTmpfs, mount.TypeImage:
	default:
		return errors.New("mount type unknown")
	}
	if m.Source == "" && (m.Type == mount.TypeBind || m.Type == mount.TypeImage) {
		return errors.New("field Source must not be empty")
	}
	if o := m.BindOptions; m.Type == mount.TypeBind && o != nil {
		if o.Propagation != "" && !slices.Contains(mount.Propagations, o.Propagation) {
			return fmt.Errorf("invalid propagation mode: %s", o.Propagation)
		}
		if o.ReadOnlyNonRecursive && o.ReadOnlyForceRecursive {
			return errors.New("mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive")
		}
	}
	for _, o := range []typedOptions{
		{"BindOptions", m.BindOptions != nil, mount.TypeBind},
		{"VolumeOptions", m.VolumeOptions != nil, mount.TypeVolume},
		{"ImageOptions", m.ImageOptions != nil, mount.TypeImage},
	} {
		// docker lets volume options of a tmpfs pass.
		if o.given && m.Type != o.of && !(m.Type == mount.TypeTmpfs && o.of == mount.TypeVolume) {
			return fmt.Errorf("field %s must not be specified", o.name)
		}
	}
	switch m.Type {
	case mount.TypeBind:
		return checkAbsolute(m.Source)
	case mount.TypeVolume:
		if m.VolumeOptions != nil && m.VolumeOptions.Subpath != "" {
			if m.Source == "" {
				return errors.New("must not set Subpath when using anonymous volumes")
			}
			if !filepath.IsLocal(m.VolumeOptions.Subpath) {
				return errors.New("subpath must be a relative path within the volume")
			}
		}
		if m.ReadOnly && m.Source == "" {
			return errors.New("must not set ReadOnly mode when using anonymous volumes")
		}
	case mount.TypeImage:
		if m.ImageOptions != nil && m.ImageOptions.Subpath != "" && !filepath.IsLocal(m.ImageOptions.Subpath) {
			return errors.New("subpath must be a relative path within the volume")
		}
	case mount.TypeTmpfs:
		if m.Source != "" {
			return errors.New("field Source must not be specified")
		}
		_, err := tmpfsOptions(m)
		return err
	}
	return nil
}

// CheckDestination refuses a place in a container where nothing can be mounted.
func CheckDestination(dest string) error {
	// Over the root itself nothing can be mounted: there would be nothing left to run.
	if path.Clean(strings.ReplaceAll(dest, `\`, "/")) == "/" {
		return errors.New("invalid specification: destination can't be '/'")
	}
	return checkAbsolute(dest)
}

func checkAbsolute(p string) error {
	if !path.IsAbs(p) {
		return fmt.Errorf("invalid mount path: '%s' mount path must be absolute", p)
	}
	return nil
}

// tmpfsOptions are those of --mount type=tmpfs as mount options.
func tmpfsOptions(m mount.Mount) (string, error) {
	var opts []string
	if m.ReadOnly {
		opts = append(opts, "ro")
	}
	if o := m.TmpfsOptions; o != nil {
		if o.Mode != 0 {
			opts = append(opts, fmt.Sprintf("mode=%o", uint32(o.Mode)&uint32(os.ModePerm|0o7000)))
		}
		if o.SizeBytes != 0 {
			opts = append(opts, "size="+strconv.FormatInt(o.SizeBytes, 10))
		}
		for _, kv := range o.Options {
			if len(kv) < 1 || len(kv) > 2 {
				return "", errors.New("invalid option array length")
			}
			if kv[0] != "exec" && kv[0] != "noexec" {
				return "", errors.New("invalid option: " + kv[0])
			}
			opts = append(opts, strings.Join(kv, "="))
		}
	}
	return strings.Join(opts, ","), nil
}
