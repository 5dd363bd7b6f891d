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
// mu guards the maps and is held over making and removing a volume; it is taken
// before the locks of Containers, for what uses a volume is looked up under it.
type Volumes struct {
	e    *Engine
	mu   sync.Mutex
	byID map[string]volume.Volume
	held map[string]int // by containers that are being made, see volumeHold
}

// dir is a volume's directory; what containers see is _data in it, as in docker.
func (vs *Volumes) dir(name string) string { return filepath.Join(vs.e.cfg.Root, "volumes", name) }

// load reads the records at Open, and finishes the removals that a crash interrupted.
func (vs *Volumes) load() error {
	vs.byID, vs.held = make(map[string]volume.Volume), make(map[string]int)
	if err := vs.finishRemovals(); err != nil {
		return err
	}
	return vs.e.volumeRecords.ForEach(func(name string, v volume.Volume) error {
		v.Mountpoint = filepath.Join(vs.dir(name), "_data")
		vs.byID[name] = v
		return nil
	})
}

// Create makes a volume, or returns the one of that name; "" makes one up.
func (vs *Volumes) Create(_ context.Context, req volume.CreateRequest) (volume.Volume, error) {
	if req.Driver != "" && req.Driver != "local" {
		return volume.Volume{}, kind(errdefs.ErrNotFound, "error looking up volume plugin %s: plugin %q not found", req.Driver, req.Driver)
	}
	if len(req.DriverOpts) > 0 {
		return volume.Volume{}, fmt.Errorf("options of the local volume driver cannot be used with this engine yet: %w", errdefs.ErrNotImplemented)
	}
	if req.Name != "" && !spec.ValidName(req.Name) {
		return volume.Volume{}, kind(errdefs.ErrInvalidArgument, "create %s: %q includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path", req.Name, req.Name)
	}
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v, _, err := vs.create(req.Name, req.Labels)
	return v, err
}

// create makes a volume unless it is there. Directory first, then the record:
// a directory without a record is empty and nobody's. mu is held.
func (vs *Volumes) create(name string, labels map[string]string) (v volume.Volume, isNew bool, err error) {
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
