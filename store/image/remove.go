package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	// InUse, if set, is asked before an image goes for good, or loses its last
	// name; its error keeps the image and its names, and is returned. With
	// ErrNamesOnly the image stays without its names.
	InUse func(id digest.Digest) error
	// Parents also removes the images that this one was made of, as far as
	// they have no name, no other image was made of them, and nobody uses them.
	Parents bool

	nameless bool // refuse an image with a name
}

// ErrHasChildren is why an image cannot be removed by its ID that others were
// made of.
var ErrHasChildren = fmt.Errorf("image has dependent child images: %w", errdefs.ErrConflict)

// ErrNamesOnly says that an image has to stay, but not its names.
var ErrNamesOnly = errors.New("the image is used")

// Removed is one step of a removal: a name that was taken away, or the ID of
// an image or chain ID of a layer that was deleted. One of the two is set.
type Removed struct {
	Untagged string
	Deleted  string
}

// Remove takes a name away or, given an ID, an image. The last tag of a
// repository takes the digests with it that the image has from there. An
// image whose last name goes, tag or digest, is deleted, with the layers that
// nothing else uses; but one that others were made of only loses its names.
func (s *Store) Remove(ctx context.Context, ref string, opts RemoveOptions) ([]Removed, error) {
	p, err := s.remove(ref, opts)
	if err != nil || !p.whole {
		return p.steps, err
	}
	steps, chain := [][]Removed{p.steps}, p.chain
	for parent := p.parent; opts.Parents && parent != ""; {
		up, err := s.remove(parent.String(), RemoveOptions{InUse: opts.InUse, nameless: true})
		if err != nil {
			break // it is used, or gone already: what was asked for is done
		}
		steps, chain = append(steps, up.steps), append(chain, up.chain...)
		parent = up.parent
	}
	removed, err := s.Collect(ctx)
	var layers []Removed
	for _, id := range chain { // one that was not unpacked has nothing to collect
		gone, ferr := s.forgetLayer(ctx, id.String())
		if err = errors.Join(err, ferr); gone {
			layers = append(layers, Removed{Deleted: id.String()})
		}
	}
	for _, name := range removed.Snapshots {
		if strings.HasPrefix(name, "sha256:") {
			layers = append(layers, Removed{Deleted: name})
		}
	}
	return append(slices.Concat(steps...), layers...), err
}

// remove does what Remove does with one image, and leaves the layers.
func (s *Store) remove(ref string, opts RemoveOptions) (removal, error) {
	var p removal
	err := s.db.View(func(tx *meta.Tx) (err error) {
		p, err = s.planRemoval(tx, ref, opts)
		return err
	})
	if err != nil {
		return removal{}, err
	}
	asked, namesOnly := p.last, false
	if asked && opts.InUse != nil {
		// Outside of any transaction: who answers may need one.
		err := opts.InUse(p.id)
		if namesOnly = errors.Is(err, ErrNamesOnly); err != nil && !namesOnly {
			return removal{}, err
		}
	}
	// Names may have come and gone since: plan again, and do it.
	err = s.db.Update(func(tx *meta.Tx) (err error) {
		if p, err = s.planRemoval(tx, ref, opts); err != nil {
			return err
		}
		if p.whole && !asked {
			return fmt.Errorf("remove image %s: its other names went meanwhile: %w", ref, errdefs.ErrConflict)
		}
		if p.whole && namesOnly {
			p.whole, p.steps = false, p.steps[:len(p.steps)-1]
		}
		for _, name := range p.names {
			if err := s.tags.In(tx).Delete(name); err != nil {
				return err
			}
		}
		if p.whole {
			return s.images.In(tx).Delete(p.id.String())
		}
		return s.forgetDigests(tx, p.id, p.digests)
	})
	return p, err
}

// forgetDigests takes repository digests away from an image that stays.
func (s *Store) forgetDigests(tx *meta.Tx, id digest.Digest, digests []string) error {
	if len(digests) == 0 {
		return nil
	}
	r, err := s.images.In(tx).Get(id.String())
	if err != nil {
		return err
	}
	r.RepoDigests = slices.DeleteFunc(r.RepoDigests, func(d string) bool { return slices.Contains(digests, d) })
	return s.images.In(tx).Put(id.String(), r)
}

