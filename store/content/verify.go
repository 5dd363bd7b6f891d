package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
)

// Verify reads a blob again. One that is gone from disk or is not what its
// digest says is of kind DataLoss, one that the store does not know NotFound.
func (s *Store) Verify(ctx context.Context, dgst digest.Digest) error {
	if err := check(dgst); err != nil {
		return err
	}
	b, err := s.blobs.Get(dgst.String())
	if err != nil {
		return err
	}
	f, err := os.Open(s.Path(dgst))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := s.blobs.Get(dgst.String()); err != nil {
			return err // deleted just now
		}
		return fmt.Errorf("blob %s is gone: %w", dgst, errdefs.ErrDataLoss)
	}
	if err != nil {
		return fmt.Errorf("verify blob %s: %w", dgst, err)
	}
	defer f.Close()
	v := digest.SHA256.Digester()
	n, err := io.CopyBuffer(struct{ io.Writer }{v.Hash()}, io.NewSectionReader(f, 0, 1<<62), make([]byte, 1<<20))
	switch {
	case err != nil:
		return fmt.Errorf("verify blob %s: %w: %w", dgst, err, errdefs.ErrDataLoss)
	case n != b.Size:
		return fmt.Errorf("blob %s has %d bytes, not %d: %w", dgst, n, b.Size, errdefs.ErrDataLoss)
	case v.Digest() != dgst:
		return fmt.Errorf("blob %s has the content %s: %w", dgst, v.Digest(), errdefs.ErrDataLoss)
	}
	return ctx.Err()
}

// Discard forgets a blob and removes what there is of it.
func (s *Store) Discard(dgst digest.Digest) error {
	if err := check(dgst); err != nil {
		return err
	}
	s.life.Lock()
	defer s.life.Unlock()
	err := s.blobs.Delete(dgst.String())
	if rerr := os.Remove(s.Path(dgst)); err == nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = rerr
	}
	return err
}

// Strays returns the files among the blobs that no record is of. With remove
// they are removed.
func (s *Store) Strays(remove bool) ([]string, error) {
	s.life.Lock() // a blob's file and record change together under it
	defer s.life.Unlock()
	known := make(map[string]bool)
	err := s.blobs.ForEach(func(key string, _ blob) error {
		known[digest.Digest(key).Encoded()] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(s.blobDir())
	if err != nil {
		return nil, err
	}
	var strays []string
	for _, f := range files {
		if known[f.Name()] {
			continue
		}
		path := filepath.Join(s.blobDir(), f.Name())
		strays = append(strays, path)
		if remove {
			if err := os.RemoveAll(path); err != nil {
				return strays, err
			}
		}
	}
	return strays, nil
}
