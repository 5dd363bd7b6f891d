package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/filters"
	"github.com/containerd/errdefs"

	"berth/store/meta"
	"berth/store/remove"
	"berth/store/usage"
)

// load reads the records and removes directories that have none. A record
// whose directory is gone is dropped: its children then name what is missing,
// and a layer of an image is unpacked anew under the same name. What a disk does
// not let go of is no reason to start without all the rest.
func (o *Overlay) load(log *slog.Logger) error {
	known := make(map[string]bool)
	err := o.records.ForEach(func(key string, r record) error {
		if _, err := os.Lstat(o.upper(&r)); errors.Is(err, fs.ErrNotExist) {
			return o.records.Delete(key)
		}
		o.all[key] = &r
		if r.Parent != "" {
			o.kids[r.Parent]++
		}
		known[r.Dir] = true
		return nil
	})
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(o.root, "snapshots"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if known[e.Name()] {
			continue
		}
		if err := remove.All(filepath.Join(o.root, "snapshots", e.Name())); err != nil {
			log.Warn("what is left of a snapshot stays", "error", err)
		}
	}
	return nil
}

// Commit turns an active snapshot into a committed one, whose files are on
// disk when it returns. With snapshots.WithParent a snapshot that was
// prepared without a parent gets one, so that layers can be filled in
// parallel and chained afterwards.
func (o *Overlay) Commit(ctx context.Context, name, key string, opts ...snapshots.Opt) (failed error) {
	var info snapshots.Info
	for _, opt := range opts {
		if err := opt(&info); err != nil {
			return err
		}
	}
	o.mu.RLock()
	r, err := o.get(key)
	o.mu.RUnlock()
	if err != nil {
		return err
	}
	// Outside of the lock: this may take long.
	layer := r.Dir
	if !r.Copied.IsZero() {
		var done func()
		if layer, done, err = o.layerOf(ctx, r); err != nil {
			return fmt.Errorf("commit snapshot %q: %w", key, err)
		}
		defer done()
		defer func() { // what is not needed: the copy, or the layer
			left := r.Dir
			if failed != nil {
				left = layer
			}
			// If not now, then at the next Open.
			_ = remove.All(filepath.Join(o.root, "snapshots", left))
		}()
	}
	if err := o.disk.sync(o.since(r)); err != nil {
		return fmt.Errorf("commit snapshot %q: %w", key, err)
	}
	o.hold(name)
	if info.Parent != "" {
		o.hold(info.Parent)
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	if r, err = o.get(key); err != nil {
		return err
	}
	if r.Kind != snapshots.KindActive {
		return fmt.Errorf("commit snapshot %q: it is not active: %w", key, errdefs.ErrFailedPrecondition)
	}
	if o.all[name] != nil {
		return fmt.Errorf("commit snapshot %q: %q: %w", key, name, errdefs.ErrAlreadyExists)
	}
	// Labels are those of the commit; the active snapshot's end with it.
	now := time.Now().UTC()
	c := &record{Dir: layer, Kind: snapshots.KindCommitted, Parent: r.Parent, Labels: maps.Clone(info.Labels), Created: now, Updated: now}
	// Overlay takes any layers as lower ones, so a layer that was filled
	// alone can stand on any parent.
	if info.Parent != "" && info.Parent != r.Parent {
		if r.Parent != "" {
			return fmt.Errorf("commit snapshot %q: it has another parent than %q: %w", key, info.Parent, errdefs.ErrInvalidArgument)
		}
		if _, err := o.parent(info.Parent); err != nil {
			return fmt.Errorf("commit snapshot %q: %w", key, err)
		}
		c.Parent = info.Parent
	}
	err = o.records.Change(func(tx meta.TxBucket[record]) error {
		if err := tx.Delete(key); err != nil {
			return err
		}
		return tx.Put(name, *c)
	})
	if err != nil {
		return fmt.Errorf("commit snapshot %q: %w", key, err)
	}
	delete(o.all, key)
	delete(o.begun, r.Dir)
	o.all[name] = c
	if c.Parent != r.Parent {
		o.kids[c.Parent]++
	}
	return nil
}

// Remove removes a snapshot that has no children, with its files. An overlay
// still mounted on them must not be used any more.
func (o *Overlay) Remove(ctx context.Context, key string) error {
	files, err := o.Forget(ctx, key, nil)
	if err != nil {
		return err
	}
	return files()
}

// Forget removes the record of a snapshot; see Snapshotter.
func (o *Overlay) Forget(_ context.Context, key string, also func(*meta.Tx) error) (files func() error, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r, err := o.get(key)
	if err != nil {
		return nil, err
	}
	if n := o.kids[key]; n > 0 {
		return nil, fmt.Errorf("cannot remove snapshot %q: %d children: %w", key, n, errdefs.ErrFailedPrecondition)
	}
	err = o.db.Update(func(tx *meta.Tx) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return o.records.In(tx).Delete(key)
	})
	if err != nil {
		return nil, fmt.Errorf("remove snapshot %q: %w", key, err)
	}
	delete(o.all, key)
	delete(o.begun, r.Dir)
	if r.Parent != "" {
		if o.kids[r.Parent]--; o.kids[r.Parent] == 0 {
			delete(o.kids, r.Parent)
		}
	}
	o.leaving[r.Dir] = true
	return func() error {
		err := remove.All(o.dir(r))
		if err != nil {
			err = fmt.Errorf("remove files of snapshot %q: %w", key, err)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.leaving, r.Dir) // what stays of it is a stray
		return err
	}, nil
}

