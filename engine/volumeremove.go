package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"berth/engine/filter"
	"berth/store/durable"
	"berth/store/remove"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/volume"
)

// volumeHold keeps the volumes of a container that is being made, whose record
// does not name them yet, from being removed.
type volumeHold struct {
	vs    *Volumes
	names []string
	made  []string // those that were not there before
}

// ensure holds the volume of that name, making it if it is not there; an empty
// name is an anonymous volume.
func (h *volumeHold) ensure(name string, req volumeRequest) (volume.Volume, error) {
	h.vs.mu.Lock()
	defer h.vs.mu.Unlock()
	v, isNew, err := h.vs.create(name, req)
	if err != nil {
		return v, err
	}
	h.vs.held[v.Name]++
	h.names = append(h.names, v.Name)
	if isNew {
		h.made = append(h.made, v.Name)
	}
	return v, nil
}

// release ends the hold; the container's record names the volumes by now, or never will.
func (h *volumeHold) release() {
	h.vs.mu.Lock()
	defer h.vs.mu.Unlock()
	for _, name := range h.names {
		if h.vs.held[name]--; h.vs.held[name] == 0 {
			delete(h.vs.held, name)
		}
	}
	h.names = nil
}

// undo releases, and removes what was made unless another container has come to use it.
func (h *volumeHold) undo() error {
	h.release()
	_, err := h.vs.removeFree(h.made...)
	return err
}

// Remove removes a volume that no container mounts. With force a missing one is fine.
func (vs *Volumes) Remove(ctx context.Context, name string, force bool) error {
	if _, err := vs.Inspect(ctx, name); err != nil {
		if force {
			return nil
		}
		return err
	}
	removed, err := vs.removeFree(name)
	if err == nil && len(removed) == 0 {
		return kind(errdefs.ErrConflict, "remove %s: volume is in use - [%s]", name, strings.Join(vs.users()[name], ", "))
	}
	return err
}

// removeFree removes those volumes that no container uses and tells which they were.
func (vs *Volumes) removeFree(names ...string) (removed []string, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	var files []string
	vs.mu.Lock()
	users := vs.users()
	for _, name := range names {
		if _, ok := vs.byID[name]; !ok || len(users[name]) > 0 || vs.held[name] > 0 {
			continue
		}
		dir, derr := vs.forget(name)
		if derr != nil {
			err = errors.Join(err, derr)
			continue
		}
		removed, files = append(removed, name), append(files, dir)
		vs.emit(events.ActionDestroy, name)
	}
	vs.mu.Unlock()
	// The name is free: the files, which may be many, are nobody's.
	for i, dir := range files {
		if derr := remove.All(dir); derr != nil {
			err = errors.Join(err, fmt.Errorf("remove files of volume %s: %w", removed[i], derr))
		}
	}
	return removed, err
}

// removedPrefix begins the name of the directory of a volume on its way out; no
// volume's name begins with a dot.
const removedPrefix = ".removed-"

// forget takes a volume's directory out of the way, then its record. A crash in
// between leaves a record without a directory, which finishRemovals completes:
// a volume never comes back with what another of its name held. mu is held.
func (vs *Volumes) forget(name string) (dir string, err error) {
	dir = vs.dir(removedPrefix + newID())
	if err := durable.Rename(vs.dir(name), dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("remove volume %s: %w", name, err)
	}
	if err := vs.e.volumeRecords.Delete(name); err != nil {
		return "", errors.Join(fmt.Errorf("remove volume %s: %w", name, err), durable.Rename(dir, vs.dir(name)))
	}
	delete(vs.byID, name)
	return dir, nil
}

// finishRemovals completes at Open what a crash interrupted.
func (vs *Volumes) finishRemovals() error {
	entries, err := os.ReadDir(filepath.Join(vs.e.cfg.Root, "volumes"))
	if err != nil {
		return err
	}
	interrupted := false
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), removedPrefix) {
			interrupted = true
		}
	}
	if !interrupted {
		return nil // a record whose directory somebody else removed is not ours to drop
	}
	var gone []string
	err = vs.e.volumeRecords.ForEach(func(name string, _ volume.Volume) error {
		if _, err := os.Lstat(vs.dir(name)); errors.Is(err, os.ErrNotExist) {
			gone = append(gone, name)
		}
		return nil
	})
	for _, name := range gone {
		err = errors.Join(err, vs.e.volumeRecords.Delete(name))
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), removedPrefix) {
			err = errors.Join(err, remove.All(vs.dir(e.Name())))
		}
	}
	return err
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
	for _, v := range vs.snapshot() {
		if _, anonymous := v.Labels[anonymousLabel]; !f.Labels(v.Labels) || !anonymous && !all {
			continue
		}
		// What mount options reach, a share or a disk, is seldom this machine's alone: docker prunes none of them.
		if len(v.Options) > 0 {
			continue
		}
		size := treeSize(ctx, v.Mountpoint)
		removed, err := vs.removeFree(v.Name)
		if err != nil {
			return report, err
		}
		if len(removed) > 0 {
			report.VolumesDeleted = append(report.VolumesDeleted, v.Name)
			report.SpaceReclaimed += uint64(size)
		}
	}
	vs.e.Events.Publish(events.VolumeEventType, events.ActionPrune, "", map[string]string{"reclaimed": fmt.Sprint(report.SpaceReclaimed)})
	return report, ctx.Err()
}
