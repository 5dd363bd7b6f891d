package runflags

import (
	"encoding/csv"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// storage reads --volume, --mount and --tmpfs.
func (f *Flags) storage(c *container.Config, h *container.HostConfig) error {
	for _, s := range f.volume {
		bind, anonymous, err := parseVolume(s)
		if err != nil {
			return err
		}
		if anonymous != "" {
			if c.Volumes == nil {
				c.Volumes = map[string]struct{}{}
			}
			c.Volumes[anonymous] = struct{}{}
			continue
		}
		h.Binds = append(h.Binds, bind)
	}
	for _, s := range f.mount {
		m, err := parseMount(s)
		if err != nil {
			return err
		}
		h.Mounts = append(h.Mounts, m)
	}
	for _, s := range f.tmpfs {
		target, options, _ := strings.Cut(s, ":")
		if !path.IsAbs(target) {
			return fmt.Errorf("--tmpfs %s: the path inside the container must be absolute", s)
		}
		if h.Tmpfs == nil {
			h.Tmpfs = map[string]string{}
		}
		h.Tmpfs[target] = options
	}
	return nil
}

// parseVolume reads SOURCE:TARGET[:OPTIONS] or a lone TARGET (an anonymous
// volume). A relative source that looks like a path is made absolute, since
// the engine has another working directory.
func parseVolume(s string) (bind, anonymous string, err error) {
	parts := strings.Split(s, ":")
	if len(parts) > 3 {
		return "", "", fmt.Errorf("--volume %s: must be SOURCE:TARGET[:OPTIONS]", s)
	}
	target := parts[len(parts)-1]
	if len(parts) > 1 {
		target = parts[1]
	}
	if !path.IsAbs(target) {
		return "", "", fmt.Errorf("--volume %s: the path inside the container must be absolute", s)
	}
	if path.Clean(target) == "/" {
		return "", "", fmt.Errorf("--volume %s: cannot be mounted over the root", s)
	}
	if len(parts) == 1 {
		return "", target, nil
	}
	if parts[0] == "" {
		return "", "", fmt.Errorf("--volume %s: the source is empty", s)
	}
	// As docker's client: only what begins with a dot is relative to here. The
	// engine refuses any other name with a slash, since it is no volume's.
	if strings.HasPrefix(parts[0], ".") {
		if parts[0], err = filepath.Abs(parts[0]); err != nil {
			return "", "", fmt.Errorf("--volume %s: %w", s, err)
		}
	}
	return strings.Join(parts, ":"), "", nil
}

// parseMount reads docker's --mount: comma-separated KEY[=VALUE], quoted as CSV.
func parseMount(s string) (mount.Mount, error) {
	m := mount.Mount{Type: mount.TypeVolume}
	fail := func(why string) (mount.Mount, error) { return m, fmt.Errorf("--mount %s: %s", s, why) }
	fields, err := csv.NewReader(strings.NewReader(s)).Read()
	if err != nil {
		return fail(err.Error())
	}
	// The type decides what other keys mean, wherever it stands.
	for _, field := range fields {
		if k, v, _ := strings.Cut(field, "="); strings.EqualFold(k, "type") {
			m.Type = mount.Type(strings.ToLower(v))
		}
	}
	switch m.Type {
	case mount.TypeBind, mount.TypeVolume, mount.TypeTmpfs, mount.TypeImage:
	default:
		return fail("type must be bind, volume, tmpfs or image")
	}
	for _, field := range fields {
		k, v, valued := strings.Cut(field, "=")
		if err := setMount(&m, strings.ToLower(k), v, valued); err != nil {
			return fail(err.Error())
		}
	}
	switch {
	case m.Target == "":
		return fail("dst is missing")
	case m.Type == mount.TypeBind && m.Source == "":
		return fail("src is missing")
	case m.Type == mount.TypeTmpfs && m.Source != "":
		return fail("a tmpfs has no src")
	}
	if o := m.BindOptions; o != nil {
		switch {
		case o.ReadOnlyNonRecursive && !m.ReadOnly:
			return fail("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction")
		case o.ReadOnlyForceRecursive && !m.ReadOnly:
			return fail("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction")
		case o.ReadOnlyForceRecursive && o.Propagation != mount.PropagationRPrivate:
			return fail("option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction")
		}
	}
	return m, nil
}

// setMount sets one key of a --mount.
func setMount(m *mount.Mount, key, value string, valued bool) error {
	truth := func() (bool, error) {
		if !valued {
			return true, nil
		}
		b, err := strconv.ParseBool(value)
		if err != nil {
			return false, fmt.Errorf("%s: %q is neither true nor false", key, value)
		}
		return b, nil
	}
	var err error
	switch key {
	case "type":
	case "source", "src":
		m.Source = value
		if m.Type == mount.TypeBind {
			if m.Source, err = filepath.Abs(value); err != nil {
				return err
			}
		}
	case "target", "dst", "destination":
		m.Target = value
	case "readonly", "ro":
		m.ReadOnly, err = truth()
	case "consistency":
		m.Consistency = mount.Consistency(value)
	default:
		err = setTypedMount(m, key, value, truth)
	}
	return err
}

// setTypedMount sets a key that only one type of mount has.
func setTypedMount(m *mount.Mount, key, value string, truth func() (bool, error)) error {
	wrong := fmt.Errorf("unknown key %q for type %s", key, m.Type)
	var err error
	switch m.Type {
	case mount.TypeBind:
		if m.BindOptions == nil {
			m.BindOptions = &mount.BindOptions{}
		}
		switch key {
		case "bind-propagation":
			m.BindOptions.Propagation = mount.Propagation(strings.ToLower(value))
		case "bind-create-src":
			m.BindOptions.CreateMountpoint, err = truth()
		case "bind-nonrecursive":
			m.BindOptions.NonRecursive, err = truth()
		case "bind-recursive":
			switch value {
			case "enabled":
			case "disabled":
				m.BindOptions.NonRecursive = true
			case "writable":
				m.BindOptions.ReadOnlyNonRecursive = true
			case "readonly":
				m.BindOptions.ReadOnlyForceRecursive = true
			default:
				err = fmt.Errorf("bind-recursive: must be enabled, disabled, writable or readonly")
			}
		default:
			return wrong
		}
	case mount.TypeVolume:
		if m.VolumeOptions == nil {
			m.VolumeOptions = &mount.VolumeOptions{}
		}
		err = setVolumeMount(m.VolumeOptions, key, value, truth, wrong)
	case mount.TypeTmpfs:
		if m.TmpfsOptions == nil {
			m.TmpfsOptions = &mount.TmpfsOptions{}
		}
		switch key {
		case "tmpfs-size":
			m.TmpfsOptions.SizeBytes, err = units.RAMInBytes(value)
		case "tmpfs-mode":
			var mode uint64
			mode, err = strconv.ParseUint(value, 8, 32)
			m.TmpfsOptions.Mode = os.FileMode(mode)
		default:
			return wrong
		}
	case mount.TypeImage:
		if key != "image-subpath" {
			return wrong
		}
		m.ImageOptions = &mount.ImageOptions{Subpath: value}
	}
	return err
}

func setVolumeMount(o *mount.VolumeOptions, key, value string, truth func() (bool, error), wrong error) error {
	pair := func(m *map[string]string) error {
		k, v, _ := strings.Cut(value, "=")
		if k == "" {
			return fmt.Errorf("%s: has no name", key)
		}
		if *m == nil {
			*m = map[string]string{}
		}
		(*m)[k] = v
		return nil
	}
	if o.DriverConfig == nil && (key == "volume-driver" || key == "volume-opt") {
		o.DriverConfig = &mount.Driver{}
	}
	var err error
	switch key {
	case "volume-nocopy":
		o.NoCopy, err = truth()
	case "volume-subpath":
		o.Subpath = value
	case "volume-label":
		err = pair(&o.Labels)
	case "volume-driver":
		o.DriverConfig.Name = value
	case "volume-opt":
		err = pair(&o.DriverConfig.Options)
	default:
		return wrong
	}
	return err
}
