package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"berth/store/gc"
	"berth/store/meta"
)

// RemoveOptions tune Remove.
type RemoveOptions struct {
	// Force removes an image by its ID although it has several names.
	Force bool
	// InUse, if set, is asked before an image goes for good; its error keeps
	// the image and its names, and is returned.
	InUse func(id digest.Digest) error
}

// Removed is one step of a removal: a name that was taken away, or the ID of
// an image or chain ID of a layer that was deleted. One of the two is set.
type Removed struct {
	Untagged string
	Deleted  string
}

// Remove takes a name away or, given an ID, an image. An image whose last
// name goes is deleted, with the layers that nothing else uses.
func (s *Store) Remove(ctx context.Context, ref string, opts RemoveOptions) ([]Removed, error) {
	var p removal
	err := s.db.View(func(tx *meta.Tx) (err error) {
		p, err = s.planRemoval(tx, ref, opts.Force)
		return err
	})
	if err != nil {
		return nil, err
	}
	asked := p.whole
	if p.whole && opts.InUse != nil {
		// Outside of any transaction: who answers may need one.
		if err := opts.InUse(p.id); err != nil {
			return nil, err
		}
	}
	// Names may have come and gone since: plan again, and do it.
	err = s.db.Update(func(tx *meta.Tx) (err error) {
		if p, err = s.planRemoval(tx, ref, opts.Force); err != nil {
			return err
		}
		if p.whole && !asked {
			return fmt.Errorf("remove image %s: its other names went meanwhile: %w", ref, errdefs.ErrConflict)
		}
		for _, name := range p.names {
			if err := s.tags.In(tx).Delete(name); err != nil {
				return err
			}
		}
		if p.whole {
			return s.images.In(tx).Delete(p.id.String())
		}
		return nil
	})
	if err != nil || !p.whole {
		return p.steps, err
	}
	removed, err := s.Collect(ctx)
	for _, name := range removed.Snapshots {
		if strings.HasPrefix(name, "sha256:") {
			p.steps = append(p.steps, Removed{Deleted: name})
		}
	}
	return p.steps, err
}

// removal is what a removal takes away.
type removal struct {
	id    digest.Digest
	names []string
	whole bool // the image, not just names
	steps []Removed
}

// planRemoval decides as docker does: a name that is not the last only goes
// itself; an ID takes the image with its name, but not with several unless
// forced.
func (s *Store) planRemoval(tx *meta.Tx, ref string, force bool) (removal, error) {
	id, name, err := s.resolveIn(tx, ref)
	if err != nil {
		return removal{}, err
	}
	names, err := s.namesOf(tx, id)
	if err != nil {
		return removal{}, err
	}
	if name != "" && len(names) > 1 {
		return removal{id: id, names: []string{name}, steps: []Removed{{Untagged: familiar(name)}}}, nil
	}
	if name == "" && len(names) > 1 && !force {
		return removal{}, fmt.Errorf("unable to delete %s (must be forced) - image is referenced in multiple repositories: %w", ref, errdefs.ErrConflict)
	}
	r, err := s.images.In(tx).Get(id.String())
	if err != nil {
		return removal{}, err
	}
	p := removal{id: id, names: names, whole: true}
	for _, n := range names {
		p.steps = append(p.steps, Removed{Untagged: familiar(n)})
	}
	for _, d := range r.RepoDigests {
		p.steps = append(p.steps, Removed{Untagged: d})
	}
	p.steps = append(p.steps, Removed{Deleted: id.String()})
	return p, nil
}

// namesOf lists the canonical names of an image.
func (s *Store) namesOf(tx *meta.Tx, id digest.Digest) ([]string, error) {
	var names []string
	err := s.tags.In(tx).ForEach(func(name string, of digest.Digest) error {
		if of == id {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// Collect removes the blobs and layers that no image, container or lease
// needs.
func (s *Store) Collect(ctx context.Context) (gc.Removed, error) {
	removed, err := s.gc.Collect(ctx, s.content, s.snapshots, s.roots)
	for _, name := range removed.Snapshots {
		err = errors.Join(err, s.forgetLayer(ctx, name))
	}
	for _, dgst := range removed.Blobs {
		s.configs.Delete(dgst)
	}
	return removed, err
}

// forgetLayer removes the record of a layer, unless it is back already.
func (s *Store) forgetLayer(ctx context.Context, name string) error {
	unlock, err := s.unpacking.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := s.snapshots.Stat(ctx, name); err == nil {
		return nil
	}
	return s.layers.Delete(name)
}

// roots is what the images need. The blobs of layers count although they are
// unpacked: save and push send them.
func (s *Store) roots() (gc.Roots, error) {
	r := gc.Roots{Blobs: make(map[digest.Digest]bool), Snapshots: make(map[string]bool)}
	err := s.images.ForEach(func(_ string, rec record) error {
		r.Blobs[rec.Config.Digest] = true
		if rec.Manifest != nil {
			r.Blobs[rec.Manifest.Digest] = true
		}
		for i, chainID := range rec.chain() {
			r.Blobs[rec.Layers[i].Digest] = true
			r.Snapshots[chainID.String()] = true
		}
		return nil
	})
	return r, err
}
