package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store/diff"
	"berth/store/meta"
)

// Fault is something wrong in the store.
type Fault struct {
	What   string   // "blob", "layer", "image", "name", "record" or "leftover"
	ID     string   // digest, chain ID, image ID, name, key or path
	Err    error    // what is wrong
	Images []string // names, or IDs, of the images that need it
	Mended string   // what was done about it; "" if nothing
}

// Checked is the result of Check.
type Checked struct {
	Images, Layers, Blobs int
	Bytes                 int64 // of the blobs that were read
	Faults                []Fault
}

// Check reads everything again: the blobs against their digests, the files of
// the layers against the indexes, the records against both. With repair,
// layers are unpacked anew from good blobs, what is damaged is removed, and
// so are images that cannot run any more. Containers that run on a layer that
// is replaced keep the old files until they end and the store is opened anew.
//
// What is wrong is in the result; an error means that the check did not end.
func (s *Store) Check(ctx context.Context, repair bool) (Checked, error) {
	lease := s.gc.Lease()
	c := &checker{store: s, repair: repair, badBlobs: make(map[digest.Digest]int), badLayers: make(map[string]int)}
	err := c.check(ctx)
	lease.Release()
	if err == nil && repair {
		_, err = s.Collect(ctx)
	}
	if err != nil {
		return Checked{}, fmt.Errorf("check the store: %w", err)
	}
	return c.Checked, nil
}

type checker struct {
	Checked
	store     *Store
	repair    bool
	images    []record
	names     map[digest.Digest][]string
	badBlobs  map[digest.Digest]int // index of the fault
	badLayers map[string]int
}

func (c *checker) check(ctx context.Context) error {
	for _, step := range []func(context.Context) error{c.readImages, c.checkBlobs, c.checkLayers, c.mendLayers, c.checkImages, c.checkRecords, c.checkLeftovers} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) fault(what, id string, err error, images ...string) int {
	c.Faults = append(c.Faults, Fault{What: what, ID: id, Err: err, Images: images})
	return len(c.Faults) - 1
}

// mend does something about a fault, if asked to.
func (c *checker) mend(i int, how string, do func() error) error {
	if !c.repair {
		return nil
	}
	if err := do(); err != nil {
		return fmt.Errorf("mend %s %s: %w", c.Faults[i].What, c.Faults[i].ID, err)
	}
	c.Faults[i].Mended = how
	return nil
}

func (c *checker) readImages(context.Context) error {
	c.names = make(map[digest.Digest][]string)
	s := c.store
	return s.db.View(func(tx *meta.Tx) error {
		err := s.tags.In(tx).ForEach(func(name string, id digest.Digest) error {
			c.names[id] = append(c.names[id], familiar(name))
			return nil
		})
		if err != nil {
			return err
		}
		return s.images.In(tx).ForEach(func(_ string, r record) error {
			c.images = append(c.images, r)
			return nil
		})
	})
}

// called is how users call an image.
func (c *checker) called(r *record) []string {
	if names := c.names[r.Config.Digest]; len(names) > 0 {
		return names
	}
	return []string{r.Config.Digest.String()}
}

// users are the images that need something.
func (c *checker) users(needs func(*record) bool) (names []string) {
	for i := range c.images {
		if needs(&c.images[i]) {
			names = append(names, c.called(&c.images[i])...)
		}
	}
	return names
}

// blobs are all that an image is made of.
func (r *record) blobs() []digest.Digest {
	all := []digest.Digest{r.Config.Digest}
	if r.Manifest != nil {
		all = append(all, r.Manifest.Digest)
	}
	for _, l := range r.Layers {
		all = append(all, l.Digest)
	}
	return all
}

func (c *checker) checkBlobs(ctx context.Context) error {
	s := c.store
	var all []digest.Digest
	err := s.content.Walk(ctx, func(info content.Info) error {
		all = append(all, info.Digest)
		c.Bytes += info.Size
		return nil
	})
	if err != nil {
		return err
	}
	for i := range c.images {
		all = append(all, c.images[i].blobs()...)
	}
	slices.Sort(all)
	for _, dgst := range slices.Compact(all) {
		c.Blobs++
		users := c.users(func(r *record) bool { return slices.Contains(r.blobs(), dgst) })
		err := s.content.Verify(ctx, dgst)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errdefs.IsNotFound(err) && (len(users) == 0 || c.gone(users)) {
			continue // removed meanwhile
		}
		if err == nil {
			continue
		}
		n := c.fault("blob", dgst.String(), err, users...)
		c.badBlobs[dgst] = n
		if err := c.mend(n, "removed", func() error { return s.content.Discard(dgst) }); err != nil {
			return err
		}
		s.configs.Delete(dgst)
	}
	return nil
}

// gone reports whether all images of some names were removed since the start.
func (c *checker) gone(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		_, _, err := c.store.resolve(name)
		return err == nil
	})
}

