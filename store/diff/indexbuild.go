package diff

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// BuildIndex makes the index of a layer directory that has none, because
// somebody else filled it or an earlier version did, as the file at path. It
// reads every file for its digest.
func BuildIndex(ctx context.Context, dir, path string) error {
	err := writeIndexFile(path, func(w *indexWriter) error {
		return scanTree(ctx, dir, &scan{w: w, digests: true})
	})
	if err != nil {
		return fmt.Errorf("index %s: %w", dir, err)
	}
	return nil
}

// Scan makes an index of an upper directory as it is now; it may be in use.
// Entries have no digest: nothing is read but directories. omit, if set, tells
// which paths are left out, with all below. The index takes its room in the
// directory temp until it is closed.
func Scan(ctx context.Context, dir, temp string, omit func(path string) bool) (_ *Index, err error) {
	f, err := os.CreateTemp(temp, ".scan-")
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", dir, err)
	}
	// Nobody else needs its name, and a crash leaves nothing.
	if err = os.Remove(f.Name()); err == nil {
		err = encodeIndex(f, func(w *indexWriter) error {
			return scanTree(ctx, dir, &scan{w: w, omit: omit})
		})
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("index %s: %w", dir, err)
	}
	return newIndex(f)
}

// scan walks a layer directory in the order of ComparePaths.
type scan struct {
	ctx     context.Context
	w       *indexWriter
	digests bool
	omit    func(path string) bool
	links   map[inode]Entry // first names of files with several
}

func scanTree(ctx context.Context, dir string, s *scan) error {
	s.ctx, s.links = ctx, make(map[inode]Entry)
	fd, err := unix.Open(dir, openDir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	return s.dir("/", fd, &st, ".", fd)
}

// dir adds an open directory, called name in parent, and what is in it.
func (s *scan) dir(path string, parent int, st *unix.Stat_t, name string, fd int) error {
	e := statEntry(path, TypeDir, st)
	e.Opaque = path != "/" && isOpaque(fd)
	if err := s.add(e, parent, name); err != nil {
		return err
	}
	names, err := readNames(fd)
	if err != nil {
		return ignoreVanished(err)
	}
	slices.Sort(names)
	for _, n := range names {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		p := join(path, n)
		if s.omit != nil && s.omit(p) {
			continue
		}
		err := checkDepth(p, 0)
		if err == nil {
			err = ignoreVanished(s.entry(p, fd, n))
		}
		if err != nil {
			return inTree(p, err)
		}
	}
	return nil
}

func ignoreVanished(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// entry adds one name of an open directory, and what is below it.
func (s *scan) entry(path string, fd int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if isWhiteout(&st) {
		return s.w.add(&Entry{Path: path, Type: TypeWhiteout})
	}
	t := typeOf(&st)
	e := statEntry(path, t, &st)
	switch t {
	case 0:
		return nil // a socket, which layers cannot hold
	case TypeDir:
		sub, err := unix.Openat(fd, name, openDir, 0)
		if err != nil {
			return err
		}
		defer unix.Close(sub)
		return s.dir(path, fd, &st, name, sub)
	case TypeSymlink:
		e.Link = linkOf(fd, name, &st)
	case TypeRegular:
		return s.file(e, &st, fd, name)
	}
	return s.add(e, fd, name)
}

// file adds a regular file, or a further name of one.
func (s *scan) file(e Entry, st *unix.Stat_t, fd int, name string) error {
	id := inode{st.Dev, st.Ino}
	if first, ok := s.links[id]; ok {
		e.Link, e.Size, e.Digest = first.Path, 0, first.Digest
		return s.add(e, fd, name)
	}
	if s.digests {
		src, err := unix.Openat(fd, name, openFile, 0)
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, contextReader{s.ctx, fdReader(src)})
		unix.Close(src)
		if err != nil {
			return err
		}
		e.Digest = digest.NewDigest(digest.SHA256, h)
	}
	if st.Nlink > 1 {
		s.links[id] = e
	}
	return s.add(e, fd, name)
}

// add writes an entry with the hash of its attributes.
func (s *scan) add(e Entry, fd int, name string) error {
	attrs, err := listXattrs(fd, name)
	if err != nil {
		return err
	}
	e.Attrs = hashAttrs(attrs)
	return s.w.add(&e)
}
