package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"berth/engine/filter"
	"berth/engine/spec"
	"berth/store/durable"
	"berth/store/remove"
	"berth/store/usage"

	"github.com/containerd/errdefs"
	"github.com/moby/locker"
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

	mounting *locker.Locker // by name, see lockMount
}

// dir is a volume's directory; what containers see is _data in it, as in docker.
func (vs *Volumes) dir(name string) string { return filepath.Join(vs.e.cfg.Root, "volumes", name) }

// load reads the records at Open, and finishes what a crash interrupted.
func (vs *Volumes) load() error {
	vs.byID, vs.held = make(map[string]volume.Volume), make(map[string]int)
	if err := errors.Join(vs.finishRemovals(), vs.finishFills()); err != nil {
		return err
	}
	return vs.e.volumeRecords.ForEach(func(name string, v volume.Volume) error {
		v.Mountpoint = filepath.Join(vs.dir(name), "_data")
		vs.byID[name] = v
		return nil
	})
}

// volumeRequest is what a volume is made from.
type volumeRequest struct {
	driver          string // "" is local
	options, labels map[string]string
}

// Create makes a volume, or returns the one of that name; "" makes one up.
func (vs *Volumes) Create(_ context.Context, req volume.CreateRequest) (volume.Volume, error) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v, _, err := vs.create(req.Name, volumeRequest{driver: req.Driver, options: req.DriverOpts, labels: req.Labels})
	return v, err
}

// check refuses what cannot become a volume, in docker's words.
func (r volumeRequest) check(name string) error {
	bad := func(format string, args ...any) error {
		return kind(errdefs.ErrInvalidArgument, "create %s: %s", name, fmt.Sprintf(format, args...))
	}
	if r.driver != "" && r.driver != localDriver {
		return kind(errdefs.ErrNotFound, "error looking up volume plugin %s: plugin %q not found", r.driver, r.driver)
	}
	if len(name) == 1 {
		return bad("volume name is too short, names should be at least two alphanumeric characters")
	}
	if !spec.ValidName(name) {
		return bad(`%q includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`, name)
	}
	if len(name) > maxVolumeName {
		return bad("volume name is too long, names should be at most %d characters", maxVolumeName)
	}
	if err := checkOptions(r.options); err != nil {
		return bad("%v", err)
	}
	return nil
}

// localDriver is the only driver of volumes.
const localDriver = "local"

// maxVolumeName is the longest name, for it is that of a directory and of others beside it.
const maxVolumeName = 240

// create makes a volume unless it is there. Directory first, then the record:
// a directory without a record is empty and nobody's. mu is held.
func (vs *Volumes) create(name string, req volumeRequest) (v volume.Volume, isNew bool, err error) {
	labels := maps.Clone(req.labels)
	if name == "" {
		name = newID()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[anonymousLabel] = ""
	}
	v, there := vs.byID[name]
	if there && (req.driver == "" || req.driver == v.Driver) {
		return v, false, nil
	}
	if err := req.check(name); err != nil {
		return v, false, err
	}
	v = vs.describe(name, req.options, labels)
	// On disk before its record, whose directory must be there whatever happens.
	err = os.MkdirAll(v.Mountpoint, 0o755)
	for _, dir := range []string{vs.dir(name), filepath.Dir(vs.dir(name))} {
		if err == nil {
			err = durable.SyncDir(dir)
		}
	}
	if err != nil {
		return v, false, fmt.Errorf("make volume %s: %w", name, err)
	}
	if err := vs.e.volumeRecords.Put(name, v); err != nil {
		return v, false, errors.Join(fmt.Errorf("record volume %s: %w", name, err), remove.All(vs.dir(name)))
	}
	vs.add(v)
	return v, true, nil
}

// describe is a volume that is made now.
func (vs *Volumes) describe(name string, options, labels map[string]string) volume.Volume {
	return volume.Volume{
		Name: name, Driver: localDriver, Scope: "local", Labels: labels, Options: maps.Clone(options),
		Mountpoint: filepath.Join(vs.dir(name), "_data"),
		CreatedAt:  time.Now().Format(time.RFC3339),
	}
}

// add makes a volume known that is on disk. mu is held.
func (vs *Volumes) add(v volume.Volume) {
	vs.byID[v.Name] = v
	vs.emit(events.ActionCreate, v.Name)
}

// get returns a volume by its name.
func (vs *Volumes) get(name string) (volume.Volume, bool) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v, ok := vs.byID[name]
	return v, ok
}

// emit publishes an event of a volume.
func (vs *Volumes) emit(action events.Action, name string) {
	vs.e.Events.Publish(events.VolumeEventType, action, name, map[string]string{"driver": localDriver})
}

// users are the IDs of the containers that mount each volume.
func (vs *Volumes) users() map[string][]string {
	users := make(map[string][]string)
	for _, c := range vs.e.Containers.all() {
		rec := c.snapshot()
		for _, m := range rec.Mounts {
			if m.Name != "" && !slices.Contains(users[m.Name], rec.ID) {
				users[m.Name] = append(users[m.Name], rec.ID)
			}
		}
	}
	return users
}

// Inspect returns a volume by its name.
func (vs *Volumes) Inspect(_ context.Context, name string) (volume.Volume, error) {
	v, ok := vs.get(name)
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

// treeSize sums the sizes of the files below dir, in bytes, each once though it have
// several names; what cannot be read does not count.
func treeSize(ctx context.Context, dir string) int64 {
	u, _ := usage.Of(ctx, dir)
	return u.Content
}
