package content

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"berth/store/durable"
	"berth/store/sparse"
)

// Writer opens the ingest of a reference for appending, resuming what an
// earlier writer left. Errors are of kind AlreadyExists when the blob of the
// descriptor is present, Unavailable while another writer has the reference.
func (s *Store) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	if o.Ref == "" {
		return nil, fmt.Errorf("open writer: no reference: %w", errdefs.ErrInvalidArgument)
	}
	if o.Desc.Digest != "" {
		if err := check(o.Desc.Digest); err != nil {
			return nil, err
		}
		s.hold(o.Desc.Digest)
		if _, err := s.Info(ctx, o.Desc.Digest); err == nil {
			return nil, fmt.Errorf("blob %s: %w", o.Desc.Digest, errdefs.ErrAlreadyExists)
		}
	}

	w := &writer{store: s, dir: s.ingestDir(o.Ref), hash: sha256.New()}
	w.more = sync.NewCond(&w.mu)
	s.mu.Lock()
	if s.writers[o.Ref] != nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("ingest %q: another writer is open: %w", o.Ref, errdefs.ErrUnavailable)
	}
	s.writers[o.Ref] = w
	w.mu.Lock() // Status waits until the writer is complete
	defer w.mu.Unlock()
	s.mu.Unlock()

	if err := w.open(o); err != nil {
		s.release(o.Ref)
		return nil, fmt.Errorf("open ingest %q: %w", o.Ref, err)
	}
	return w, nil
}

// release lets others open the ingest of ref.
func (s *Store) release(ref string) {
	s.mu.Lock()
	delete(s.writers, ref)
	s.mu.Unlock()
}

// writer is an open ingest. It implements content.Writer.
type writer struct {
	store *Store
	dir   string

	mu       sync.Mutex // guards the rest
	more     *sync.Cond // broadcast for followers when anything below changes
	state    state
	file     *os.File // nil when closed
	hash     hash.Hash
	offset   int64
	verified bool // Commit found size and digest right
}

// open creates the ingest or reads back what is there to go on hashing.
// An ingest that it could not create leaves nothing behind.
func (w *writer) open(o content.WriterOpts) (failed error) {
	st, err := readState(w.dir)
	if err != nil || st.Ref != o.Ref {
		defer func() {
			if failed != nil {
				os.RemoveAll(w.dir)
			}
		}()
		// None, or one whose description was cut off by a crash.
		if err := os.RemoveAll(w.dir); err != nil {
			return err
		}
		if err := os.Mkdir(w.dir, 0o700); err != nil {
			return err
		}
		now := time.Now().UTC()
		st = state{Ref: o.Ref, StartedAt: now, UpdatedAt: now}
	}
	// Total and digest are what the present writer knows; a resuming writer
	// may know more than the first.
	if o.Desc.Size > 0 {
		st.Total = o.Desc.Size
	}
	if o.Desc.Digest != "" {
		st.Expected = o.Desc.Digest
	}
	w.state = st
	f, err := os.OpenFile(filepath.Join(w.dir, "data"), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		w.offset, err = io.Copy(w.hash, f)
	}
	if err == nil {
		err = writeState(w.dir, st)
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return err
	}
	w.file = f
	return nil
}

// closed is the error of using a closed writer.
func (w *writer) closed() error {
	return fmt.Errorf("ingest %q: the writer is closed: %w", w.state.Ref, errdefs.ErrFailedPrecondition)
}

// Write appends to the blob.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return 0, w.closed()
	}
	// The tar of a layer has the holes of sparse files as zeros.
	hole, err := sparse.Write(int(w.file.Fd()), p)
	if err == nil && hole {
		err = w.file.Truncate(w.offset + int64(len(p)))
	}
	if err != nil {
		// What is there of p does not count: the next write takes its place.
		_, serr := w.file.Seek(w.offset, io.SeekStart)
		return 0, errors.Join(&fs.PathError{Op: "write", Path: w.file.Name(), Err: err}, serr)
	}
	w.hash.Write(p)
	w.offset += int64(len(p))
	w.state.UpdatedAt = time.Now().UTC()
	w.more.Broadcast()
	return len(p), nil
}

