package image

import (
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
)

// HasLayer tells whether the layer with a chain ID is unpacked. While a lease
// is held, a layer that was found stays.
func (s *Store) HasLayer(ctx context.Context, chainID digest.Digest) bool {
	// First held, then looked for: in the other order it could be collected
	// in between.
	s.gc.HoldSnapshot(chainID.String())
	_, err := s.snapshots.Stat(ctx, chainID.String())
	return err == nil
}

// UnpackStream unpacks a layer from a stream, which may still be arriving; so
// a layer is ready as soon as its last byte is here. Parent is the chain ID of
// the layer below ("" for none), which must be unpacked. Blob is opened only
// if the layer is not there; the caller holds a lease.
//
// The content is held to diffID. That the blob fits its own digest is for the
// content store to tell: an image is not registered before both are known.
func (s *Store) UnpackStream(ctx context.Context, parent, chainID, diffID digest.Digest, blob func() (io.ReadCloser, error)) error {
	if err := s.unpackLayer(ctx, parent.String(), chainID, diffID, blob); err != nil {
		return fmt.Errorf("layer %s: %w", diffID, err)
	}
	return nil
}
