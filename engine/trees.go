package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"berth/store/diff"
	"berth/store/image"

	"github.com/containerd/errdefs"
)

// Trees are the file systems that images, layers and containers make. A tree is named by
//
//	IMAGE             all layers of an image (a name, a digest, an ID)
//	IMAGE@layerN      its layers up to step N of its history, as Layers counts them
//	IMAGE@DIGEST      its layers up to the one with this diff ID, chain ID or blob digest, or the beginning of one
//	DIGEST            one layer by itself: what it holds, without those below
//	CONTAINER         the file system of a container: its image and what it changed, without what is mounted
//	CONTAINER@live    the container's writable layer by itself
//
// An image goes before a container of the same name; "image:NAME" and "container:NAME" mean one of the two.
//
// Everything is read from the layers and their indexes as it is asked for. Nothing is mounted or copied for it but the
// archive of a tree, which comes from a read-only mount of its own.
type Trees struct {
	images     *Images
	containers *Containers
	temp       string // where indexes of writable layers may be made
}

// tree is an open tree.
type tree struct {
	*diff.Tree
	label string
	// root opens the directory that an archive is made of; layer tells that it has overlay's whiteouts.
	root  func(context.Context) (*os.File, error)
	layer bool
	done  func() // what the files need no longer; may be nil
}

// Close ends the use of the tree.
func (t *tree) Close() error {
	err := t.Tree.Close()
	if t.done != nil {
		t.done()
	}
	return err
}

// open opens the tree that a name means. Close it after use.
func (ts *Trees) open(ctx context.Context, name string) (*tree, error) {
	rest, onlyImage := strings.CutPrefix(name, "image:")
	rest, onlyContainer := strings.CutPrefix(rest, "container:")
	if of, ok := strings.CutSuffix(rest, "@live"); ok && !onlyImage {
		return ts.ofContainer(ctx, of, name, true)
	}
	missing := kind(errdefs.ErrNotFound, "No such image, container or layer: %s", name)
	if !onlyContainer {
		t, err := ts.ofImage(ctx, rest, name)
		if !errdefs.IsNotFound(err) && !(errdefs.IsInvalidArgument(err) && !onlyImage && !strings.Contains(rest, "@")) {
			return t, err
		}
		if onlyImage || strings.Contains(rest, "@") {
			return nil, err
		}
	}
	t, err := ts.ofContainer(ctx, rest, name, false)
	if errdefs.IsNotFound(err) && !onlyContainer {
		if t, err = ts.ofLayer(ctx, rest, name); errdefs.IsNotFound(err) {
			err = missing
		}
	}
	return t, err
}

// ofImage opens an image, or its layers up to one.
func (ts *Trees) ofImage(ctx context.Context, ref, label string) (*tree, error) {
	img, err := ts.images.resolve(ctx, ref)
	layer := len(img.Layers) - 1
	if i := strings.LastIndexByte(ref, '@'); i > 0 && errdefs.IsNotFound(err) || i > 0 && errdefs.IsInvalidArgument(err) {
		if img, layer, err = ts.layerOf(ctx, ref[:i], ref[i+1:]); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	t, err := ts.images.images.Tree(ctx, img, layer)
	if err != nil {
		return nil, err
	}
	return &tree{Tree: t, label: label, root: func(ctx context.Context) (*os.File, error) {
		if layer < 0 {
			return nil, kind(errdefs.ErrNotFound, "%s has no layers", label)
		}
		return ts.containers.viewLayers(ctx, img.Layers[layer].ChainID.String())
	}}, nil
}

// layerOf finds the layer of an image that "layer3", or the beginning of a digest, means; -1 if the image has none yet.
func (ts *Trees) layerOf(ctx context.Context, ref, which string) (image.Image, int, error) {
	if number, ok := strings.CutPrefix(which, "layer"); ok {
		n, err := strconv.Atoi(number)
		if err != nil {
			return image.Image{}, 0, kind(errdefs.ErrInvalidArgument, "%q is no layer: want layerN with a number, or a digest", which)
		}
		img, layer, _, err := ts.images.layer(ctx, ref, n)
		return img, layer, err
	}
	img, err := ts.images.resolve(ctx, ref)
	if err != nil {
		return img, 0, err
	}
	for i, l := range img.Layers {
		if isLayer(l, which) {
			return img, i, nil
		}
	}
	return img, 0, kind(errdefs.ErrNotFound, "image %s has no layer %s", familiar(ref), which)
}

// isLayer tells whether digest is one of a layer's, or the beginning of one.
func isLayer(l image.Layer, digest string) bool {
	digest = strings.TrimPrefix(digest, "sha256:")
	if len(digest) < 6 {
		return false // too likely to be something else
	}
	for _, d := range []string{l.DiffID.String(), l.ChainID.String(), l.Descriptor.Digest.String()} {
		if strings.HasPrefix(strings.TrimPrefix(d, "sha256:"), digest) {
			return true
		}
	}
	return false
}

// ofLayer opens one layer by itself.
func (ts *Trees) ofLayer(ctx context.Context, digest, label string) (*tree, error) {
	all, err := ts.images.images.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for layer %s: %w", digest, err)
	}
	var found *image.Layer
	for _, img := range all {
		for _, l := range img.Layers {
			if !isLayer(l, digest) {
				continue
			}
			if found != nil && found.DiffID != l.DiffID {
				return nil, kind(errdefs.ErrInvalidArgument, "several layers begin with %s", digest)
			}
			found = &l
		}
	}
	if found == nil {
		return nil, kind(errdefs.ErrNotFound, "No such layer: %s", digest)
	}
	t, err := ts.images.images.LayerTree(ctx, found.ChainID)
	if err != nil {
		return nil, err
	}
	return &tree{Tree: t, label: label, layer: true, root: openDir(t.Dirs[0])}, nil
}

