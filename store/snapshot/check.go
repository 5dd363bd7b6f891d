package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"berth/store/meta"
	"berth/store/remove"
)

// Strays returns the directories among the snapshots that no record is of.
// With removeThem they are removed.
func (o *Overlay) Strays(removeThem bool) ([]string, error) {
	o.mu.Lock() // directories are made and recorded under it
	defer o.mu.Unlock()
	known := make(map[string]bool)
	for _, r := range o.all {
		known[r.Dir] = true
	}
	for dir := range o.leaving {
		known[dir] = true
	}
	entries, err := os.ReadDir(filepath.Join(o.root, "snapshots"))
	if err != nil {
		return nil, err
	}
	var strays []string
	for _, e := range entries {
		if known[e.Name()] {
			continue
		}
		path := filepath.Join(o.root, "snapshots", e.Name())
		strays = append(strays, path)
		if removeThem {
			err = errors.Join(err, remove.All(path))
		}
	}
	return strays, err
}

// Replace gives the committed snapshot name the files of the active snapshot
// key, which ends. The old files stay until the next Open: containers may
// still be running on them.
func (o *Overlay) Replace(_ context.Context, name, key string) error {
	o.mu.RLock()
	with, err := o.get(key)
	o.mu.RUnlock()
	if err != nil {
		return err
	}
	if err := o.disk.sync(o.since(with)); err != nil {
		return fmt.Errorf("replace snapshot %q: %w", name, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	old, err := o.get(name)
	if err == nil {
		with, err = o.get(key)
	}
	if err != nil {
		return err
	}
	if old.Kind != snapshots.KindCommitted || with.Kind != snapshots.KindActive {
		return fmt.Errorf("replace snapshot %q by %q: %w", name, key, errdefs.ErrFailedPrecondition)
	}
	r := *old
	r.Dir, r.Usage = with.Dir, nil
	err = o.records.Change(func(tx meta.TxBucket[record]) error {
		if err := tx.Delete(key); err != nil {
			return err
		}
		return tx.Put(name, r)
	})
	if err != nil {
		return fmt.Errorf("replace snapshot %q: %w", name, err)
	}
	delete(o.all, key)
	delete(o.begun, with.Dir)
	o.all[name] = &r
	o.leaving[old.Dir] = true
	return nil
}
