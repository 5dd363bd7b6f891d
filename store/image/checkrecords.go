package image

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
)

// checkRecords finds records of what does not exist.
func (c *checker) checkRecords(ctx context.Context) error {
	s := c.store
	err := s.tags.ForEach(func(name string, id digest.Digest) error {
		if _, err := s.images.Get(id.String()); !errdefs.IsNotFound(err) {
			return err
		}
		n := c.fault("name", familiar(name), fmt.Errorf("there is no image %s: %w", id, errdefs.ErrDataLoss))
		return c.mend(n, "removed", func() error { return s.tags.Delete(name) })
	})
	if err != nil {
		return err
	}
	roots, err := s.roots(ctx)
	if err != nil {
		return err
	}
	return s.layers.ForEach(func(name string, _ layerRecord) error {
		if roots.Snapshots[name] {
			return nil // unpacked or not
		}
		unlock, err := s.unpacking.lock(ctx, name)
		if err != nil {
			return err
		}
		defer unlock()
		if _, err := s.snapshots.Stat(ctx, name); !errdefs.IsNotFound(err) || s.flights.making(name) {
			return nil
		}
		n := c.fault("record", name, fmt.Errorf("there is no such layer: %w", errdefs.ErrDataLoss))
		return c.mend(n, "removed", func() error { return s.layers.Delete(name) })
	})
}

// making reports whether a layer is under way.
func (f *flights) making(chainID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.all {
		if one.chainID.String() == chainID {
			return true
		}
	}
	return false
}

// checkLeftovers finds files that nothing knows of.
func (c *checker) checkLeftovers(context.Context) error {
	for _, strays := range []func(bool) ([]string, error){c.store.content.Strays, c.store.snapshots.Strays} {
		paths, err := strays(c.repair)
		if err != nil {
			return err
		}
		for _, path := range paths {
			n := c.fault("leftover", path, fmt.Errorf("no record is of it: %w", errdefs.ErrDataLoss))
			if c.repair {
				c.Faults[n].Mended = "removed"
			}
		}
	}
	return nil
}