// openDir opens a directory of the store.
func openDir(dir string) func(context.Context) (*os.File, error) {
	return func(context.Context) (*os.File, error) { return os.Open(dir) }
}

// ofContainer opens a container, or with own only its writable layer.
func (ts *Trees) ofContainer(ctx context.Context, ref, label string, own bool) (_ *tree, err error) {
	c, err := ts.containers.get(ref)
	if err != nil {
		return nil, err
	}
	snapshots := ts.images.snapshots
	dirs, done, err := snapshots.Delta(ctx, snapshotKey(c.id))
	if err != nil {
		return nil, fmt.Errorf("find the writable layer of container %s: %w", c.id, err)
	}
	defer func() {
		if err != nil {
			done()
		}
	}()
	omit, err := ts.containers.ownFiles(ctx, c.id)
	if err != nil {
		return nil, err
	}
	t := &diff.Tree{Dirs: []string{dirs.Upper}}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
		}
	}()
	if !own {
		// By the snapshots: the image may be gone.
		t.Dirs = append(t.Dirs, dirs.Lower...)
		info, err := snapshots.Stat(ctx, snapshotKey(c.id))
		if err != nil {
			return nil, err
		}
		below, err := ts.images.images.Chain(ctx, info.Parent)
		if err != nil {
			return nil, err
		}
		t.Indexes = below
	}
	live, err := diff.Scan(ctx, dirs.Upper, ts.temp, omit)
	if err != nil {
		return nil, err
	}
	t.Indexes = append(t.Indexes, live)
	if own {
		return &tree{Tree: t, label: label, layer: true, done: done, root: openDir(dirs.Upper)}, nil
	}
	return &tree{Tree: t, label: label, done: done, root: func(ctx context.Context) (*os.File, error) { return ts.containers.OpenRoot(ctx, c.id) }}, nil
}

// Entries iterates over a tree, or a part of it; Kind tells what its topmost layer did: of a container, what the
// container did. What that deleted is part of the answer unless Union is set.
func (ts *Trees) Entries(ctx context.Context, name string, o EntryOptions) (iter.Seq2[diff.UnionEntry, error], error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	t, err := ts.open(ctx, name)
	if err != nil {
		return nil, err
	}
	return func(yield func(diff.UnionEntry, error) bool) {
		defer t.Close()
		left := o.Limit
		for e, err := range diff.MergePart(t.Indexes, diff.MergeOptions{Dir: o.Dir, Depth: o.Depth, After: o.After}) {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && e.Kind == diff.Deleted && o.Union {
				continue
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

// Compare iterates over the paths at which two trees differ.
func (ts *Trees) Compare(ctx context.Context, from, to string, o diff.CompareOptions) (iter.Seq2[diff.Difference, error], error) {
	if o.Dir != "" {
		if !path.IsAbs(o.Dir) {
			return nil, kind(errdefs.ErrInvalidArgument, "%q is not an absolute path", o.Dir)
		}
		o.Dir = path.Clean(o.Dir)
	}
	a, err := ts.open(ctx, from)
	if err != nil {
		return nil, err
	}
	b, err := ts.open(ctx, to)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return func(yield func(diff.Difference, error) bool) {
		defer a.Close()
		defer b.Close()
		diff.Compare(ctx, a.Tree, b.Tree, o)(yield)
	}, nil
}

// newTrees shows what images and containers there are. Indexes of writable layers are made in root.
func newTrees(images *Images, containers *Containers, root string) *Trees {
	return &Trees{images: images, containers: containers, temp: filepath.Clean(root)}
}
