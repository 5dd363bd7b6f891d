package image

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Docker's names for what the image-spec standardised.
const (
	dockerManifestType = "application/vnd.docker.distribution.manifest.v2+json"
	dockerIndexType    = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// Annotations that carry an image's name in an index.json. The second is
// often just a tag.
const (
	annotationName = "io.containerd.image.name"
	annotationRef  = ocispec.AnnotationRefName
)

// maxIndexDepth is how deep indexes may be nested.
const maxIndexDepth = 4

// manifests reads the images for this machine that the archive's index.json
// names.
func (a *archive) manifests(ctx context.Context) ([]plan, error) {
	doc, ok := a.docs[ociIndex]
	if !ok {
		return nil, nil
	}
	index, err := decodeIndex(doc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ociIndex, err)
	}
	var plans []plan
	for _, desc := range index.Manifests {
		p, err := a.manifest(ctx, desc, maxIndexDepth)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		if name := imageName(desc.Annotations); name != "" {
			p.names = []string{name}
		}
		plans = append(plans, *p)
	}
	return sameImages(plans), nil
}

// sameImages joins the names of images that are in the list several times.
func sameImages(plans []plan) []plan {
	var out []plan
	at := make(map[digest.Digest]int)
	for _, p := range plans {
		if i, ok := at[p.parts.Config.Digest]; ok {
			out[i].names = append(out[i].names, p.names...)
			continue
		}
		at[p.parts.Config.Digest] = len(out)
		out = append(out, p)
	}
	return out
}

// imageName is the name that annotations give, "" if they give none or only a
// tag.
func imageName(annotations map[string]string) string {
	if name := annotations[annotationName]; name != "" {
		return name
	}
	if ref := annotations[annotationRef]; strings.ContainsAny(ref, ":/") {
		return ref
	}
	return ""
}

// manifest reads one manifest, or of an index the manifest for this machine.
// It is nil if the descriptor is of no image.
func (a *archive) manifest(ctx context.Context, desc ocispec.Descriptor, depth int) (*plan, error) {
	if depth == 0 {
		return nil, fmt.Errorf("indexes are nested too deep: %w", errdefs.ErrInvalidArgument)
	}
	if !forThisMachine(desc) {
		return nil, nil
	}
	if err := desc.Digest.Validate(); err != nil {
		return nil, fmt.Errorf("manifest %q: %w: %w", desc.Digest, err, errdefs.ErrInvalidArgument)
	}
	if _, err := a.file("blobs/sha256/" + desc.Digest.Encoded()); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	data, err := a.store.readJSON(ctx, desc)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	switch desc.MediaType {
	case ocispec.MediaTypeImageIndex, dockerIndexType:
		index, err := decodeIndex(data)
		if err != nil {
			return nil, fmt.Errorf("index %s: %w", desc.Digest, err)
		}
		for _, d := range index.Manifests {
			if d.Platform == nil {
				continue // in an index only what says its platform is an image
			}
			if p, err := a.manifest(ctx, d, depth-1); p != nil || err != nil {
				return p, err
			}
		}
		return nil, nil
	case ocispec.MediaTypeImageManifest, dockerManifestType:
	default:
		return nil, fmt.Errorf("manifest %s: unknown type %q: %w", desc.Digest, desc.MediaType, errdefs.ErrInvalidArgument)
	}
	m, err := decodeManifest(data, desc.MediaType)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", desc.Digest, err)
	}
	own := ocispec.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest, Size: int64(len(data))}
	return &plan{parts: Parts{Config: m.Config, Layers: m.Layers, Manifest: &own}}, nil
}

// forThisMachine tells images that can run here from those of other platforms
// and from attestations, which docker marks as being of none.
func forThisMachine(desc ocispec.Descriptor) bool {
	p := desc.Platform
	if p == nil {
		return desc.Annotations["vnd.docker.reference.type"] == ""
	}
	return p.OS == "linux" && p.Architecture == runtime.GOARCH
}

func decodeIndex(data []byte) (ocispec.Index, error) {
	var index ocispec.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return index, fmt.Errorf("decode index: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return index, nil
}

// decodeManifest decodes and checks an image manifest of a type. One that is
// an index as well, or says that it is of another type, would be one image to
// one reader and another to the next (CVE-2021-41190).
func decodeManifest(data []byte, mediaType string) (ocispec.Manifest, error) {
	var m struct {
		ocispec.Manifest
		Manifests json.RawMessage `json:"manifests"`
		FSLayers  json.RawMessage `json:"fsLayers"`
	}
	refuse := func(format string, args ...any) (ocispec.Manifest, error) {
		return m.Manifest, fmt.Errorf("manifest: "+format+": %w", append(args, errdefs.ErrInvalidArgument)...)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return refuse("decode: %w", err)
	}
	switch {
	case m.MediaType != "" && m.MediaType != mediaType:
		return refuse("it is of type %q, not %q", m.MediaType, mediaType)
	case m.Manifests != nil:
		return refuse("it is an index, too")
	case m.FSLayers != nil:
		return refuse("it is of docker's schema 1, too")
	case len(m.Layers) > maxLayers:
		return refuse("%d layers are more than can be stacked (%d)", len(m.Layers), maxLayers)
	}
	for _, desc := range append([]ocispec.Descriptor{m.Config}, m.Layers...) {
		if err := desc.Digest.Validate(); err != nil {
			return refuse("digest %q: %w", desc.Digest, err)
		}
		if desc.Digest.Algorithm() != digest.SHA256 {
			return refuse("digest %q: only sha256 is supported", desc.Digest)
		}
		if desc.Size < 0 {
			return refuse("blob %s has %d bytes", desc.Digest, desc.Size)
		}
	}
	return m.Manifest, nil
}