// Digest is that of what is written so far.
func (w *writer) Digest() digest.Digest {
	w.mu.Lock()
	defer w.mu.Unlock()
	return digest.NewDigest(digest.SHA256, w.hash)
}

// Status is that of the ingest.
func (w *writer) Status() (content.Status, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.status(w.offset), nil
}

// Truncate cuts what is written to size bytes.
func (w *writer) Truncate(size int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return w.closed()
	}
	if size < 0 || size > w.offset {
		return fmt.Errorf("truncate ingest %q to %d of %d bytes: %w", w.state.Ref, size, w.offset, errdefs.ErrInvalidArgument)
	}
	if err := w.file.Truncate(size); err != nil {
		return err
	}
	// A hash cannot go back: it starts again from what is left.
	w.hash.Reset()
	if _, err := io.Copy(w.hash, io.NewSectionReader(w.file, 0, size)); err != nil {
		return err
	}
	w.offset = size
	w.more.Broadcast()
	_, err := w.file.Seek(size, io.SeekStart)
	return err
}

// Sync makes what is written so far durable (content.Syncer).
func (w *writer) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return w.closed()
	}
	return w.file.Sync()
}

// Close lets go of the reference; the ingest stays and can be resumed.
func (w *writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	w.more.Broadcast()
	if serr := writeState(w.dir, w.state); err == nil {
		err = serr
	}
	w.store.release(w.state.Ref)
	return err
}

// Commit makes the blob visible and durable. After an error of kind
// FailedPrecondition (wrong size or digest) the ingest is still there; with
// AlreadyExists it is gone.
func (w *writer) Commit(_ context.Context, size int64, expected digest.Digest, opts ...content.Opt) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return w.closed()
	}
	var info content.Info
	for _, opt := range opts {
		if err := opt(&info); err != nil {
			return err
		}
	}
	keep := true
	defer func() {
		w.file.Close()
		w.file = nil
		w.more.Broadcast()
		if keep {
			writeState(w.dir, w.state) // the reason of the failure is what counts
		} else {
			os.RemoveAll(w.dir)
		}
		w.store.release(w.state.Ref)
	}()

	dgst := digest.NewDigest(digest.SHA256, w.hash)
	if size > 0 && size != w.offset {
		return fmt.Errorf("commit %q: size is %d, expected %d: %w", w.state.Ref, w.offset, size, errdefs.ErrFailedPrecondition)
	}
	if expected != "" && expected != dgst {
		return fmt.Errorf("commit %q: digest is %s, expected %s: %w", w.state.Ref, dgst, expected, errdefs.ErrFailedPrecondition)
	}
	// What follows makes it durable; who follows need not wait for that.
	w.verified = true
	w.more.Broadcast()
	// Held before it is looked for, so that it cannot be collected between.
	w.store.hold(dgst)
	if err := w.file.Chmod(0o400); err != nil {
		return fmt.Errorf("commit %q: %w", w.state.Ref, err)
	}
	if _, err := w.store.blobs.Get(dgst.String()); err != nil { // else syncing is a waste
		if err := w.file.Sync(); err != nil {
			return fmt.Errorf("commit %q: %w", w.state.Ref, err)
		}
	}
	// Two writers may have come here with the same blob.
	w.store.life.Lock()
	defer w.store.life.Unlock()
	if _, err := w.store.blobs.Get(dgst.String()); err == nil {
		keep = false
		return fmt.Errorf("blob %s: %w", dgst, errdefs.ErrAlreadyExists)
	}
	if err := durable.Rename(filepath.Join(w.dir, "data"), w.store.Path(dgst)); err != nil {
		return fmt.Errorf("commit %q: %w", w.state.Ref, err)
	}
	keep = false
	now := time.Now().UTC()
	rec := blob{Size: w.offset, CreatedAt: now, UpdatedAt: now, Labels: maps.Clone(info.Labels)}
	return w.store.blobs.Put(dgst.String(), rec)
}
