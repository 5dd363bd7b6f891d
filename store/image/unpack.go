package image

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store/diff"
	"berth/store/gc"
)

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

// unpackAll unpacks the layers that are missing, lowest first.
func (s *Store) unpackAll(ctx context.Context, r *record) (string, error) {
	parent := ""
	for i, chainID := range r.chain() {
		if err := s.unpackLayer(ctx, parent, chainID, r.DiffIDs[i], s.stored(ctx, r.Layers[i])); err != nil {
			return "", fmt.Errorf("layer %d of %d (%s): %w", i+1, len(r.Layers), r.DiffIDs[i], err)
		}
		parent = chainID.String()
	}
	return parent, nil
}

// source opens the blob of a layer; it is asked once, and only if the layer
// has to be unpacked.
type source func() (io.ReadCloser, error)

// stored is a layer whose blob is in the content store.
func (s *Store) stored(ctx context.Context, blob ocispec.Descriptor) source {
	return func() (io.ReadCloser, error) {
		ra, err := s.content.ReaderAt(ctx, blob)
		if err != nil {
			return nil, fmt.Errorf("open the layer's blob: %w", err)
		}
		return struct {
			io.Reader
			io.Closer
		}{io.NewSectionReader(ra, 0, ra.Size()), ra}, nil
	}
}

// unpackLayer makes the snapshot of one layer if it is not there. Whoever
// else wants the same layer meanwhile waits and finds it.
func (s *Store) unpackLayer(ctx context.Context, parent string, chainID, diffID digest.Digest, blob source) error {
	unlock, err := s.unpacking.lock(ctx, chainID.String())
	if err != nil {
		return err
	}
	defer unlock()
	if s.HasLayer(ctx, chainID) {
		return nil
	}
	key, res, err := s.unpackBlob(ctx, parent, blob, true)
	if err != nil {
		return err
	}
	if res.DiffID != diffID {
		err := fmt.Errorf("the layer's content has the digest %s, the image config says %s: %w", res.DiffID, diffID, errdefs.ErrInvalidArgument)
		return s.dropSnapshot(ctx, key, err)
	}
	return s.commitLayer(ctx, chainID, key, res)
}

// unpackBlob unpacks a layer into a snapshot that is still active. A layer
// that has no diff ID to be held to must at least end as a tar does.
func (s *Store) unpackBlob(ctx context.Context, parent string, blob source, known bool) (key string, res diff.Result, err error) {
	r, err := blob()
	if err != nil {
		return "", res, err
	}
	defer r.Close()
	// The layer's directory is filled as it is, without mounting anything.
	key = gc.UnpackPrefix + rand.Text()
	if _, err := s.snapshots.Prepare(ctx, key, parent); err != nil {
		return "", res, err
	}
	dirs, err := s.snapshots.Dirs(ctx, key)
	if err == nil {
		res, err = diff.Apply(ctx, dirs.Upper, r, diff.ApplyOptions{Lower: dirs.Lower, Index: dirs.Index, Complete: !known})
	}
	if err != nil {
		return "", res, s.dropSnapshot(ctx, key, err)
	}
	return key, res, nil
}

// dropSnapshot removes a snapshot because of an error, which it returns.
func (s *Store) dropSnapshot(ctx context.Context, key string, because error) error {
	// Also when ctx is what ended the work.
	if err := s.snapshots.Remove(context.WithoutCancel(ctx), key); err != nil {
		s.log.Warn("a broken snapshot stays until the next start", "snapshot", key, "error", err)
	}
	return because
}

// commitLayer makes an unpacked layer visible under its chain ID. The record
// comes first: without a snapshot it means nothing.
func (s *Store) commitLayer(ctx context.Context, chainID digest.Digest, key string, res diff.Result) error {
	rec := layerRecord{DiffID: res.DiffID, Size: res.Size, Entries: res.Entries}
	if err := s.layers.Put(chainID.String(), rec); err != nil {
		return s.dropSnapshot(ctx, key, err)
	}
	err := s.snapshots.Commit(ctx, chainID.String(), key)
	if errdefs.IsAlreadyExists(err) {
		s.dropSnapshot(ctx, key, err)
		return nil
	}
	if err != nil {
		return s.dropSnapshot(ctx, key, err)
	}
	return nil
}

// spool writes a stream into the content store and returns its descriptor,
// with the media type that a layer compressed like it has.
func (s *Store) spool(ctx context.Context, r io.Reader, expected digest.Digest) (ocispec.Descriptor, error) {
	// Without an expected digest in its descriptor, what a crash leaves of
	// this ingest goes at the next start: nobody can resume a stream.
	w, err := s.content.Writer(ctx, content.WithRef("spool-"+rand.Text()))
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer w.Close()
	sn := &sniffer{w: w}
	size, err := io.CopyBuffer(sn, contextReader{ctx, r}, make([]byte, 1<<20))
	if err == nil {
		err = w.Commit(ctx, size, expected)
	}
	if err != nil && !errdefs.IsAlreadyExists(err) {
		w.Close()
		if st, serr := w.Status(); serr == nil {
			s.content.Abort(context.WithoutCancel(ctx), st.Ref) // its absence is fine, too
		}
		return ocispec.Descriptor{}, err
	}
	return ocispec.Descriptor{MediaType: layerType(sn.head), Digest: w.Digest(), Size: size}, nil
}

// sniffer keeps the first bytes of what passes.
type sniffer struct {
	w    io.Writer
	head []byte
}

func (s *sniffer) Write(p []byte) (int, error) {
	if n := 4 - len(s.head); n > 0 {
		s.head = append(s.head, p[:min(n, len(p))]...)
	}
	return s.w.Write(p)
}

// layerType tells the media type of a layer by its first bytes.
func layerType(head []byte) string {
	switch {
	case len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b:
		return ocispec.MediaTypeImageLayerGzip
	case len(head) >= 4 && string(head[:4]) == "\x28\xb5\x2f\xfd":
		return ocispec.MediaTypeImageLayerZstd
	}
	return ocispec.MediaTypeImageLayer
}

// contextReader stops reading when the context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// keyedLock is a set of locks by name.
type keyedLock struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when let go
}

// lock waits until nobody holds the lock of key, or the context ends.
func (k *keyedLock) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		k.mu.Lock()
		if k.held == nil {
			k.held = make(map[string]chan struct{})
		}
		busy := k.held[key]
		if busy == nil {
			free := make(chan struct{})
			k.held[key] = free
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.held, key)
				k.mu.Unlock()
				close(free)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
