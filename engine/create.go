package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"berth/engine/spec"
	"berth/store/meta"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// Create makes a container: its writable layer, its volumes and its record.
// Nothing of it is left on an error. A missing image is of kind NotFound
// ("No such image: …": the CLI pulls then), a taken name a Conflict.
func (cs *Containers) Create(ctx context.Context, opts CreateOptions) (_ container.CreateResponse, err error) {
	resp := container.CreateResponse{Warnings: []string{}}
	// Everything that can be refused is, before anything is made.
	cfg, hc, warnings, err := cs.checkConfig(opts)
	if err != nil {
		return resp, err
	}
	resp.Warnings = append(resp.Warnings, warnings...)
	if err := cs.checkNamespaces(hc); err != nil {
		return resp, err
	}
	networking, err := endpointConfigs(hc.NetworkMode, opts.NetworkingConfig, cs.networkName)
	if err != nil {
		return resp, err
	}
	img, err := cs.e.image(ctx, cfg.Image, opts.Platform)
	if err != nil {
		return resp, err
	}
	spec.Merge(cfg, img.config, img.health)
	if hc.CgroupnsMode.IsEmpty() {
		hc.CgroupnsMode = container.CgroupnsModeHost
		if cs.e.cgroups.unified && !hc.Privileged {
			hc.CgroupnsMode = container.CgroupnsModePrivate
		}
	}
	if hc.OomKillDisable == nil && !cs.e.cgroups.unified {
		hc.OomKillDisable = new(bool)
	}
	rec := record{ID: newID(), Created: time.Now().UTC(), ImageID: img.id, Config: cfg, HostConfig: hc, Networking: networking}
	if rec.Path, rec.Args = spec.Command(cfg); len(cfg.Entrypoint)+len(cfg.Cmd) == 0 {
		return resp, kind(errdefs.ErrInvalidArgument, "no command specified")
	}
	if cfg.Hostname == "" {
		cfg.Hostname = cs.defaultHostname(hc, rec.ID)
	}
	// The name is taken in memory before the slow part, so that of two clients who want it
	// one fails at once; on disk it is a part of the record.
	if rec.Name, err = cs.reserve(opts.Name, rec.ID); err != nil {
		return resp, err
	}
	defer func() {
		if err != nil {
			cs.release(rec.Name, rec.ID)
		}
	}()
	// It is started next, mostly: its shim comes up meanwhile.
	go cs.e.self.Prepare()
	hold := volumeHold{vs: cs.e.Volumes}
	defer hold.release()
	if err := cs.make(ctx, &rec, img, opts.ShallowReadOnly, &hold); err != nil {
		return resp, err
	}
	// From here on it exists: a crash leaves a whole container.
	c := &ctr{id: rec.ID, rec: rec, waiters: make(map[*waiter]struct{})}
	cs.mu.Lock()
	cs.byID[rec.ID] = c
	cs.rememberLinks(rec)
	cs.mu.Unlock()
	cs.emit(rec, events.ActionCreate)
	resp.ID = rec.ID
	return resp, nil
}

// make makes what a container has on disk, at last its writable layer and its
// record, which appear together. A crash before that leaves a directory that
// Open takes away, since no record names it.
func (cs *Containers) make(ctx context.Context, rec *record, img baseImage, shallow bool, hold *volumeHold) (err error) {
	if err := os.Mkdir(cs.dir(rec.ID), 0o710); err != nil {
		return fmt.Errorf("make directory of container %s: %w", rec.ID, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, hold.undo(), os.RemoveAll(cs.dir(rec.ID)))
		}
	}()
	chain, err := img.unpack(ctx)
	if err != nil {
		return fmt.Errorf("unpack image %s: %w", rec.imageName(), err)
	}
	// Before the volumes go again, if they do.
	defer func() {
		if err != nil {
			err = errors.Join(err, cs.dropImages(ctx, rec))
		}
	}()
	if err := cs.resolveMounts(ctx, rec, shallow, hold); err != nil {
		return err
	}
	if err := cs.fillVolumes(ctx, rec, chain); err != nil {
		return err
	}
	// The snapshot holds its parents: an image that is removed from now on leaves its layers here.
	err = cs.e.snapshots.PrepareWith(ctx, snapshotKey(rec.ID), chain, func(tx *meta.Tx) error {
		return cs.e.records.In(tx).Put(rec.ID, *rec)
	})
	if err != nil {
		return fmt.Errorf("make the writable layer of container %s: %w", rec.ID, err)
	}
	// The container exists by now, and does without the mark if it has to.
	if err := cs.mark(ctx, rec.ID); err != nil {
		cs.e.log.Warn("marking a container as one", "id", rec.ID, "err", err)
	}
	if err := cs.makeWorkingDir(ctx, rec); err != nil {
		return errors.Join(err, cs.e.records.Delete(rec.ID), cs.e.snapshots.Remove(ctx, snapshotKey(rec.ID)))
	}
	return nil
}

// markFile is by which programs know that they run in a container of docker's kind.
const markFile = ".dockerenv"

// mark makes the mark in a writable layer that nothing has written to yet.
func (cs *Containers) mark(ctx context.Context, id string) error {
	dirs, err := cs.e.snapshots.Dirs(ctx, snapshotKey(id))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dirs.Upper, markFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, os.ErrExist) { // the image's, where layers are copied
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// reserve takes a name for a container, a made-up one if it is empty.
func (cs *Containers) reserve(name, id string) (string, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if name == "" {
		for try := 0; ; try++ {
			name = randomName(try)
			if _, taken := cs.names[name]; !taken {
				break
			}
		}
	} else if name[0] == '/' {
		name = name[1:]
	}
	if !spec.ValidName(name) {
		return "", kind(errdefs.ErrInvalidArgument, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name)
	}
	if owner, taken := cs.names[name]; taken {
		return "", kind(errdefs.ErrConflict, "Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", "/"+name, owner)
	}
	cs.names[name] = id
	return name, nil
}

// release gives a name back, if it is still the container's.
func (cs *Containers) release(name, id string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.names[name] == id {
		delete(cs.names, name)
	}
}

// defaultHostname is docker's: the short ID, or the host's name where the
// container shares its network or UTS namespace.
func (cs *Containers) defaultHostname(hc *container.HostConfig, id string) string {
	if hc.UTSMode.IsHost() || hc.NetworkMode.IsHost() {
		if name, err := os.Hostname(); err == nil {
			return name
		}
	}
	return id[:12]
}
