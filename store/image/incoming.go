package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// incoming is the blob of a layer, as it arrives or as it was there.
type incoming struct {
	io.ReadCloser
	fresh bool          // its digest is found out as it is written
	done  chan struct{} // closed when the blob is on disk and err is set
	err   error
}

// wait returns once the blob is whole, verified and durable.
func (b *incoming) wait() error {
	<-b.done
	return b.err
}

// ingestOf is the reference under which a layer's blob arrives.
func ingestOf(blob ocispec.Descriptor) string { return "layer-" + blob.Digest.String() }

// complete reports whether the blob has arrived.
func (b *incoming) complete() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// openBlob opens the flight's blob and, if it is not there, begins to fetch
// it. What an earlier attempt left is not fetched again.
func (f *flight) openBlob() (_ *incoming, err error) {
	s := f.store
	unlock, err := s.fetching.lock(f.ctx, f.blob.Digest.String())
	if err != nil {
		return nil, err
	}
	defer func() {
		if unlock != nil {
			unlock()
		}
	}()
	b := &incoming{done: make(chan struct{})}
	ra, err := s.content.ReaderAt(f.ctx, f.blob)
	if err == nil && f.blob.Size > 0 && f.blob.Size != ra.Size() {
		ra.Close()
		return nil, fmt.Errorf("the layer's blob %s has %d bytes, not %d: %w", f.blob.Digest, ra.Size(), f.blob.Size, errdefs.ErrInvalidArgument)
	}
	if err == nil {
		close(b.done)
		b.ReadCloser = blobReader(ra)
		return b, nil
	}
	if !errdefs.IsNotFound(err) || f.source == nil {
		return nil, fmt.Errorf("open the layer's blob: %w", err)
	}
	w, err := s.content.Writer(f.ctx, content.WithRef(ingestOf(f.blob)), content.WithDescriptor(f.blob))
	if err != nil {
		return nil, fmt.Errorf("write the layer's blob: %w", err)
	}
	b.fresh = true
	if b.ReadCloser, err = s.content.Follow(w); err != nil {
		w.Close()
		return nil, err
	}
	go func(unlock func()) {
		defer unlock()
		defer close(b.done)
		if b.err = f.fetch(w); b.err != nil {
			b.err = fmt.Errorf("fetch blob %s: %w", f.blob.Digest, b.err)
		} else {
			f.report(Progress{Stage: LayerFetched, Current: f.blob.Size, Total: f.blob.Size})
		}
	}(unlock)
	unlock = nil
	return b, nil
}

// blobReader reads a blob from its beginning.
func blobReader(ra content.ReaderAt) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(ra, 0, ra.Size()), ra}
}

// fetch writes what is missing of the blob. After an error of the source what
// has arrived stays, for the next attempt; whatever is wrong or finds no room
// goes.
func (f *flight) fetch(w content.Writer) (err error) {
	defer func() {
		w.Close()
		var source *sourceError
		if err != nil && !errors.As(err, &source) && f.ctx.Err() == nil {
			f.store.content.Abort(f.ctx, ingestOf(f.blob))
		}
	}()
	st, err := w.Status()
	if err != nil {
		return err
	}
	if st.Offset > f.blob.Size {
		return fmt.Errorf("%d bytes have arrived of %d: %w", st.Offset, f.blob.Size, errdefs.ErrInvalidArgument)
	}
	if st.Offset < f.blob.Size {
		if err := f.download(w, st.Offset); err != nil {
			return err
		}
	}
	err = w.Commit(f.ctx, f.blob.Size, f.blob.Digest)
	switch {
	case errdefs.IsAlreadyExists(err):
		return nil
	case errdefs.IsFailedPrecondition(err):
		return fmt.Errorf("what arrived has the digest %s: %w", w.Digest(), errdefs.ErrInvalidArgument)
	}
	return err
}

// download appends the bytes from offset on.
func (f *flight) download(w content.Writer, offset int64) error {
	f.report(Progress{Stage: LayerFetching, Current: offset, Total: f.blob.Size})
	rc, err := f.source(f.ctx, f.blob, offset)
	if err != nil {
		return &sourceError{err}
	}
	defer rc.Close()
	stop := context.AfterFunc(f.ctx, func() { rc.Close() })
	defer stop()
	buf := make([]byte, 256<<10)
	for {
		n, rerr := rc.Read(buf)
		if offset += int64(n); offset > f.blob.Size {
			return fmt.Errorf("more than the %d bytes announced: %w", f.blob.Size, errdefs.ErrInvalidArgument)
		}
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			f.report(Progress{Stage: LayerFetching, Current: offset, Total: f.blob.Size})
		}
		switch {
		case f.ctx.Err() != nil:
			return f.ctx.Err()
		case rerr == io.EOF && offset < f.blob.Size:
			return &sourceError{fmt.Errorf("%d of %d bytes arrived: %w", offset, f.blob.Size, io.ErrUnexpectedEOF)}
		case rerr == io.EOF:
			return nil
		case rerr != nil:
			return &sourceError{rerr}
		}
	}
}

// sourceError is the failure of a Source; what has arrived is kept.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }
