package image

import (
	"context"
	"crypto/rand"
	"io"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store/diff"
)

// commitLayer makes an unpacked layer visible under its chain ID, on top of
// its parent. The record comes first: without a snapshot it means nothing.
func (s *Store) commitLayer(ctx context.Context, parent, chainID digest.Digest, key string, res diff.Result) error {
	rec := layerRecord{DiffID: res.DiffID, Size: res.Size, Entries: res.Entries}
	if err := s.layers.Put(chainID.String(), rec); err != nil {
		return s.dropSnapshot(ctx, key, err)
	}
	err := s.snapshots.Commit(ctx, chainID.String(), key, snapshots.WithParent(parent.String()))
	if errdefs.IsAlreadyExists(err) { // as another blob, by another call
		return s.dropSnapshot(ctx, key, nil)
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
