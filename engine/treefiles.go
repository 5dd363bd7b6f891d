package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"berth/store/diff"

	"github.com/aymanbagabas/go-udiff"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
)

// File opens a regular file of a tree and returns its size in bytes. Links are followed within the tree.
func (ts *Trees) File(ctx context.Context, name, file string) (io.ReadCloser, int64, error) {
	t, err := ts.open(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	defer t.Close()
	if file, err = t.Follow(path.Clean("/" + file)); err != nil {
		return nil, 0, err
	}
	f, err := t.Open(file)
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, fi.Size(), nil
}

// Archive writes a file or directory of a tree, with all that is in it, as a tar stream; of "/", everything. Of one
// layer by itself the archive has the form of a layer: deletions are whiteouts. Nothing is written if there is no such
// path.
func (ts *Trees) Archive(ctx context.Context, name, file string, w io.Writer) error {
	t, err := ts.open(ctx, name)
	if err != nil {
		return err
	}
	defer t.Close()
	file = path.Clean("/" + file)
	if dir, base := path.Split(file); base != "" && !t.layer {
		// The links on the way, not one at the end of it.
		if dir, err = t.Follow(dir); err != nil {
			return err
		}
		file = path.Join(dir, base)
	}
	if file != "/" {
		if _, err := t.Lookup(file); err != nil {
			return err
		}
	}
	root, err := t.root(ctx)
	if err != nil {
		return err
	}
	defer root.Close() // read only: nothing can be lost
	return diff.WriteTarPath(ctx, w, root, file, diff.TarOptions{Layer: t.layer, Root: true})
}

// LayerTar writes the layer of step n of an image's history as the tar that its diff ID is the digest of.
func (is *Images) LayerTar(ctx context.Context, ref string, n int, w io.Writer) error {
	img, layer, own, err := is.layer(ctx, ref, n)
	if err != nil {
		return err
	}
	if !own {
		return kind(errdefs.ErrInvalidArgument, "step %d of image %s made no layer", n, familiar(ref))
	}
	return is.images.LayerTar(ctx, w, img.Layers[layer])
}

// Waste tells what an image carries and nobody can see.
func (is *Images) Waste(ctx context.Context, ref string) (diff.Waste, error) {
	img, err := is.resolve(ctx, ref)
	if err != nil {
		return diff.Waste{}, err
	}
	indexes, err := is.images.Indexes(ctx, img, len(img.Layers)-1)
	if err != nil {
		return diff.Waste{}, err
	}
	defer indexes.Close()
	return diff.Analyze(indexes)
}

const (
	// textLimit is the largest file of which a text diff is made, in bytes.
	textLimit = 4 << 20
	// sniffed is how much of a file is looked at to tell text from other content, as git does.
	sniffed = 8000
)

// FileDiff is the difference of one file between two trees as a unified diff, "" if there is none. A file that one of
// them does not have is empty there; of a link, its target is compared. Of what is no text, or is too large, it says so.
func (ts *Trees) FileDiff(ctx context.Context, from, to, file string) (string, error) {
	file = path.Clean("/" + file)
	a, err := ts.content(ctx, from, file)
	if err != nil {
		return "", err
	}
	b, err := ts.content(ctx, to, file)
	if err != nil {
		return "", err
	}
	switch {
	case a.absent && b.absent:
		return "", kind(errdefs.ErrNotFound, "neither %s nor %s has a file %s", from, to, file)
	case a.digest != "" && a.digest == b.digest:
		return "", nil
	case a.large || b.large:
		return fmt.Sprintf("Files %s and %s are too large for a text diff (%d and %d bytes)\n", a.label, b.label, a.size, b.size), nil
	case bytes.Equal(a.data, b.data) && a.absent == b.absent:
		return "", nil
	case a.binary() || b.binary():
		return fmt.Sprintf("Binary files %s and %s differ\n", a.label, b.label), nil
	}
	return udiff.Unified(a.label, b.label, string(a.data), string(b.data)), nil
}

// content is what a tree has at a path.
type content struct {
	label         string
	data          []byte
	digest        digest.Digest // "" where it is not known
	size          int64
	absent, large bool
}

func (c *content) binary() bool {
	return bytes.IndexByte(c.data[:min(len(c.data), sniffed)], 0) >= 0
}

func (ts *Trees) content(ctx context.Context, name, file string) (c content, err error) {
	t, err := ts.open(ctx, name)
	if err != nil {
		return c, err
	}
	defer t.Close()
	c.label = t.label + ":" + file
	e, err := t.Lookup(file)
	switch {
	case errdefs.IsNotFound(err):
		c.absent, c.label = true, "/dev/null"
		return c, nil
	case err != nil:
		return c, err
	case e.Type == diff.TypeSymlink:
		c.data = []byte(e.Link)
		return c, nil
	case e.Type != diff.TypeRegular:
		return c, kind(errdefs.ErrInvalidArgument, "%s is not a regular file", c.label)
	}
	f, err := t.Open(file)
	if err != nil {
		return c, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return c, err
	}
	c.digest = e.Digest
	if c.size = fi.Size(); c.size > textLimit {
		c.large = true
		return c, nil
	}
	c.data, err = io.ReadAll(io.LimitReader(f, textLimit))
	return c, err
}
