package image

import (
	"time"

	"github.com/opencontainers/go-digest"

	"berth/store/meta"
)

// Named is an image as its records tell of it, under one of its names.
type Named struct {
	Name   string // "" for an image without one
	ID     digest.Digest
	Layers int
	Size   int64 // bytes of its blobs
	Stored time.Time
}

// Names lists the images of a database by their names, those without one last.
func Names(db *meta.DB) ([]Named, error) {
	images, err := meta.NewBucket[record](db, "images")
	if err != nil {
		return nil, err
	}
	tags, err := meta.NewBucket[digest.Digest](db, "tags")
	if err != nil {
		return nil, err
	}
	describe := func(name string, id digest.Digest, r record) Named {
		n := Named{Name: name, ID: id, Layers: len(r.DiffIDs), Size: r.Config.Size, Stored: r.Stored}
		for _, l := range r.Layers {
			n.Size += l.Size
		}
		return n
	}
	var list []Named
	named := map[digest.Digest]bool{}
	err = db.View(func(tx *meta.Tx) error {
		err := tags.In(tx).ForEach(func(name string, id digest.Digest) error {
			r, err := images.In(tx).Get(id.String())
			if err != nil {
				return err
			}
			named[id] = true
			list = append(list, describe(familiar(name), id, r))
			return nil
		})
		if err != nil {
			return err
		}
		return images.In(tx).ForEach(func(id string, r record) error {
			if !named[digest.Digest(id)] {
				list = append(list, describe("", digest.Digest(id), r))
			}
			return nil
		})
	})
	return list, err
}
