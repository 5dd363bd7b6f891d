package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"berth/engine/filter"
	"berth/engine/spec"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/volume"
)

// anonymousLabel marks a volume that nobody named, as in docker.
const anonymousLabel = "com.docker.volume.anonymous"

// Volumes are the local volumes: directories under Root/volumes.
// A volume belongs to the containers whose mounts name it; only their removal
// with RemoveOptions.Volumes takes anonymous ones along.
//
// mu guards the map and is held over making and removing a volume.
type Volumes struct {
	e    *Engine
	mu   sync.Mutex
	byID map[string]volume.Volume
}

// dir is a volume's directory; what containers see is _data in it, as in docker.
func (vs *Volumes) dir(name string) string { return filepath.Join(vs.e.cfg.Root, "volumes", name) }

// load reads the records at Open.
func (vs *Volumes) load() error {
	vs.byID = make(map[string]volume.Volume)
	return vs.e.volumeRecords.ForEach(func(name string, v volume.Volume) error {
		v.Mountpoint = filepath.Join(vs.dir(name), "_data")
		vs.byID[name] = v
		return nil
	})
}

// Create makes a volume, or returns the one of that name; "" makes one up.
func (vs *Volumes) Create(ctx context.Context, req volume.CreateRequest) (volume.Volume, error) {
	if req.Driver != "" && req.Driver != "local" {
		return volume.Volume{}, kind(errdefs.ErrNotFound, "error looking up volume plugin %s: plugin %q not found", req.Driver, req.Driver)
	}
	if len(req.DriverOpts) > 0 {
		return volume.Volume{}, fmt.Errorf("options of the local volume driver cannot be used with this engine yet: %w", errdefs.ErrNotImplemented)
	}
	if req.Name != "" && !spec.ValidName(req.Name) {
		return volume.Volume{}, kind(errdefs.ErrInvalidArgument, "create %s: %q includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path", req.Name, req.Name)
	}
	v, _, err := vs.create(ctx, req.Name, req.Labels)
	return v, err
}

// ensure is Create for a container's mount; an empty name is an anonymous volume.
func (vs *Volumes) ensure(ctx context.Context, name string, labels map[string]string) (volume.Volume, bool, error) {
	return vs.create(ctx, name, labels)
}

// create makes a volume unless it is there. Directory first, then the record:
// a directory without a record is empty and nobody's.
func (vs *Volumes) create(_ context.Context, name string, labels map[string]string) (v volume.Volume, isNew bool, err error) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if v, ok := vs.byID[name]; ok {
		return v, false, nil
	}
	labels = maps.Clone(labels)
	if labels == nil {
		labels = map[string]string{}
	}
	if name == "" {
		name = newID()
		labels[anonymousLabel] = ""
	}
	v = volume.Volume{
		Name: name, Driver: "local", Scope: "local", Labels: labels,
		Mountpoint: filepath.Join(vs.dir(name), "_data"),
		CreatedAt:  time.Now().UTC().Format(time.RFC3339),
	}
	if err := os.MkdirAll(v.Mountpoint, 0o755); err != nil {
		return v, false, fmt.Errorf("make volume %s: %w", name, err)
	}
	if err := vs.e.volumeRecords.Put(name, v); err != nil {
		return v, false, errors.Join(fmt.Errorf("record volume %s: %w", name, err), os.RemoveAll(vs.dir(name)))
	}
	vs.byID[name] = v
	vs.emit(events.ActionCreate, name)
	return v, true, nil
}

// emit publishes an event of a volume.
func (vs *Volumes) emit(action events.Action, name string) {
	vs.e.Events.Publish(events.VolumeEventType, action, name, map[string]string{"driver": "local"})
}

// users are the IDs of the containers that mount each volume.
func (vs *Volumes) users() map[string][]string {
	users := make(map[string][]string)
	for _, c := range vs.e.Containers.all() {
		rec := c.snapshot()
		for _, m := range rec.Mounts {
			if m.Name != "" {
				users[m.Name] = append(users[m.Name], rec.ID)
			}
		}
	}
	return users
}