// removal is what a removal takes away.
type removal struct {
	id      digest.Digest
	parent  digest.Digest
	chain   []digest.Digest // of layers, topmost first
	names   []string        // tags, in their canonical form
	digests []string        // of repositories: "busybox@sha256:…"
	last    bool            // the last name, or the image
	whole   bool            // the image, not just names
	steps   []Removed
}

// planRemoval decides as docker does: a name that is not the last only goes
// itself; an ID takes the image with its name, but not with several unless
// forced.
func (s *Store) planRemoval(tx *meta.Tx, ref string, opts RemoveOptions) (removal, error) {
	id, name, err := s.resolveIn(tx, ref)
	if err != nil {
		return removal{}, err
	}
	names, err := s.namesOf(tx, id)
	if err != nil {
		return removal{}, err
	}
	r, err := s.images.In(tx).Get(id.String())
	if err != nil {
		return removal{}, err
	}
	p := removal{id: id, parent: r.Parent, chain: r.chain(), names: names, digests: r.RepoDigests}
	slices.Reverse(p.chain)
	byName := p.narrow(name, ref)
	for _, n := range p.names {
		p.steps = append(p.steps, Removed{Untagged: familiar(n)})
	}
	for _, d := range p.digests {
		p.steps = append(p.steps, Removed{Untagged: d})
	}
	if len(p.names) < len(names) || len(p.digests) < len(r.RepoDigests) {
		return p, nil // other names remain
	}
	p.last = true
	children, err := s.hasChildren(tx, id)
	if err != nil {
		return removal{}, err
	}
	switch {
	case children && byName:
		return p, nil
	case children, opts.nameless && len(names)+len(r.RepoDigests) > 0:
		return removal{}, ErrHasChildren
	case !byName && len(names) > 1 && !opts.Force:
		return removal{}, fmt.Errorf("unable to delete %s (must be forced) - image is referenced in multiple repositories: %w", ref, errdefs.ErrConflict)
	}
	p.whole = true
	p.steps = append(p.steps, Removed{Deleted: id.String()})
	return p, nil
}

// narrow leaves of all names of an image those that go with ref: the tag that
// it means, and the digests of its repository if it has no other tag there; or
// the digest that it means. An ID leaves all, and narrow tells that it is none
// of the two.
func (p *removal) narrow(tag, ref string) (byName bool) {
	if tag != "" {
		repo := repository(tag)
		others := slices.ContainsFunc(p.names, func(n string) bool { return n != tag && repository(n) == repo })
		p.names = []string{tag}
		p.digests = slices.DeleteFunc(slices.Clone(p.digests), func(d string) bool { return others || repository(d) != repo })
		return true
	}
	i := slices.Index(p.digests, familiarDigest(ref))
	if i < 0 {
		return false
	}
	p.names, p.digests = nil, p.digests[i:i+1]
	return true
}

// hasChildren tells whether images were made of this one.
func (s *Store) hasChildren(tx *meta.Tx, id digest.Digest) (found bool, err error) {
	err = s.images.In(tx).ForEach(func(_ string, r record) error {
		found = found || r.Parent == id
		return nil
	})
	return found, err
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
	removed, err := s.gc.Collect(ctx, s.content, s.snapshots, func() (gc.Roots, error) { return s.roots(ctx) })
	for _, name := range removed.Snapshots {
		_, ferr := s.forgetLayer(ctx, name)
		err = errors.Join(err, ferr)
	}
	for _, dgst := range removed.Blobs {
		s.configs.Delete(dgst)
	}
	return removed, err
}

// roots is what the images and the leases need. The blobs of layers count although
// they are unpacked: save and push send them.
func (s *Store) roots(ctx context.Context) (gc.Roots, error) {
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
	if err == nil && s.leases != nil {
		err = s.leases.Roots(ctx, s.content, r)
	}
	return r, err
}
