package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// DefaultParallel is how many layers an operation works on at a time, as many
// as docker downloads.
const DefaultParallel = 3

// Source opens a blob at an offset, which is above 0 to resume. Retries and
// their delays are the source's business: an error of its reader ends the
// attempt. It may be used after Receive returned, while others still want the
// layer; ctx tells when not.
type Source func(ctx context.Context, blob ocispec.Descriptor, offset int64) (io.ReadCloser, error)

// Stage is what is being done about a layer. Stages only go up.
type Stage int

// The stages of a layer. Unpacking goes on while the layer is fetched; it is
// reported when all is there.
const (
	LayerWaiting Stage = iota
	LayerFetching
	LayerFetched // and verified
	LayerUnpacking
	LayerDone
	LayerPresent // nothing had to be done
)

// Progress tells how far a layer has come.
type Progress struct {
	Layer   int                // its index, lowest first
	Blob    ocispec.Descriptor //
	Stage   Stage
	Current int64 // bytes of the blob, fetched or unpacked
	Total   int64
}

// Incoming is an image on its way into the store.
type Incoming struct {
	Parts
	// Blobs are the config and the manifest, if they are not yet in the
	// content store, and what else is to be kept as long as they are wanted.
	Blobs    [][]byte
	Source   Source         // of the layers; nil if all are in the content store
	Progress func(Progress) // may be nil; must return at once; calls for one layer come one at a time
	Parallel int            // layers at a time; DefaultParallel if 0

	staged  map[digest.Digest]*staging // layers that are being unpacked, by blob
	written *layerRecord               // of the topmost layer, if that is not to be unpacked now
}

// Receive fetches the layers of an image that are missing, unpacks them on the
// way, and makes the image: the record and the names are stored last. A layer
// that another call is making is waited for, not made again.
//
// After an error of the source, or a cancelled context, what has arrived is
// kept until the next collection of garbage, so that a new attempt can go on
// from there; after any other nothing is.
func (s *Store) Receive(ctx context.Context, in Incoming, names ...string) (Image, error) {
	lease := s.gc.Lease()
	img, err := s.receive(ctx, in, names)
	lease.Release()
	if err != nil && !keepsPartial(err) {
		for _, blob := range in.Layers {
			s.content.Abort(context.WithoutCancel(ctx), ingestOf(blob)) // none is fine; another's stays
		}
		if _, cerr := s.Collect(context.WithoutCancel(ctx)); cerr != nil {
			err = errors.Join(err, cerr)
		}
	}
	return img, err
}

func (s *Store) receive(ctx context.Context, in Incoming, names []string) (Image, error) {
	for _, b := range in.Blobs {
		if _, err := s.spool(ctx, bytes.NewReader(b), digest.FromBytes(b), nil); err != nil {
			return Image{}, err
		}
	}
	r, err := s.build(ctx, in)
	if err != nil {
		return Image{}, err
	}
	if err := s.put([]named{{r, names, in.written}}); err != nil {
		return Image{}, err
	}
	img, err := s.Get(ctx, r.Config.Digest)
	if errdefs.IsNotFound(err) { // removed at once by somebody else
		return s.image(ctx, r.Config.Digest, r, nil)
	}
	return img, err
}

// Register makes an image of blobs that are all in the content store.
func (s *Store) Register(ctx context.Context, parts Parts, names ...string) (Image, error) {
	return s.Receive(ctx, Incoming{Parts: parts}, names...)
}

// build checks the parts of an image and makes its layers.
func (s *Store) build(ctx context.Context, in Incoming) (record, error) {
	p := in.Parts
	config, err := s.config(ctx, p.Config)
	if err != nil {
		return record{}, err
	}
	if len(config.RootFS.DiffIDs) != len(p.Layers) {
		return record{}, fmt.Errorf("image %s: its config tells of %d layers, there are %d: %w",
			p.Config.Digest, len(config.RootFS.DiffIDs), len(p.Layers), errdefs.ErrInvalidArgument)
	}
	r := record{
		Config: p.Config, Manifest: p.Manifest, Layers: p.Layers, DiffIDs: config.RootFS.DiffIDs,
		RepoDigests: p.RepoDigests, Parent: p.Parent,
	}
	now := r
	if in.written != nil {
		now = r.upTo(len(r.Layers) - 1)
	}
	if err := s.layersOf(ctx, &now, in); err != nil {
		return record{}, fmt.Errorf("image %s: %w", p.Config.Digest, err)
	}
	return r, nil
}