// Stat describes a snapshot.
func (o *Overlay) Stat(_ context.Context, key string) (snapshots.Info, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	r, err := o.get(key)
	if err != nil {
		return snapshots.Info{}, err
	}
	return r.info(key), nil
}

// info is the record in containerd's terms.
func (r *record) info(key string) snapshots.Info {
	return snapshots.Info{Kind: r.Kind, Name: key, Parent: r.Parent, Labels: maps.Clone(r.Labels), Created: r.Created, Updated: r.Updated}
}

// Update changes the labels of a snapshot: all of them, or those named by
// field paths ("labels.<key>").
func (o *Overlay) Update(_ context.Context, info snapshots.Info, fieldpaths ...string) (snapshots.Info, error) {
	r, err := o.replace(info.Name, func(r *record) (err error) {
		r.Labels, err = meta.UpdateLabels(r.Labels, info.Labels, fieldpaths)
		r.Updated = time.Now().UTC()
		return err
	})
	if err != nil {
		return snapshots.Info{}, fmt.Errorf("update snapshot: %w", err)
	}
	return r.info(info.Name), nil
}

// replace stores a changed copy of a record.
func (o *Overlay) replace(key string, change func(*record) error) (*record, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old, err := o.get(key)
	if err != nil {
		return nil, err
	}
	r := *old
	if err := change(&r); err != nil {
		return nil, err
	}
	if err := o.records.Put(key, r); err != nil {
		return nil, err
	}
	o.all[key] = &r
	return &r, nil
}

// Walk calls fn for each snapshot that matches one of the filters, or for
// all; fn may change the snapshots.
func (o *Overlay) Walk(ctx context.Context, fn snapshots.WalkFunc, fs ...string) error {
	filter, err := filters.ParseAll(fs...)
	if err != nil {
		return fmt.Errorf("walk snapshots: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	for _, name := range o.names() {
		info, err := o.Stat(ctx, name)
		if errdefs.IsNotFound(err) {
			continue // removed meanwhile
		}
		if err != nil {
			return err
		}
		if !filter.Match(fields(info)) {
			continue
		}
		if err := fn(ctx, info); err != nil {
			return err
		}
	}
	return nil
}

// fields lets filters look at a snapshot.
func fields(info snapshots.Info) filters.Adaptor {
	return filters.AdapterFunc(func(path []string) (string, bool) {
		if len(path) == 0 {
			return "", false
		}
		switch path[0] {
		case "kind":
			return strings.ToLower(info.Kind.String()), true
		case "name":
			return info.Name, true
		case "parent":
			return info.Parent, true
		case "labels":
			v, ok := info.Labels[strings.Join(path[1:], ".")]
			return v, ok
		}
		return "", false
	})
}

// Usage returns what the snapshot's own files take up on disk: allocated
// bytes and inodes, hard links counted once. For a committed snapshot it is
// found out once and remembered.
func (o *Overlay) Usage(ctx context.Context, key string) (snapshots.Usage, error) {
	o.mu.RLock()
	r, err := o.get(key)
	o.mu.RUnlock()
	if err != nil {
		return snapshots.Usage{}, err
	}
	if r.Usage != nil {
		return *r.Usage, nil
	}
	all, err := usage.Of(ctx, o.upper(r))
	if err != nil {
		return snapshots.Usage{}, fmt.Errorf("usage of snapshot %q: %w", key, err)
	}
	u := snapshots.Usage{Size: all.Disk, Inodes: all.Inodes}
	if r.Kind == snapshots.KindCommitted {
		_, err = o.replace(key, func(now *record) error {
			if now.Dir == r.Dir { // the name may mean another snapshot by now
				now.Usage = &u
			}
			return nil
		})
		if err != nil && !errdefs.IsNotFound(err) {
			return snapshots.Usage{}, err
		}
	}
	return u, nil
}
