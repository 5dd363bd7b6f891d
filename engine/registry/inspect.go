package registry

import (
	"context"
	"encoding/json"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Manifest is a manifest as a registry has it.
type Manifest struct {
	Descriptor ocispec.Descriptor // with the platform, where it is known
	Raw        []byte
	Listed     bool // it is one of an index
}

// Manifest fetches the manifest, or the index, that ref means.
func (r *Remote) Manifest(ctx context.Context, ref reference.Named, auth Auth) (Manifest, error) {
	ctx, s, err := r.open(ctx, ref, auth)
	if err != nil {
		return Manifest{}, err
	}
	defer s.close()
	return s.manifest(ctx, reference.TagNameOnly(ref))
}

func (s *session) manifest(ctx context.Context, ref reference.Named) (Manifest, error) {
	desc, err := s.resolve(ctx, ref)
	if err != nil {
		return Manifest{}, err
	}
	raw, err := s.document(ctx, desc)
	return Manifest{Descriptor: desc, Raw: raw}, err
}

// Manifests fetches the manifest of ref and, if it is an index, all manifests
// that it names. Those of one image get the platform that its config tells.
func (r *Remote) Manifests(ctx context.Context, ref reference.Named, auth Auth) ([]Manifest, error) {
	ctx, s, err := r.open(ctx, ref, auth)
	if err != nil {
		return nil, err
	}
	defer s.close()
	top, err := s.manifest(ctx, reference.TagNameOnly(ref))
	if err != nil {
		return nil, err
	}
	if !isIndex(top.Descriptor.MediaType) {
		if platform, err := s.platform(ctx, top.Raw); err == nil {
			top.Descriptor.Platform = &platform
		}
		return []Manifest{top}, nil
	}
	index, err := decodeIndex(top.Raw)
	if err != nil {
		return nil, err
	}
	if len(index.Manifests) > maxLayers {
		return nil, invalid("the index has %d manifests: more than %d are refused", len(index.Manifests), maxLayers)
	}
	var all []Manifest
	for _, desc := range index.Manifests {
		raw, err := s.document(ctx, desc)
		if err != nil {
			return nil, err
		}
		all = append(all, Manifest{desc, raw, true})
	}
	return all, nil
}

// platform reads what the image of a manifest is for from its config.
func (s *session) platform(ctx context.Context, raw []byte) (ocispec.Platform, error) {
	m, err := decodeManifest(raw)
	if err != nil {
		return ocispec.Platform{}, err
	}
	data, err := s.document(ctx, m.Config)
	if err != nil {
		return ocispec.Platform{}, err
	}
	var config ocispec.Image
	if err := json.Unmarshal(data, &config); err != nil {
		return ocispec.Platform{}, invalid("decode the image's config: %v", err)
	}
	return config.Platform, nil
}

// Inspect tells what a registry has under a name, without pulling it.
func (r *Remote) Inspect(ctx context.Context, ref reference.Named, auth Auth) (registry.DistributionInspect, error) {
	var found registry.DistributionInspect
	ctx, s, err := r.open(ctx, ref, auth)
	if err != nil {
		return found, err
	}
	defer s.close()
	top, err := s.manifest(ctx, reference.TagNameOnly(ref))
	if err != nil {
		return found, err
	}
	found.Descriptor = top.Descriptor
	if isIndex(top.Descriptor.MediaType) {
		index, err := decodeIndex(top.Raw)
		if err != nil {
			return found, err
		}
		for _, m := range index.Manifests {
			if m.Platform != nil {
				found.Platforms = append(found.Platforms, *m.Platform)
			}
		}
		return found, nil
	}
	platform, err := s.platform(ctx, top.Raw)
	if err != nil {
		return found, err
	}
	found.Platforms = []ocispec.Platform{platform}
	return found, nil
}
