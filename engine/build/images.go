package build

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"berth/store"
	"berth/store/image"

	"github.com/containerd/containerd/v2/core/content"
	ctdimages "github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// images shows the image store as containerd's, as far as BuildKit asks: it reads
// images to build on. New ones come by export.go.
type images struct {
	store *store.Store
	blobs content.Store
}

var _ ctdimages.Store = (*images)(nil)

// has tells whether an image is here, for a platform.
func (s *images) has(ctx context.Context, ref string, want *ocispec.Platform) bool {
	img, err := s.find(ctx, ref)
	return err == nil && fits(platforms.Normalize(img.Config.Platform), want)
}

// find finds an image by a name. One that BuildKit has added a digest to is found by
// the manifest that it was told before.
func (s *images) find(ctx context.Context, ref string) (image.Image, error) {
	img, err := s.store.Images.Resolve(ctx, ref)
	if !errdefs.IsNotFound(err) {
		return img, err
	}
	name, dgst, ok := strings.Cut(ref, "@")
	if !ok {
		return img, err
	}
	named, nerr := s.store.Images.Resolve(ctx, name)
	if nerr != nil {
		return img, err
	}
	if m, merr := s.manifest(ctx, named); merr != nil || m.Digest.String() != dgst {
		return img, err
	}
	return named, nil
}

// Get implements images.Store.
func (s *images) Get(ctx context.Context, name string) (ctdimages.Image, error) {
	img, err := s.find(ctx, name)
	if err != nil {
		return ctdimages.Image{}, err
	}
	target, err := s.manifest(ctx, img)
	if err != nil {
		return ctdimages.Image{}, fmt.Errorf("use image %s for a build: %w", name, err)
	}
	return ctdimages.Image{Name: name, Target: target}, nil
}

// manifest returns the manifest of an image, writing the one that it would have if
// it came without. An image is always the same bytes, so its manifest is.
func (s *images) manifest(ctx context.Context, img image.Image) (ocispec.Descriptor, error) {
	if img.Manifest != nil && ctdimages.IsManifestType(img.Manifest.MediaType) {
		if _, err := s.blobs.Info(ctx, img.Manifest.Digest); err == nil {
			return *img.Manifest, nil
		}
	}
	config, err := s.blobs.Info(ctx, img.ID)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: img.ID, Size: config.Size},
		Layers: []ocispec.Descriptor{},
	}
	for _, l := range img.Layers {
		desc := ocispec.Descriptor{MediaType: l.Descriptor.MediaType, Digest: l.Descriptor.Digest, Size: l.Descriptor.Size}
		m.Layers = append(m.Layers, desc)
	}
	data, err := json.Marshal(m)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	desc := ocispec.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	return desc, content.WriteBlob(ctx, s.blobs, "manifest-"+desc.Digest.String(), bytes.NewReader(data), desc)
}

// List implements images.Store. BuildKit asks with it whether a cache record is of
// an image that would keep its data anyway; the store tells that of snapshots.
func (s *images) List(ctx context.Context, _ ...string) ([]ctdimages.Image, error) {
	all, err := s.store.Images.List(ctx)
	if err != nil {
		return nil, err
	}
	var list []ctdimages.Image
	for _, img := range all {
		if img.Manifest != nil && ctdimages.IsManifestType(img.Manifest.MediaType) {
			list = append(list, ctdimages.Image{Name: img.ID.String(), Target: *img.Manifest})
		}
	}
	return list, nil
}

// Create implements images.Store, and refuses.
func (s *images) Create(_ context.Context, img ctdimages.Image) (ctdimages.Image, error) {
	return img, fmt.Errorf("store image %s: %w", img.Name, errdefs.ErrNotImplemented)
}

// Update implements images.Store, and refuses.
func (s *images) Update(_ context.Context, img ctdimages.Image, _ ...string) (ctdimages.Image, error) {
	return img, fmt.Errorf("store image %s: %w", img.Name, errdefs.ErrNotImplemented)
}

// Delete implements images.Store, and refuses.
func (s *images) Delete(_ context.Context, name string, _ ...ctdimages.DeleteOpt) error {
	return fmt.Errorf("delete image %s: %w", name, errdefs.ErrNotImplemented)
}