// Inspect returns a volume by its name.
func (vs *Volumes) Inspect(_ context.Context, name string) (volume.Volume, error) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v, ok := vs.byID[name]
	if !ok {
		return v, kind(errdefs.ErrNotFound, "get %s: no such volume", name)
	}
	return v, nil
}

// List returns the volumes that pass the filters (name, label, driver, dangling), by name.
func (vs *Volumes) List(_ context.Context, f filter.Args) ([]volume.Volume, error) {
	if err := f.Validate("name", "label", "label!", "driver", "dangling"); err != nil {
		return nil, err
	}
	dangling, err := f.Bool("dangling", false)
	if err != nil {
		return nil, err
	}
	users := vs.users()
	vs.mu.Lock()
	defer vs.mu.Unlock()
	list := []volume.Volume{}
	for _, name := range slices.Sorted(maps.Keys(vs.byID)) {
		v := vs.byID[name]
		if f.Match("name", name) && f.Labels(v.Labels) && f.Exact("driver", v.Driver) &&
			(!f.Has("dangling") || dangling == (len(users[name]) == 0)) {
			list = append(list, v)
		}
	}
	return list, nil
}

// Remove removes a volume that no container mounts. With force a missing one is fine.
func (vs *Volumes) Remove(ctx context.Context, name string, force bool) error {
	if _, err := vs.Inspect(ctx, name); err != nil {
		if force {
			return nil
		}
		return err
	}
	if ids := vs.users()[name]; len(ids) > 0 {
		return kind(errdefs.ErrConflict, "remove %s: volume is in use - %v", name, ids)
	}
	return vs.removeAll([]string{name})
}

// removeAll removes volumes whatever uses them: the record first, since a
// directory without one is nobody's.
func (vs *Volumes) removeAll(names []string) error {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	var all error
	for _, name := range names {
		if err := vs.e.volumeRecords.Delete(name); err != nil {
			all = errors.Join(all, fmt.Errorf("remove volume %s: %w", name, err))
			continue
		}
		delete(vs.byID, name)
		if err := os.RemoveAll(vs.dir(name)); err != nil {
			all = errors.Join(all, fmt.Errorf("remove files of volume %s: %w", name, err))
		}
		vs.emit(events.ActionDestroy, name)
	}
	return all
}

// Prune removes the volumes that no container mounts: the anonymous ones, or
// with the filter all=true any.
func (vs *Volumes) Prune(ctx context.Context, f filter.Args) (volume.PruneReport, error) {
	report := volume.PruneReport{VolumesDeleted: []string{}}
	if err := f.Validate("label", "label!", "all"); err != nil {
		return report, err
	}
	all, err := f.Bool("all", false)
	if err != nil {
		return report, err
	}
	users := vs.users()
	for _, v := range vs.snapshot() {
		_, anonymous := v.Labels[anonymousLabel]
		if len(users[v.Name]) > 0 || !f.Labels(v.Labels) || !anonymous && !all {
			continue
		}
		size := treeSize(v.Mountpoint)
		if err := vs.removeAll([]string{v.Name}); err != nil {
			return report, err
		}
		report.VolumesDeleted = append(report.VolumesDeleted, v.Name)
		report.SpaceReclaimed += size
	}
	vs.e.Events.Publish(events.VolumeEventType, events.ActionPrune, "", map[string]string{"reclaimed": fmt.Sprint(report.SpaceReclaimed)})
	return report, ctx.Err()
}

// snapshot lists the volumes there are now, in any order.
func (vs *Volumes) snapshot() []volume.Volume {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	return slices.Collect(maps.Values(vs.byID))
}

// treeSize sums the sizes of the regular files below dir, in bytes; what
// vanishes meanwhile does not count.
func treeSize(dir string) (total uint64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				total += uint64(info.Size())
			}
		}
		return nil
	})
	return total
}
