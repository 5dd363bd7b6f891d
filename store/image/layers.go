package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"berth/store/diff"
)

// Index opens the index of one layer by its chain ID; a layer that has none, or
// one that an earlier version wrote, gets it now. Close it after use.
func (s *Store) Index(ctx context.Context, chainID digest.Digest) (*diff.Index, error) {
	dirs, err := s.dirs(ctx, chainID)
	if err != nil {
		return nil, fmt.Errorf("index of layer %s: %w", chainID, err)
	}
	x, err := diff.OpenIndex(dirs.Index)
	if !errdefs.IsNotFound(err) {
		return x, err
	}
	unlock, err := s.unpacking.lock(ctx, chainID.String())
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Whoever had the lock before may have made it.
	if x, err := diff.OpenIndex(dirs.Index); !errdefs.IsNotFound(err) {
		return x, err
	}
	if err := diff.BuildIndex(ctx, dirs.Upper, dirs.Index); err != nil {
		return nil, err
	}
	return diff.OpenIndex(dirs.Index)
}

// Indexes are the open indexes of an image's layers up to one, lowest first,
// as diff.Merge takes them.
type Indexes []*diff.Index

// Close closes all of them.
func (x Indexes) Close() error {
	var err error
	for _, one := range x {
		if cerr := one.Close(); err == nil {
			err = cerr
		}
	}
	return err
}

// Chain opens the indexes of a snapshot's layers by its name, also of one whose
// image is gone; none for "".
func (s *Store) Chain(ctx context.Context, name string) (Indexes, error) {
	return s.chain(ctx, name, s.Index)
}

func (s *Store) chain(ctx context.Context, name string, open func(context.Context, digest.Digest) (*diff.Index, error)) (all Indexes, err error) {
	for name != "" {
		x, err := open(ctx, digest.Digest(name))
		if err != nil {
			all.Close()
			return nil, err
		}
		all = append(all, x)
		info, err := s.snapshots.Stat(ctx, name)
		if err != nil {
			all.Close()
			return nil, err
		}
		name = info.Parent
	}
	slices.Reverse(all)
	return all, nil
}

// countStaged computes the statistics of a layer that was unpacked as the
// snapshot key, so that whoever looks at the image need not wait for them. It
// makes no index for that: where one is missing they are computed when asked
// for.
func (s *Store) countStaged(ctx context.Context, parent digest.Digest, key string) *diff.Stats {
	existing := func(ctx context.Context, chainID digest.Digest) (*diff.Index, error) {
		dirs, err := s.snapshots.Dirs(ctx, chainID.String())
		if err != nil {
			return nil, err
		}
		return diff.OpenIndex(dirs.Index)
	}
	own, err := existing(ctx, digest.Digest(key))
	if err != nil {
		return nil
	}
	defer own.Close()
	below, err := s.chain(ctx, parent.String(), existing)
	if err != nil {
		return nil
	}
	defer below.Close()
	stats, err := diff.LayerStats(append(slices.Clone(below), own))
	if err != nil {
		return nil
	}
	return &stats
}

// Indexes opens the indexes of the layers 0 to layer of an image, none for -1.
func (s *Store) Indexes(ctx context.Context, img Image, layer int) (Indexes, error) {
	if layer < -1 || layer >= len(img.Layers) {
		return nil, noLayer(img, layer)
	}
	var all Indexes
	for _, l := range img.Layers[:layer+1] {
		x, err := s.Index(ctx, l.ChainID)
		if err != nil {
			all.Close()
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

// Tree opens the file system that the layers 0 to layer of an image make, an
// empty one for -1. Close it after use.
func (s *Store) Tree(ctx context.Context, img Image, layer int) (*diff.Tree, error) {
	indexes, err := s.Indexes(ctx, img, layer)
	if err != nil {
		return nil, err
	}
	t := &diff.Tree{Indexes: indexes}
	if layer < 0 {
		return t, nil
	}
	dirs, err := s.dirs(ctx, img.Layers[layer].ChainID)
	if err != nil {
		t.Close()
		return nil, err
	}
	t.Dirs = append([]string{dirs.Upper}, dirs.Lower...)
	return t, nil
}

// LayerTree opens what one layer holds, by its chain ID, as a file system by
// itself. Close it after use.
func (s *Store) LayerTree(ctx context.Context, chainID digest.Digest) (*diff.Tree, error) {
	dirs, err := s.dirs(ctx, chainID)
	if err != nil {
		return nil, err
	}
	x, err := s.Index(ctx, chainID)
	if err != nil {
		return nil, err
	}
	return &diff.Tree{Indexes: []*diff.Index{x}, Dirs: []string{dirs.Upper}}, nil
}

// LayerTar writes a layer as the tar whose digest is its diff ID, from the
// blob it came in.
func (s *Store) LayerTar(ctx context.Context, w io.Writer, l Layer) (err error) {
	ra, err := s.content.ReaderAt(ctx, l.Descriptor)
	if err != nil {
		return fmt.Errorf("open the blob of layer %s: %w", l.DiffID, err)
	}
	defer ra.Close()
	r, _, err := diff.Decompress(contextReader{ctx, io.NewSectionReader(ra, 0, ra.Size())})
	if err != nil {
		return fmt.Errorf("layer %s: %w", l.DiffID, err)
	}
	defer r.Close()
	if _, err := io.CopyBuffer(w, r, make([]byte, 256<<10)); err != nil {
		return fmt.Errorf("write layer %s: %w", l.DiffID, err)
	}
	return nil
}

func noLayer(img Image, layer int) error {
	return fmt.Errorf("image %s has %d layers, none is %d: %w", img.ID, len(img.Layers), layer, errdefs.ErrNotFound)
}

// LayerStats tells what a layer of an image added, modified and deleted, and
// what it hides of the layers below. It is computed from the indexes once and
// remembered.
func (s *Store) LayerStats(ctx context.Context, img Image, layer int) (diff.Stats, error) {
	if layer < 0 || layer >= len(img.Layers) {
		return diff.Stats{}, noLayer(img, layer)
	}
	key := img.Layers[layer].ChainID.String()
	if rec, err := s.layers.Get(key); err == nil && rec.Stats != nil {
		return *rec.Stats, nil
	}
	indexes, err := s.Indexes(ctx, img, layer)
	if err != nil {
		return diff.Stats{}, err
	}
	defer indexes.Close()
	stats, err := diff.LayerStats(indexes)
	if err != nil {
		return diff.Stats{}, fmt.Errorf("statistics of layer %s: %w", key, err)
	}
	unlock, err := s.unpacking.lock(ctx, key)
	if err != nil {
		return diff.Stats{}, err
	}
	defer unlock()
	rec, err := s.layers.Get(key)
	if errdefs.IsNotFound(err) {
		return stats, nil // removed meanwhile
	}
	if err == nil {
		rec.Stats = &stats
		err = s.layers.Put(key, rec)
	}
	return stats, err
}

// OpenFile opens a regular file as the image has it at a layer: from that
// layer, or from the ones below that it does not hide. No link is followed.
func (s *Store) OpenFile(ctx context.Context, img Image, layer int, path string) (*os.File, error) {
	if layer < 0 || layer >= len(img.Layers) {
		return nil, noLayer(img, layer)
	}
	dirs, err := s.dirs(ctx, img.Layers[layer].ChainID)
	if err != nil {
		return nil, err
	}
	return diff.OpenFile(append([]string{dirs.Upper}, dirs.Lower...), path)
}
