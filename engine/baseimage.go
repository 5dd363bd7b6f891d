package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"berth/store/image"
	"berth/store/meta"

	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/container"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// baseImage is what a container takes from its image.
type baseImage struct {
	id     string // digest of the config
	config ocispec.ImageConfig
	health *container.HealthConfig
	unpack func(context.Context) (key string, err error) // of the snapshot of all layers
}

// image finds the image that a reference means. The error is of kind NotFound
// in docker's words, at which its CLI pulls.
func (e *Engine) image(ctx context.Context, ref string, want *ocispec.Platform) (baseImage, error) {
	img, err := e.store.Images.Resolve(ctx, ref)
	if errdefs.IsNotFound(err) {
		return baseImage{}, kind(errdefs.ErrNotFound, "No such image: %s", taggedName(ref))
	}
	if errdefs.IsInvalidArgument(err) {
		if _, perr := reference.ParseNormalizedNamed(ref); perr != nil {
			return baseImage{}, kind(errdefs.ErrInvalidArgument, "%v", perr)
		}
	}
	if err != nil {
		return baseImage{}, err
	}
	if err := checkPlatform(ref, img, want); err != nil {
		return baseImage{}, err
	}
	return baseImage{
		id: img.ID.String(), config: img.Config.Config.ImageConfig, health: img.Config.Config.Healthcheck,
		unpack: func(ctx context.Context) (string, error) { return e.store.Images.Unpack(ctx, img.ID) },
	}, nil
}

// checkPlatform refuses, in docker's words, an image that is for another platform than want.
func checkPlatform(ref string, img image.Image, want *ocispec.Platform) error {
	if want == nil {
		return nil
	}
	is := ocispec.Platform{OS: cmp.Or(img.Config.OS, "linux"), Architecture: img.Config.Architecture, Variant: img.Config.Variant}
	if (want.Architecture == "" || want.Architecture == is.Architecture) && (want.OS == "" || want.OS == is.OS) || platforms.Only(*want).Match(is) {
		return nil
	}
	return kind(errdefs.ErrNotFound, "image with reference %s was found but its platform (%s) does not match the specified platform (%s)",
		ref, platforms.FormatAll(is), platforms.FormatAll(*want))
}

// taggedName is a reference as docker shows it: without its default domain,
// with the tag that it stands for.
func taggedName(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return reference.FamiliarString(reference.TagNameOnly(named))
}

// networkRecords is a bucket of the database as the network package sees it.
type networkRecords struct {
	bucket meta.Bucket[json.RawMessage]
}

func newNetworkRecords(db *meta.DB, name string) (networkRecords, error) {
	b, err := meta.NewBucket[json.RawMessage](db, name)
	return networkRecords{b}, err
}

// Put implements network.Records.
func (n networkRecords) Put(key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode record %s: %w", key, err)
	}
	return n.bucket.Put(key, b)
}

// Delete implements network.Records.
func (n networkRecords) Delete(key string) error { return n.bucket.Delete(key) }

// ForEach implements network.Records.
func (n networkRecords) ForEach(fn func(key string, value []byte) error) error {
	return n.bucket.ForEach(func(key string, v json.RawMessage) error { return fn(key, v) })
}
