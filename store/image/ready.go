package image

import (
	"context"
	"fmt"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"berth/store/meta"
	"berth/store/snapshot"
)

// A layer that was committed here is a blob at first. What needs its files
// comes through dirs, which unpacks it, once for all who ask.

// dirs are the directories of a layer, by its chain ID.
func (s *Store) dirs(ctx context.Context, chainID digest.Digest) (snapshot.Dirs, error) {
	dirs, err := s.snapshots.Dirs(ctx, chainID.String())
	if !errdefs.IsNotFound(err) {
		return dirs, err
	}
	lease := s.gc.Lease()
	defer lease.Release()
	r, err := s.withLayer(chainID)
	if err == nil {
		_, err = s.unpackAll(ctx, &r)
	}
	if err != nil {
		return snapshot.Dirs{}, err
	}
	return s.snapshots.Dirs(ctx, chainID.String())
}

// withLayer returns the record of an image with a layer, without those above.
func (s *Store) withLayer(chainID digest.Digest) (found record, err error) {
	err = s.images.ForEach(func(_ string, r record) error {
		if i := slices.Index(r.chain(), chainID); i >= 0 {
			found = r.upTo(i + 1)
		}
		return nil
	})
	if err == nil && found.Layers == nil {
		err = fmt.Errorf("no image has a layer %s: %w", chainID, errdefs.ErrNotFound)
	}
	return found, err
}

// upTo is the record of an image that ends below layer n.
func (r *record) upTo(n int) record {
	below := *r
	below.Layers, below.DiffIDs = r.Layers[:n], r.DiffIDs[:n]
	return below
}

// top is the chain ID of the topmost layer, "" if there is none.
func (r *record) top() string {
	if len(r.DiffIDs) == 0 {
		return ""
	}
	chain := r.chain()
	return chain[len(chain)-1].String()
}

// putWritten stores the record of the topmost layer of an image, which is not
// unpacked, unless it is known from elsewhere.
func (s *Store) putWritten(tx *meta.Tx, r *record, written *layerRecord) error {
	_, err := s.layers.In(tx).Get(r.top())
	if written == nil || !errdefs.IsNotFound(err) {
		return nil
	}
	return s.layers.In(tx).Put(r.top(), *written)
}

// forgetLayer removes the record of a layer that is not unpacked, unless an
// image has it, and reports whether there was one.
func (s *Store) forgetLayer(ctx context.Context, name string) (gone bool, _ error) {
	unlock, err := s.unpacking.lock(ctx, name)
	if err != nil {
		return false, err
	}
	defer unlock()
	if _, err := s.snapshots.Stat(ctx, name); err == nil {
		return false, nil // it is back already
	}
	err = s.db.Update(func(tx *meta.Tx) error {
		if _, err := s.layers.In(tx).Get(name); errdefs.IsNotFound(err) {
			return nil
		}
		wanted := false
		err := s.images.In(tx).ForEach(func(_ string, r record) error {
			wanted = wanted || slices.Contains(r.chain(), digest.Digest(name))
			return nil
		})
		if err != nil || wanted {
			return err
		}
		gone = true
		return s.layers.In(tx).Delete(name)
	})
	return gone && err == nil, err
}
