// Package content keeps blobs by digest. It implements containerd's
// content.Store on a directory that is laid out as an OCI image layout
// (image-spec, image-layout.md):
//
//	blobs/sha256/<hex>      complete blobs, never written again
//	ingests/<key>/data      what has arrived of a blob being written
//	ingests/<key>/state     its reference, expected digest and times (JSON)
//
// <key> is the SHA-256 of the reference. Sizes, times and labels of blobs are
// records of the meta database and are written last: a blob without a record
// is the leftover of a crash and goes at Open, and so does an ingest that
// nobody can resume (no expected digest was given) or that is a week old.
//
// Lock order: writer.mu, Store.life, Store.mu.
package content

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/pkg/filters"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store/meta"
)

// Store implements content.Store. Make one with Open.
type Store struct {
	root  string
	blobs meta.Bucket[blob]
	hold  func(digest.Digest)

	life sync.Mutex // a blob's file and record change together under it

	mu      sync.Mutex
	writers map[string]*writer // by reference
}

var _ content.Store = (*Store)(nil)

// blob is the record of a complete blob.
type blob struct {
	Size      int64             `json:"size"`
	CreatedAt time.Time         `json:"created"`
	UpdatedAt time.Time         `json:"updated"`
	Labels    map[string]string `json:"labels,omitempty"`
}

// Options tune Open.
type Options struct {
	// Hold, if set, is called with the digest of every blob that a writer is
	// about to complete or found present, before that is visible, so that a
	// collector of garbage can spare it.
	Hold func(digest.Digest)
}

// Open opens or creates the store in directory root, with its records in db,
// and removes what a crash left behind.
func Open(root string, db *meta.DB, opts Options) (*Store, error) {
	s := &Store{root: root, hold: opts.Hold, writers: make(map[string]*writer)}
	if s.hold == nil {
		s.hold = func(digest.Digest) {}
	}
	for _, dir := range []string{s.blobDir(), s.ingestDir("")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("open content store: %w", err)
		}
	}
	layout := filepath.Join(root, ocispec.ImageLayoutFile)
	if _, err := os.Stat(layout); errors.Is(err, fs.ErrNotExist) {
		version := `{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`
		if err := os.WriteFile(layout, []byte(version), 0o600); err != nil {
			return nil, fmt.Errorf("open content store: %w", err)
		}
	}
	var err error
	if s.blobs, err = meta.NewBucket[blob](db, "blobs"); err != nil {
		return nil, err
	}
	if err := s.clean(); err != nil {
		return nil, fmt.Errorf("clean content store %s: %w", root, err)
	}
	return s, nil
}

// Root is the directory of the store.
func (s *Store) Root() string { return s.root }

func (s *Store) blobDir() string { return filepath.Join(s.root, "blobs", "sha256") }

// Path is the file of a blob, whether or not it exists.
func (s *Store) Path(dgst digest.Digest) string {
	return filepath.Join(s.blobDir(), dgst.Encoded())
}

// clean removes blobs without a record, records without a blob, and ingests
// that cannot or will not be resumed.
func (s *Store) clean() error {
	known := make(map[string]bool)
	err := s.blobs.ForEach(func(key string, b blob) error {
		dgst := digest.Digest(key)
		fi, err := os.Lstat(s.Path(dgst))
		if err == nil && fi.Size() == b.Size {
			known[dgst.Encoded()] = true
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return s.blobs.Delete(key)
	})
	if err != nil {
		return err
	}
	files, err := os.ReadDir(s.blobDir())
	if err != nil {
		return err
	}
	for _, f := range files {
		if !known[f.Name()] {
			if err := os.RemoveAll(filepath.Join(s.blobDir(), f.Name())); err != nil {
				return err
			}
		}
	}
	return s.cleanIngests()
}

func check(dgst digest.Digest) error {
	if err := dgst.Validate(); err != nil {
		return fmt.Errorf("digest %q: %w: %w", dgst, err, errdefs.ErrInvalidArgument)
	}
	if dgst.Algorithm() != digest.SHA256 {
		return fmt.Errorf("digest %q: only sha256 is supported: %w", dgst, errdefs.ErrInvalidArgument)
	}
	return nil
}

// Info returns what is known of a blob, or an error of kind NotFound.
func (s *Store) Info(_ context.Context, dgst digest.Digest) (content.Info, error) {
	if err := check(dgst); err != nil {
		return content.Info{}, err
	}
	b, err := s.blobs.Get(dgst.String())
	if err != nil {
		return content.Info{}, err
	}
	return b.info(dgst), nil
}

func (b blob) info(dgst digest.Digest) content.Info {
	return content.Info{Digest: dgst, Size: b.Size, CreatedAt: b.CreatedAt, UpdatedAt: b.UpdatedAt, Labels: b.Labels}
}

// Update replaces the labels of a blob, or with field paths of the form
// "labels" and "labels.<key>" only those.
func (s *Store) Update(_ context.Context, info content.Info, fieldpaths ...string) (content.Info, error) {
	if err := check(info.Digest); err != nil {
		return content.Info{}, err
	}
	var b blob
	err := s.blobs.Change(func(tx meta.TxBucket[blob]) (err error) {
		if b, err = tx.Get(info.Digest.String()); err != nil {
			return err
		}
		if b.Labels, err = meta.UpdateLabels(b.Labels, info.Labels, fieldpaths); err != nil {
			return fmt.Errorf("update blob %s: %w", info.Digest, err)
		}
		b.UpdatedAt = time.Now().UTC()
		return tx.Put(info.Digest.String(), b)
	})
	if err != nil {
		return content.Info{}, err
	}
	return b.info(info.Digest), nil
}

// Walk calls fn for each blob that matches one of the filters, or for all.
func (s *Store) Walk(_ context.Context, fn content.WalkFunc, fs ...string) error {
	filter, err := filters.ParseAll(fs...)
	if err != nil {
		return fmt.Errorf("walk blobs: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return s.blobs.ForEach(func(key string, b blob) error {
		info := b.info(digest.Digest(key))
		if !filter.Match(content.AdaptInfo(info)) {
			return nil
		}
		return fn(info)
	})
}

// Delete removes a blob. Readers that are open keep working.
func (s *Store) Delete(_ context.Context, dgst digest.Digest) error {
	if err := check(dgst); err != nil {
		return err
	}
	s.life.Lock()
	defer s.life.Unlock()
	err := s.blobs.Change(func(tx meta.TxBucket[blob]) error {
		if _, err := tx.Get(dgst.String()); err != nil {
			return err
		}
		return tx.Delete(dgst.String())
	})
	if err != nil {
		return err
	}
	return os.Remove(s.Path(dgst))
}

// ReaderAt opens a blob for reading.
func (s *Store) ReaderAt(_ context.Context, desc ocispec.Descriptor) (content.ReaderAt, error) {
	if err := check(desc.Digest); err != nil {
		return nil, err
	}
	b, err := s.blobs.Get(desc.Digest.String())
	if err != nil {
		return nil, err
	}
	f, err := os.Open(s.Path(desc.Digest))
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", desc.Digest, err)
	}
	return &reader{File: f, size: b.Size}, nil
}

// reader is an open blob.
type reader struct {
	*os.File
	size int64
}

func (r *reader) Size() int64 { return r.size }
