package build

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"berth/store/gc"
	"berth/store/image"
	"berth/store/snapshot"

	"github.com/containerd/containerd/v2/core/diff"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// storedName is the store's name of a snapshot that BuildKit calls name: layers of
// images, called by their chain IDs, are the ones that containers use; all others
// are marked as a build's.
func storedName(name string) string {
	if name == "" || strings.HasPrefix(name, "sha256:") {
		return name
	}
	return gc.BuildPrefix + name
}

// shownName is BuildKit's name of a snapshot of the store.
func shownName(name string) string { return strings.TrimPrefix(name, gc.BuildPrefix) }

// buildSnapshots shows the store's snapshots under BuildKit's names.
//
// BuildKit unpacks a layer of an image into a snapshot "extract-<random> <chain ID>",
// which it then commits as the chain ID. That is the image store's business: it does
// it once for all who want the layer, and with an index. So such a snapshot is only
// a name here; Apply has the image store make the layer, and Commit finds it there.
type buildSnapshots struct {
	snapshot.Snapshotter
	images *image.Store

	mu      sync.Mutex
	parents map[string]string // of snapshots that are only names
}

const (
	extractPrefix = "extract-"
	layerType     = "berth-layer" // of the mount that stands for a snapshot that is only a name
)

// layerOf is the chain ID that an extraction is for.
func layerOf(key string) (chainID digest.Digest, ok bool) {
	_, chain, found := strings.Cut(key, " ")
	return digest.Digest(chain), found && strings.HasPrefix(key, extractPrefix)
}

// Prepare implements snapshots.Snapshotter.
func (s *buildSnapshots) Prepare(ctx context.Context, key, parent string, opts ...snapshots.Opt) ([]mount.Mount, error) {
	// A layer on top of one that was built here under another name is unpacked like any tree.
	if _, ok := layerOf(key); ok && (parent == "" || strings.HasPrefix(parent, "sha256:")) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.parents[key] = parent
		return s.named(key), nil
	}
	return s.Snapshotter.Prepare(ctx, storedName(key), storedName(parent), opts...)
}

// named are the mounts of a snapshot that is only a name.
func (s *buildSnapshots) named(key string) []mount.Mount {
	return []mount.Mount{{Type: layerType, Source: key}}
}

// parentOf is the parent of a snapshot that is only a name.
func (s *buildSnapshots) parentOf(key string) (parent string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parent, ok = s.parents[key]
	return parent, ok
}

// Mounts implements snapshots.Snapshotter.
func (s *buildSnapshots) Mounts(ctx context.Context, key string) ([]mount.Mount, error) {
	if _, ok := s.parentOf(key); ok {
		return s.named(key), nil
	}
	return s.Snapshotter.Mounts(ctx, storedName(key))
}

// View implements snapshots.Snapshotter.
func (s *buildSnapshots) View(ctx context.Context, key, parent string, opts ...snapshots.Opt) ([]mount.Mount, error) {
	return s.Snapshotter.View(ctx, storedName(key), storedName(parent), opts...)
}

// Stat implements snapshots.Snapshotter.
func (s *buildSnapshots) Stat(ctx context.Context, key string) (snapshots.Info, error) {
	if parent, ok := s.parentOf(key); ok {
		return snapshots.Info{Name: key, Kind: snapshots.KindActive, Parent: parent}, nil
	}
	info, err := s.Snapshotter.Stat(ctx, storedName(key))
	info.Name, info.Parent = shownName(info.Name), shownName(info.Parent)
	return info, err
}

// Update implements snapshots.Snapshotter.
func (s *buildSnapshots) Update(ctx context.Context, info snapshots.Info, fieldpaths ...string) (snapshots.Info, error) {
	info.Name = storedName(info.Name)
	info, err := s.Snapshotter.Update(ctx, info, fieldpaths...)
	info.Name, info.Parent = shownName(info.Name), shownName(info.Parent)
	return info, err
}

// Usage implements snapshots.Snapshotter.
func (s *buildSnapshots) Usage(ctx context.Context, key string) (snapshots.Usage, error) {
	return s.Snapshotter.Usage(ctx, storedName(key))
}

// Commit implements snapshots.Snapshotter.
func (s *buildSnapshots) Commit(ctx context.Context, name, key string, opts ...snapshots.Opt) error {
	s.mu.Lock()
	_, ok := s.parents[key]
	delete(s.parents, key)
	s.mu.Unlock()
	if ok {
		return fmt.Errorf("commit layer %s: it is the image store's: %w", name, errdefs.ErrAlreadyExists)
	}
	return s.Snapshotter.Commit(ctx, storedName(name), storedName(key), opts...)
}

// Remove implements snapshots.Snapshotter.
func (s *buildSnapshots) Remove(ctx context.Context, key string) error {
	s.mu.Lock()
	_, ok := s.parents[key]
	delete(s.parents, key)
	s.mu.Unlock()
	if ok {
		return nil
	}
	return s.Snapshotter.Remove(ctx, storedName(key))
}

// Walk implements snapshots.Snapshotter; it shows the snapshots of builds alone.
func (s *buildSnapshots) Walk(ctx context.Context, fn snapshots.WalkFunc, filters ...string) error {
	return s.Snapshotter.Walk(ctx, func(ctx context.Context, info snapshots.Info) error {
		if !strings.HasPrefix(info.Name, gc.BuildPrefix) {
			return nil
		}
		info.Name, info.Parent = shownName(info.Name), shownName(info.Parent)
		return fn(ctx, info)
	}, filters...)
}

// layers unpacks layers of images, into the image store where it can.
type layers struct {
	snapshots *buildSnapshots
	fallback  diff.Applier
}

// uncompressedLabel is the annotation in which BuildKit keeps the diff ID of a layer.
const uncompressedLabel = "containerd.io/uncompressed"

// Apply implements diff.Applier.
func (l layers) Apply(ctx context.Context, desc ocispec.Descriptor, mounts []mount.Mount, opts ...diff.ApplyOpt) (ocispec.Descriptor, error) {
	if len(mounts) != 1 || mounts[0].Type != layerType {
		return l.fallback.Apply(ctx, desc, mounts, opts...)
	}
	key := mounts[0].Source
	parent, _ := l.snapshots.parentOf(key)
	chainID, _ := layerOf(key)
	diffID := digest.Digest(desc.Annotations[uncompressedLabel])
	if diffID == "" {
		return ocispec.Descriptor{}, fmt.Errorf("unpack layer %s: it does not say its diff ID: %w", desc.Digest, errdefs.ErrInvalidArgument)
	}
	if err := l.snapshots.images.UnpackLayer(ctx, digest.Digest(parent), chainID, diffID, desc); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("unpack layer %s: %w", desc.Digest, err)
	}
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: diffID, Size: desc.Size}, nil
}