// Unpack makes sure that all layers of an image are unpacked and returns the
// name of the topmost one's snapshot, "" for an image without layers.
func (s *Store) Unpack(ctx context.Context, id digest.Digest) (string, error) {
	r, err := s.images.Get(id.String())
	if err != nil {
		return "", fmt.Errorf("unpack image: %w", err)
	}
	lease := s.gc.Lease()
	defer lease.Release()
	return s.unpackAll(ctx, &r)
}

// unpackAll unpacks the layers of an image that are missing and returns the
// chain ID of the topmost.
func (s *Store) unpackAll(ctx context.Context, r *record) (string, error) {
	if len(r.Layers) == 0 {
		return "", nil
	}
	chain := r.chain()
	return chain[len(chain)-1].String(), s.layersOf(ctx, r, Incoming{})
}

// layersOf makes the layers of an image that are missing. If one that another
// operation makes fails there, it is tried again here: that operation may have
// had another source.
func (s *Store) layersOf(ctx context.Context, r *record, in Incoming) error {
	for {
		again, err := s.fly(ctx, r, in)
		if err == nil || !again || ctx.Err() != nil {
			return err
		}
		in.staged = nil
	}
}

// fly takes part in the flights of all layers and waits for them. It reports
// whether an error is of somebody else's flight.
func (s *Store) fly(ctx context.Context, r *record, in Incoming) (again bool, _ error) {
	if in.Parallel <= 0 {
		in.Parallel = DefaultParallel
	}
	turns := make(slots, in.Parallel)
	mine := make(map[*flight]bool)
	ended := make(chan int, len(r.Layers))
	all := make([]*flight, len(r.Layers))
	defer func() {
		// From the top, so that none is kept by one above.
		for i := len(all) - 1; i >= 0; i-- {
			if all[i] != nil {
				all[i].leave()
			}
		}
	}()
	left := 0
	// landed takes note of a layer that is made, or is not.
	landed := func(i int) (again bool, err error) {
		left--
		f := all[i]
		if f.err == nil {
			return false, nil
		}
		for i > 0 && all[i] != f.culprit {
			i--
		}
		return !mine[f.culprit], fmt.Errorf("layer %d of %d (%s): %w", i+1, len(r.Layers), r.DiffIDs[i], f.err)
	}
	chain := r.chain()
	for i := 0; i < len(r.Layers); {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case j := <-ended:
			if again, err := landed(j); err != nil {
				return again, err
			}
			continue
		case turns <- struct{}{}:
		}
		f := &flight{
			store: s, chainID: chain[i], diffID: r.DiffIDs[i], blob: r.Layers[i], source: in.Source, slots: turns,
			staging: in.staged[r.Layers[i].Digest],
		}
		delete(in.staged, f.blob.Digest) // one snapshot is one layer
		if i > 0 {
			f.parent, f.below = chain[i-1], all[i-1]
		}
		joined, own := s.join(ctx, f)
		if !own {
			turns.give()
			if f.staging != nil {
				f.staging.drop(ctx, nil)
			}
		}
		if report := in.reporter(i); joined == nil {
			report(Progress{Stage: LayerPresent, Current: f.blob.Size, Total: f.blob.Size})
		} else {
			all[i], mine[joined] = joined, own
			defer joined.watch(report)()
			left++
			go func(i int) {
				<-joined.done
				ended <- i
			}(i)
		}
		i++
	}
	for left > 0 {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case i := <-ended:
			if again, err := landed(i); err != nil {
				return again, err
			}
		}
	}
	return false, nil
}

// HasLayer tells whether a layer is here, unpacked and as this blob; while a
// lease is held it stays.
func (s *Store) HasLayer(ctx context.Context, chainID, blob digest.Digest) bool {
	s.gc.HoldSnapshot(chainID.String())
	s.gc.HoldBlob(blob)
	return s.has(ctx, chainID, blob)
}

// reporter passes on what is reported of layer i.
func (in *Incoming) reporter(i int) func(Progress) {
	return func(p Progress) {
		if in.Progress != nil {
			p.Layer, p.Blob = i, in.Layers[i]
			in.Progress(p)
		}
	}
}

// keepsPartial tells errors after which what has arrived is worth keeping.
func keepsPartial(err error) bool {
	var source *sourceError
	return errors.As(err, &source) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
