package engine

import (
	"context"
	"errors"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"berth/engine/spec"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"golang.org/x/sys/unix"
)

// mountSet is what is mounted in a container that is being made.
type mountSet struct {
	cs       *Containers
	rec      *record
	byDest   map[string]spec.Mount
	explicit map[string]bool
	request  map[string]mount.Mount // the entry of HostConfig.Mounts for a destination
}

// resolveMounts turns -v, --mount, --volumes-from and the image's VOLUMEs into
// the record's mount points, and makes the volumes. A later and more explicit
// one wins a destination, as in docker. The volumes are held, on an error too.
func (cs *Containers) resolveMounts(ctx context.Context, rec *record, shallow bool, hold *volumeHold) error {
	s := mountSet{cs: cs, rec: rec, byDest: map[string]spec.Mount{}, explicit: map[string]bool{}, request: map[string]mount.Mount{}}
	hc := rec.HostConfig
	for _, from := range hc.VolumesFrom {
		if err := s.from(from); err != nil {
			return err
		}
	}
	for _, bind := range hc.Binds {
		m, err := spec.ParseBind(bind, hc.VolumeDriver)
		if err != nil {
			return err
		}
		m.ReadOnlyNonRecursive = shallow && m.Type == mount.TypeBind && !m.RW
		_, hidden := hc.Tmpfs[m.Destination]
		if err := s.add(m, hidden); err != nil {
			return err
		}
	}
	for _, asked := range hc.Mounts {
		m, err := spec.ParseMount(asked)
		if err != nil {
			return err
		}
		if m.Type == mount.TypeBind && !m.CreateSource {
			if _, err := os.Stat(m.Source); errors.Is(err, os.ErrNotExist) {
				return spec.MountError(m.Type, errors.New("bind source path does not exist: "+asked.Source))
			} else if err != nil {
				return spec.MountError(m.Type, err)
			}
		}
		if err := s.add(m, false); err != nil {
			return err
		}
		s.request[m.Destination] = asked
	}
	// The image's volumes, and `-v /path`, where nothing else is mounted.
	for dest := range rec.Config.Volumes {
		dest = path.Clean(dest)
		_, taken := s.byDest[dest]
		if _, hidden := hc.Tmpfs[dest]; !taken && !hidden {
			s.byDest[dest] = spec.Mount{MountPoint: container.MountPoint{
				Type: mount.TypeVolume, Driver: hc.VolumeDriver, Destination: dest, RW: true,
			}}
		}
	}
	return s.settle(ctx, hold)
}

// add takes an explicit mount; two at one place are a mistake of the client.
func (s *mountSet) add(m spec.Mount, taken bool) error {
	if s.explicit[m.Destination] || taken {
		return kind(errdefs.ErrInvalidArgument, "Duplicate mount point: %s", m.Destination)
	}
	if err := s.propagate(&m); err != nil {
		return err
	}
	s.explicit[m.Destination], s.byDest[m.Destination] = true, m
	return nil
}

// propagate settles how the mounts below a bind's source and the container's reach
// each other. A source that shows the engine's own mounts must not hold them: what
// the engine unmounts has to go there, too.
func (s *mountSet) propagate(m *spec.Mount) error {
	if m.Type != mount.TypeBind {
		return nil
	}
	root := s.cs.e.cfg.Root
	near := strings.HasPrefix(m.Source, root) || strings.HasPrefix(root, m.Source)
	switch {
	case m.Propagation == "" && near:
		m.Propagation = mount.PropagationRSlave
	case m.Propagation == "":
		m.Propagation = mount.PropagationRPrivate
	case near && m.Propagation != mount.PropagationRSlave && m.Propagation != mount.PropagationRShared:
		return kind(errdefs.ErrInvalidArgument, `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: %q, bind mount source: %q, propagation: %q`,
			root, m.Source, m.Propagation)
	}
	return nil
}

// from takes the mounts of another container ("name[:MODE,…]").
func (s *mountSet) from(from string) error {
	ref, readOnly, err := spec.ParseVolumesFrom(from)
	if err != nil {
		return kind(errdefs.ErrInvalidArgument, "%v", err)
	}
	c, err := s.cs.get(ref)
	if err != nil {
		// Not of kind NotFound: clients take that for the image's.
		return kind(errdefs.ErrInvalidArgument, "%v", err)
	}
	rec := c.snapshot()
	for i := range rec.Mounts {
		m := rec.mount(i)
		m.RW = m.RW && !readOnly // what is read-only there cannot become writable here
		m.Mode, m.NoCopy = "", true
		s.byDest[m.Destination] = m
	}
	return nil
}

// settle makes what is mounted, in the order of the paths, so that a container
// always has its mounts in the same order.
func (s *mountSet) settle(ctx context.Context, hold *volumeHold) error {
	s.rec.Mounts = nil
	for _, dest := range slices.Sorted(maps.Keys(s.byDest)) {
		m := s.byDest[dest]
		switch m.Type {
		case mount.TypeVolume:
			// Also one of --volumes-from: the other container may be removed meanwhile.
			v, err := hold.ensure(m.Name, s.volumeRequest(m))
			if err != nil {
				return err
			}
			m.Name, m.Source, m.Driver = v.Name, v.Mountpoint, v.Driver
			if s.explicit[dest] && m.Mode == "" {
				m.Mode = "z" // as docker shows it
			}
		case mount.TypeImage:
			if err := s.cs.holdImage(ctx, s.rec.ID, len(s.rec.Mounts), &m); err != nil {
				return err
			}
		}
		s.rec.Mounts = append(s.rec.Mounts, m.MountPoint)
		if m.MountOptions != (spec.MountOptions{}) {
			if s.rec.MountOptions == nil {
				s.rec.MountOptions = map[string]spec.MountOptions{}
			}
			s.rec.MountOptions[dest] = m.MountOptions
		}
	}
	return nil
}

// volumeRequest is what a volume is made from that is not there yet.
func (s *mountSet) volumeRequest(m spec.Mount) volumeRequest {
	req := volumeRequest{driver: m.Driver}
	if o := s.request[m.Destination].VolumeOptions; o != nil {
		req.labels = o.Labels
		if o.DriverConfig != nil {
			req.options = o.DriverConfig.Options
		}
	}
	return req
}

// makeSources makes the host directories that are missing and wanted, as docker
// does when a container starts.
func makeSources(rec *record) error {
	for i := range rec.Mounts {
		m := rec.mount(i)
		if m.Type != mount.TypeBind || !m.CreateSource {
			continue
		}
		// A file, a socket, a device may be mounted, too.
		if err := os.MkdirAll(m.Source, 0o755); err != nil && !errors.Is(err, unix.ENOTDIR) {
			return kind(errdefs.ErrInternal, "error while creating mount source path '%s': %v", m.Source, err)
		}
	}
	return nil
}