func (c *checker) checkLayers(ctx context.Context) error {
	s := c.store
	var all []string
	err := s.snapshots.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		if info.Kind == snapshots.KindCommitted && strings.HasPrefix(info.Name, "sha256:") {
			all = append(all, info.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range c.images {
		for _, id := range c.images[i].chain() {
			all = append(all, id.String())
		}
	}
	slices.Sort(all)
	for _, name := range slices.Compact(all) {
		c.Layers++
		users := c.users(func(r *record) bool { return slices.Contains(r.chain(), digest.Digest(name)) })
		err := s.verifyLayer(ctx, name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errdefs.IsNotFound(err) && (len(users) == 0 || c.gone(users)) {
			continue
		}
		if _, serr := s.snapshots.Stat(ctx, name); errdefs.IsNotFound(serr) {
			err = c.blobFault(digest.Digest(name)) // it will be unpacked from that
		}
		if err != nil {
			c.badLayers[name] = c.fault("layer", name, err, users...)
		}
	}
	return nil
}

// blobFault is what is wrong with the blob that a layer would be unpacked from.
func (c *checker) blobFault(chainID digest.Digest) error {
	for i := range c.images {
		r := &c.images[i]
		if n := slices.Index(r.chain(), chainID); n >= 0 {
			if at, bad := c.badBlobs[r.Layers[n].Digest]; bad {
				return fmt.Errorf("it is not unpacked, and its blob is damaged: %w", c.Faults[at].Err)
			}
		}
	}
	return nil
}

// verifyLayer reads an unpacked layer again.
func (s *Store) verifyLayer(ctx context.Context, name string) error {
	dirs, err := s.snapshots.Dirs(ctx, name)
	if err != nil {
		return err
	}
	if err := diff.Verify(ctx, dirs.Upper, dirs.Index); err != nil {
		return err
	}
	if _, err = s.layers.Get(name); errdefs.IsNotFound(err) {
		_, serr := s.snapshots.Stat(ctx, name)
		if serr != nil {
			return serr // removed just now
		}
		return fmt.Errorf("it has no record: %w", errdefs.ErrDataLoss)
	}
	return err
}

// mendLayers unpacks damaged layers anew, lowest first. Those that it could
// not stay in badLayers.
func (c *checker) mendLayers(ctx context.Context) error {
	for i := range c.images {
		r := &c.images[i]
		for n, id := range r.chain() {
			at, bad := c.badLayers[id.String()]
			if _, none := c.badBlobs[r.Layers[n].Digest]; !bad || none {
				continue
			}
			err := c.mend(at, "unpacked anew", func() error { return c.store.unpackAgain(ctx, r, n) })
			if err != nil {
				return err
			}
			delete(c.badLayers, id.String()) // no image is lost by it
		}
	}
	return nil
}

// unpackAgain makes layer n of an image from its blob once more, in the place
// of the one that is there.
func (s *Store) unpackAgain(ctx context.Context, r *record, n int) error {
	chain := r.chain()
	parent := digest.Digest("")
	if n > 0 {
		parent = chain[n-1]
	}
	ra, err := s.content.ReaderAt(ctx, ocispec.Descriptor{Digest: r.Layers[n].Digest})
	if err != nil {
		return err
	}
	g, err := s.stage(ctx, blobReader(ra), diff.ApplyOptions{}, nil)
	if err != nil {
		return err
	}
	g.on(func(ctx context.Context) ([]string, error) { return s.dirsOf(ctx, parent) })
	res, err := g.result(ctx)
	if err == nil && res.DiffID != r.DiffIDs[n] {
		err = fmt.Errorf("the layer's content has the digest %s, the image config says %s: %w", res.DiffID, r.DiffIDs[n], errdefs.ErrDataLoss)
	}
	if err != nil {
		return g.drop(ctx, err)
	}
	if _, err := s.snapshots.Stat(ctx, chain[n].String()); errdefs.IsNotFound(err) {
		return s.commitLayer(ctx, parent, chain[n], g.key, res)
	}
	if err := s.layers.Put(chain[n].String(), layerRecord{DiffID: res.DiffID, Size: res.Size, Entries: res.Entries}); err != nil {
		return g.drop(ctx, err)
	}
	if err := s.snapshots.Replace(ctx, chain[n].String(), g.key); err != nil {
		return g.drop(ctx, err)
	}
	return nil
}

// checkImages finds images that cannot run.
func (c *checker) checkImages(ctx context.Context) error {
	s := c.store
	for i := range c.images {
		c.Images++
		r := &c.images[i]
		id := r.Config.Digest
		err := c.imageError(ctx, r)
		if _, gerr := s.images.Get(id.String()); err == nil || errdefs.IsNotFound(gerr) {
			continue
		}
		n := c.fault("image", id.String(), err, c.called(r)...)
		err = c.mend(n, "removed", func() error {
			return s.db.Update(func(tx *meta.Tx) error {
				names, err := s.namesOf(tx, id)
				for _, name := range names {
					err = errors.Join(err, s.tags.In(tx).Delete(name))
				}
				return errors.Join(err, s.images.In(tx).Delete(id.String()))
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// imageError tells why an image cannot run. That a layer's blob is damaged
// does not hinder it: pulling the image again brings the blob back.
func (c *checker) imageError(ctx context.Context, r *record) error {
	if n, bad := c.badBlobs[r.Config.Digest]; bad {
		return fmt.Errorf("its config is damaged: %w", c.Faults[n].Err)
	}
	config, err := c.store.config(ctx, r.Config)
	if err != nil {
		return err
	}
	if !slices.Equal(config.RootFS.DiffIDs, r.DiffIDs) || len(r.Layers) != len(r.DiffIDs) {
		return fmt.Errorf("its record has other layers than its config: %w", errdefs.ErrDataLoss)
	}
	for _, id := range r.chain() {
		if n, bad := c.badLayers[id.String()]; bad {
			return fmt.Errorf("its layer %s is damaged: %w", id, c.Faults[n].Err)
		}
	}
	return nil
}
