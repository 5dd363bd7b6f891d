package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"strings"

	"berth/store/diff"
	"berth/store/image"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// Layers returns what each step of an image's history did, oldest first.
func (is *Images) Layers(ctx context.Context, ref string) ([]Layer, error) {
	img, err := is.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	var layers []Layer
	for i, s := range img.History {
		l := Layer{Index: i, CreatedBy: s.CreatedBy, Comment: s.Comment, Created: s.Created, Empty: s.Layer < 0}
		if !l.Empty {
			stats, err := is.images.LayerStats(ctx, img, s.Layer)
			if err != nil {
				return nil, fmt.Errorf("counting the entries of layer %d of %s: %w", i, ref, err)
			}
			of := img.Layers[s.Layer]
			l.DiffID, l.ChainID, l.Digest = of.DiffID.String(), of.ChainID.String(), of.Descriptor.Digest.String()
			l.Size, l.Added, l.Modified, l.Deleted, l.Wasted = stats.Size, stats.Added, stats.Modified, stats.Deleted, stats.Wasted
		}
		layers = append(layers, l)
	}
	return layers, nil
}

// EntryOptions choose among the entries of a tree.
type EntryOptions struct {
	Union bool   // of a layer: the whole tree up to it, not only what it added, changed or deleted
	Dir   string // at and below it; "" is the root
	Depth int    // how far below Dir, without Dir itself; 0: all of it
	After string // begin behind this path
	Limit int    // at most so many; 0: all
}

// check refuses what is no path.
func (o *EntryOptions) check() error {
	for _, p := range []*string{&o.Dir, &o.After} {
		if *p == "" {
			continue
		}
		if !path.IsAbs(*p) {
			return kind(errdefs.ErrInvalidArgument, "%q is not an absolute path", *p)
		}
		*p = path.Clean(*p)
	}
	if o.Depth < 0 || o.Limit < 0 {
		return kind(errdefs.ErrInvalidArgument, "a depth and a limit must not be negative")
	}
	return nil
}

// LayerEntries iterates over what step n of an image's history left, ordered by path: the entries that it added,
// changed or deleted; with Union, the whole tree up to there. A step that made no layer has no entries of its own.
func (is *Images) LayerEntries(ctx context.Context, ref string, n int, o EntryOptions) (iter.Seq2[diff.UnionEntry, error], error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	img, layer, own, err := is.layer(ctx, ref, n)
	if err != nil {
		return nil, err
	}
	return func(yield func(diff.UnionEntry, error) bool) {
		indexes, err := is.images.Indexes(ctx, img, layer)
		if err != nil {
			yield(diff.UnionEntry{}, err)
			return
		}
		defer indexes.Close()
		if !own && !o.Union {
			return
		}
		part := diff.MergeOptions{Dir: o.Dir, Depth: o.Depth, After: o.After, Own: !o.Union}
		left := o.Limit
		for e, err := range diff.MergePart(indexes, part) {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && !own {
				if e.Kind == diff.Deleted {
					continue // by an earlier step: not in this tree
				}
				e.Kind = diff.Unchanged
			}
			if !yield(e, err) || err != nil {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}, nil
}

// layer finds the layer of step n: its own, or for a step without one (own is false) the last before it, -1 for none.
func (is *Images) layer(ctx context.Context, ref string, n int) (img image.Image, layer int, own bool, err error) {
	img, err = is.resolve(ctx, ref)
	if err != nil {
		return img, -1, false, err
	}
	steps := img.History
	if n < 0 || n >= len(steps) {
		return img, -1, false, kind(errdefs.ErrNotFound, "image %s has no layer %d: it has %d", familiar(ref), n, len(steps))
	}
	layer = -1
	for _, s := range steps[:n+1] {
		layer = max(layer, s.Layer)
	}
	return img, layer, steps[n].Layer >= 0, nil
}

// File opens a regular file as one sees it at step n of an image's history; of one that step n deleted, what it was.
// It returns the size in bytes. Links are not followed.
func (is *Images) File(ctx context.Context, ref string, n int, name string) (io.ReadCloser, int64, error) {
	img, layer, _, err := is.layer(ctx, ref, n)
	if err != nil {
		return nil, 0, err
	}
	name = path.Clean("/" + name)
	indexes, err := is.images.Indexes(ctx, img, layer)
	if err != nil {
		return nil, 0, err
	}
	defer indexes.Close()
	for e, err := range diff.Merge(indexes, name) {
		switch {
		case err != nil:
			return nil, 0, err
		case e.Path != name:
			continue
		case e.Type != diff.TypeRegular:
			return nil, 0, kind(errdefs.ErrInvalidArgument, "%s is not a regular file", name)
		}
		dirs, err := is.snapshots.Dirs(ctx, img.Layers[e.Layer].ChainID.String())
		if err != nil {
			return nil, 0, fmt.Errorf("finding layer %d of %s: %w", n, ref, err)
		}
		return openWithin(dirs.Upper, name)
	}
	return nil, 0, kind(errdefs.ErrNotFound, "no file %s in layer %d of %s", name, n, familiar(ref))
}

// openWithin opens the regular file name (absolute within dir) without leaving dir and without following links.
func openWithin(dir, name string) (io.ReadCloser, int64, error) {
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("opening %s: %w", dir, err)
	}
	defer unix.Close(root)
	return openRegular(root, name, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_MAGICLINKS)
}

// openRegular opens name below the directory root, looked up as resolve says. It looks before it opens: the name may be
// a device or a pipe, which opening would act upon.
func openRegular(root int, name string, resolve uint64) (io.ReadCloser, int64, error) {
	refuse := func(err error) (io.ReadCloser, int64, error) {
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			return nil, 0, kind(errdefs.ErrNotFound, "no file %s", name)
		case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV):
			return nil, 0, kind(errdefs.ErrInvalidArgument, "%s leads out of the tree or in circles", name)
		}
		return nil, 0, fmt.Errorf("opening %s: %w", name, err)
	}
	relative := strings.TrimPrefix(path.Clean("/"+name), "/")
	if relative == "" {
		relative = "."
	}
	fd, err := unix.Openat2(root, relative, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolve})
	if err != nil {
		return refuse(err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return refuse(err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, 0, kind(errdefs.ErrInvalidArgument, "%s is not a regular file", name)
	}
	// The descriptor names the very file that was looked at, whatever the path names by now.
	f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return refuse(err)
	}
	return f, st.Size, nil
}
