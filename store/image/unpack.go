package image

import (
	"bufio"
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
	rec := layerRecord{DiffID: res.DiffID, Size: res.Size, Entries: res.Entries, Stats: s.countStaged(ctx, parent, key)}
	// Until both are there nobody may take the record for one of nothing.
	unlock, err := s.unpacking.lock(ctx, chainID.String())
	if err != nil {
		return s.dropSnapshot(ctx, key, err)
	}
	defer unlock()
	if err := s.layers.Put(chainID.String(), rec); err != nil {
		return s.dropSnapshot(ctx, key, err)
	}
	err = s.snapshots.Commit(ctx, chainID.String(), key, snapshots.WithParent(parent.String()))
	if errdefs.IsAlreadyExists(err) { // as another blob, by another call
		return s.dropSnapshot(ctx, key, nil)
	}
	if err != nil {
		return s.dropSnapshot(ctx, key, err)
	}
	return nil
}

// UnpackLayer makes the layer chainID of a blob that is in the content store, on
// top of the layer parent, "" for none. It joins whoever makes it already, and
// does nothing if it is there.
func (s *Store) UnpackLayer(ctx context.Context, parent, chainID, diffID digest.Digest, blob ocispec.Descriptor) error {
	turn := make(slots, 1)
	turn <- struct{}{}
	f, _ := s.join(ctx, &flight{store: s, chainID: chainID, parent: parent, diffID: diffID, blob: blob, slots: turn})
	if f == nil {
		return nil
	}
	defer f.leave()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// spool writes a stream into the content store and returns its descriptor,
// with the media type that a layer compressed like it has. If it looks like a
// layer and begin is not nil, begin is given the chance to read it meanwhile.
func (s *Store) spool(ctx context.Context, r io.Reader, expected digest.Digest, begin func(content.Writer)) (ocispec.Descriptor, error) {
	// Without an expected digest in its descriptor, what a crash leaves of
	// this ingest goes at the next start: nobody can resume a stream.
	w, err := s.content.Writer(ctx, content.WithRef("spool-"+rand.Text()))
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer w.Close()
	r = contextReader{ctx, r}
	buf := spoolBuffers.Get().(*[1 << 20]byte)
	defer spoolBuffers.Put(buf)
	n, err := io.ReadFull(r, buf[:512])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	mediaType, layer := layerType(buf[:n])
	size := int64(n)
	if err == nil {
		_, err = w.Write(buf[:n])
	}
	if err == nil && n == 512 {
		if layer && begin != nil {
			begin(w)
		}
		var rest int64
		rest, err = io.CopyBuffer(struct{ io.Writer }{w}, r, buf[:])
		size += rest
	}
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
	return ocispec.Descriptor{MediaType: mediaType, Digest: w.Digest(), Size: size}, nil
}

var spoolBuffers = sync.Pool{New: func() any { return new([1 << 20]byte) }}

// layerType tells the media type of a layer by its first bytes, and whether
// they look like one at all.
func layerType(head []byte) (mediaType string, layer bool) {
	switch diff.Detect(head) {
	case diff.Gzip:
		return ocispec.MediaTypeImageLayerGzip, true
	case diff.Zstd:
		return ocispec.MediaTypeImageLayerZstd, true
	}
	return ocispec.MediaTypeImageLayer, len(head) >= 262 && string(head[257:262]) == "ustar"
}

// storable is a stream as it can be stored: no media type tells of layers that are
// compressed by bzip2 or xz, so they are not kept so.
func storable(r io.Reader) (io.ReadCloser, error) {
	br := bufio.NewReader(r)
	head, err := br.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if c := diff.Detect(head); c != diff.Bzip2 && c != diff.XZ {
		return io.NopCloser(br), nil
	}
	plain, _, err := diff.Decompress(br)
	return plain, err
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
