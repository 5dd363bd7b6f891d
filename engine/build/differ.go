package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"berth/store/diff"

	"github.com/containerd/containerd/v2/core/content"
	ctddiff "github.com/containerd/containerd/v2/core/diff"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// differ makes layers of what steps changed, as a commit of a container does: from
// the upper directory alone, with all hard links. Other pairs of trees are compared
// by fallback.
type differ struct {
	blobs    content.Store
	fallback ctddiff.Comparer
}

// Compare implements diff.Comparer.
func (d differ) Compare(ctx context.Context, lower, upper []mount.Mount, opts ...ctddiff.Opt) (ocispec.Descriptor, error) {
	below, ok := layerDirs(lower)
	all, ok2 := layerDirs(upper)
	if !ok || !ok2 || len(all) != len(below)+1 || !slices.Equal(all[1:], below) {
		return d.fallback.Compare(ctx, lower, upper, opts...)
	}
	cfg := ctddiff.Config{MediaType: ocispec.MediaTypeImageLayer}
	for _, opt := range opts {
		if err := opt(&cfg); err != nil {
			return ocispec.Descriptor{}, err
		}
	}
	desc, err := d.write(ctx, all[0], below, cfg)
	if err != nil {
		return desc, fmt.Errorf("make a layer of a build step: %w", err)
	}
	return desc, nil
}

// layerDirs are the directories of a mounted tree, topmost first.
func layerDirs(mounts []mount.Mount) (dirs []string, ok bool) {
	if len(mounts) == 0 {
		return nil, true
	}
	if len(mounts) > 1 {
		return nil, false
	}
	switch m := mounts[0]; m.Type {
	case "bind":
		return []string{m.Source}, true
	case "overlay":
		for _, o := range m.Options {
			if dir, ok := strings.CutPrefix(o, "upperdir="); ok {
				dirs = append([]string{dir}, dirs...)
			} else if list, ok := strings.CutPrefix(o, "lowerdir="); ok {
				dirs = append(dirs, strings.Split(list, ":")...)
			}
		}
		return dirs, true
	}
	return nil, false
}

// write writes the layer directory upper into the content store.
func (d differ) write(ctx context.Context, upper string, below []string, cfg ctddiff.Config) (_ ocispec.Descriptor, err error) {
	o := diff.TarOptions{Layer: true}
	if len(below) > 0 {
		if o.Omit, o.Root, err = unchanged(ctx, upper, below); err != nil {
			return ocispec.Descriptor{}, err
		}
	}
	if cfg.Reference == "" {
		cfg.Reference = "layer-" + newID()
	}
	cw, err := content.OpenWriter(ctx, d.blobs, content.WithRef(cfg.Reference), content.WithDescriptor(ocispec.Descriptor{MediaType: cfg.MediaType}))
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer func() {
		cw.Close()
		if err != nil {
			err = errors.Join(err, ignoreMissing(d.blobs.Abort(context.WithoutCancel(ctx), cfg.Reference)))
		}
	}()
	if err := cw.Truncate(0); err != nil {
		return ocispec.Descriptor{}, err
	}
	var compress io.WriteCloser = nopCloser{cw}
	if cfg.Compressor != nil {
		if compress, err = cfg.Compressor(cw, cfg.MediaType); err != nil {
			return ocispec.Descriptor{}, err
		}
	}
	plain := digest.SHA256.Digester()
	buf := bufio.NewWriterSize(io.MultiWriter(compress, plain.Hash()), 1<<20)
	err = diff.WriteTar(ctx, buf, upper, o)
	if err == nil {
		err = buf.Flush()
	}
	if err = errors.Join(err, compress.Close()); err != nil {
		return ocispec.Descriptor{}, err
	}
	labels := map[string]string{uncompressedLabel: plain.Digest().String()}
	for k, v := range cfg.Labels {
		labels[k] = v
	}
	if err := cw.Commit(ctx, 0, "", content.WithLabels(labels)); err != nil && !errdefs.IsAlreadyExists(err) {
		return ocispec.Descriptor{}, err
	}
	info, err := d.blobs.Info(ctx, cw.Digest())
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	if info.Labels[uncompressedLabel] == "" {
		info.Labels = labels
		if _, err := d.blobs.Update(ctx, info, "labels."+uncompressedLabel); err != nil {
			return ocispec.Descriptor{}, err
		}
	}
	return ocispec.Descriptor{MediaType: cfg.MediaType, Digest: info.Digest, Size: info.Size}, nil
}

// unchanged tells which directories of upper are only there because something was in
// them and is not any more, such as a mount point; and whether the root differs.
func unchanged(ctx context.Context, upper string, below []string) (omit func(string) bool, root bool, err error) {
	changed := make(map[string]bool) // and the directories on the way there
	compare := diff.Comparer{Shallow: true}
	for c, err := range compare.Changes(ctx, upper, below) {
		if err != nil {
			return nil, false, err
		}
		for p := c.Path; p != "/" && !changed[p]; p = path.Dir(p) {
			changed[p] = true
		}
	}
	var a, b unix.Stat_t
	if err := errors.Join(unix.Stat(upper, &a), unix.Stat(below[0], &b)); err != nil {
		return nil, false, err
	}
	return func(name string) bool {
		if changed[name] {
			return false
		}
		in, err := os.ReadDir(filepath.Join(upper, name))
		return err == nil && len(in) == 0
	}, a.Mode != b.Mode || a.Uid != b.Uid || a.Gid != b.Gid, nil
}

// ignoreMissing takes it for no error that something is not there.
func ignoreMissing(err error) error {
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
