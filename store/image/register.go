package image

import (
	"context"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store/gc"
	"berth/store/meta"
)

// Parts are the blobs of an image that are in the content store.
type Parts struct {
	Config      ocispec.Descriptor
	Layers      []ocispec.Descriptor
	Manifest    *ocispec.Descriptor // nil if it came without
	RepoDigests []string
	Parent      digest.Digest
}

// Lease protects blobs and snapshots that are not yet part of an image. Hold
// one from before the first is written until Register returns.
func (s *Store) Lease() *gc.Lease { return s.gc.Lease() }

// named is an image to be stored and the names to give it.
type named struct {
	record record
	names  []string
	// written is of its topmost layer, if that is not unpacked.
	written *layerRecord
}

// put stores the records of images and gives them their names, all in one
// transaction. The names are taken from the images that had them.
func (s *Store) put(all []named) error {
	now := time.Now().UTC()
	return s.db.Update(func(tx *meta.Tx) error {
		for _, n := range all {
			id := n.record.Config.Digest
			r := n.record
			r.Stored = now
			// The same image may be loaded again, or pulled under another name.
			if old, err := s.images.In(tx).Get(id.String()); err == nil {
				r = merged(old, r)
			} else if !errdefs.IsNotFound(err) {
				return err
			}
			if len(n.names) > 0 {
				r.LastTagged = now
			}
			if err := s.takeDigests(tx, id, n.record.RepoDigests); err != nil {
				return err
			}
			if err := s.images.In(tx).Put(id.String(), r); err != nil {
				return err
			}
			if err := s.putWritten(tx, &r, n.written); err != nil {
				return err
			}
			for _, name := range n.names {
				name, err := ParseName(name)
				if err != nil {
					return err
				}
				if err := s.tags.In(tx).Put(name, id); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// takeDigests takes the repository digests that an image gets from the images
// that had them: an index has one digest and an image for each platform, and
// the one pulled last is meant by it.
func (s *Store) takeDigests(tx *meta.Tx, id digest.Digest, digests []string) error {
	if len(digests) == 0 {
		return nil
	}
	losers := make(map[string]record)
	err := s.images.In(tx).ForEach(func(key string, r record) error {
		kept := slices.DeleteFunc(slices.Clone(r.RepoDigests), func(d string) bool { return slices.Contains(digests, d) })
		if key != id.String() && len(kept) < len(r.RepoDigests) {
			r.RepoDigests = kept
			losers[key] = r
		}
		return nil
	})
	if err != nil {
		return err
	}
	for key, r := range losers {
		if err := s.images.In(tx).Put(key, r); err != nil {
			return err
		}
	}
	return nil
}

// merged is the record of an image that is stored again.
func merged(old, r record) record {
	if r.Manifest == nil {
		// The blobs that fit the manifest it once came with are the better ones.
		r.Manifest, r.Layers = old.Manifest, old.Layers
	}
	for _, d := range old.RepoDigests {
		r.RepoDigests = appendNew(r.RepoDigests, d)
	}
	if r.Parent == "" {
		r.Parent = old.Parent
	}
	r.Stored, r.LastTagged = old.Stored, old.LastTagged
	return r
}

// appendNew appends what is not yet in a list.
func appendNew(list []string, v string) []string {
	for _, have := range list {
		if have == v {
			return list
		}
	}
	return append(list, v)
}

// Tag gives the image that ref means another name.
func (s *Store) Tag(ctx context.Context, ref, name string) error {
	name, err := ParseName(name)
	if err != nil {
		return err
	}
	return s.db.Update(func(tx *meta.Tx) error {
		id, _, err := s.resolveIn(tx, ref)
		if err != nil {
			return err
		}
		r, err := s.images.In(tx).Get(id.String())
		if err != nil {
			return err
		}
		r.LastTagged = time.Now().UTC()
		if err := s.images.In(tx).Put(id.String(), r); err != nil {
			return err
		}
		return s.tags.In(tx).Put(name, id)
	})
}
