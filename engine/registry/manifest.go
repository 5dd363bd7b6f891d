package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Bounds on what a manifest may tell of. Docker and the kernel's overlay stop
// at fewer layers; indexes do not nest in practice.
const (
	maxLayers = 1000
	maxIndex  = 3
)

// isIndex tells manifests of several platforms.
func isIndex(mediaType string) bool { return images.IsIndexType(mediaType) }

// resolve asks the registry what ref means now.
func (s *session) resolve(ctx context.Context, ref reference.Named) (ocispec.Descriptor, error) {
	name := ref
	if d, ok := ref.(reference.Canonical); ok {
		// A tag beside a digest says nothing.
		var err error
		if name, err = reference.WithDigest(reference.TrimNamed(ref), d.Digest()); err != nil {
			return ocispec.Descriptor{}, err
		}
	}
	_, desc, err := s.resolver.Resolve(ctx, name.String())
	if err != nil {
		return desc, pullProblem(ref, err)
	}
	return desc, s.checkManifest(desc)
}

// checkManifest refuses what cannot be a manifest before it is fetched.
func (s *session) checkManifest(desc ocispec.Descriptor) error {
	name := reference.FamiliarName(s.repo)
	switch {
	case desc.MediaType == images.MediaTypeDockerSchema1Manifest, strings.HasPrefix(desc.MediaType, "application/vnd.docker.distribution.manifest.v1+"):
		return &problem{text: fmt.Sprintf("the manifest of %s has Docker's old format (schema 1), which has no safe digests: "+
			"whoever provides the image must push it anew with a docker of 2016 or later", name), kind: errdefs.ErrNotImplemented}
	case !images.IsManifestType(desc.MediaType) && !isIndex(desc.MediaType):
		return invalid("the manifest of %s has the media type %q, which is none of an image", name, printable(desc.MediaType))
	case desc.Size < 0 || desc.Size > maxDocument:
		return invalid("the manifest of %s is said to have %d bytes: more than %d are refused", name, desc.Size, maxDocument)
	case desc.Digest.Validate() != nil || desc.Digest.Algorithm() != digest.SHA256:
		return invalid("the manifest of %s has the digest %q: only sha256 is supported", name, printable(desc.Digest.String()))
	}
	return nil
}

// document fetches a manifest or a config and holds it to its descriptor.
func (s *session) document(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	if desc.Size < 0 || desc.Size > maxDocument {
		return nil, invalid("%s is said to have %d bytes: more than %d are refused", desc.Digest, desc.Size, maxDocument)
	}
	f, err := s.resolver.Fetcher(ctx, s.repo.String()+"@"+desc.Digest.String())
	if err != nil {
		return nil, err
	}
	desc.URLs = nil // the registry answers for what it names
	r, err := f.Fetch(ctx, desc)
	if err != nil {
		return nil, pushProblem(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	switch {
	case errdefs.IsFailedPrecondition(err): // of the fetcher: the answer goes on behind the size
		return nil, invalid("%s: the registry sent more than the %d bytes it told of", desc.Digest, desc.Size)
	case err != nil:
		return nil, pushProblem(fmt.Errorf("fetch %s: %w", desc.Digest, err))
	case int64(len(data)) != desc.Size:
		return nil, invalid("%s: the registry sent %d bytes, %d were expected", desc.Digest, len(data), desc.Size)
	case digest.FromBytes(data) != desc.Digest:
		return nil, invalid("%s: the registry sent something else, with the digest %s", desc.Digest, digest.FromBytes(data))
	}
	return data, nil
}

// choose follows an index to the manifest for a platform; attestations beside
// it are left where they are, as docker does.
func (s *session) choose(ctx context.Context, desc ocispec.Descriptor, want platforms.MatchComparer, name string) (ocispec.Descriptor, []byte, error) {
	for range maxIndex {
		data, err := s.document(ctx, desc)
		if err != nil {
			return desc, nil, err
		}
		if !isIndex(desc.MediaType) {
			return desc, data, nil
		}
		index, err := decodeIndex(data)
		if err != nil {
			return desc, nil, err
		}
		next, err := match(index, want, name)
		if err != nil {
			return desc, nil, err
		}
		if desc = next; s.checkManifest(desc) != nil {
			return desc, nil, s.checkManifest(desc)
		}
	}
	return desc, nil, invalid("the indexes of %s are nested more than %d deep", reference.FamiliarName(s.repo), maxIndex)
}

// match picks the manifest of an index that fits a platform best.
func match(index ocispec.Index, want platforms.MatchComparer, name string) (ocispec.Descriptor, error) {
	var best, unnamed *ocispec.Descriptor
	var has []string
	for i := range index.Manifests {
		m := &index.Manifests[i]
		if isAttestation(*m) {
			continue
		}
		if m.Platform == nil {
			// An index of one image need not say what it is for.
			unnamed = m
			continue
		}
		has = append(has, platforms.FormatAll(*m.Platform))
		if want.Match(*m.Platform) && (best == nil || want.Less(*m.Platform, *best.Platform)) {
			best = m
		}
	}
	switch {
	case best != nil:
		return *best, nil
	case unnamed != nil && len(has) == 0:
		return *unnamed, nil
	}
	text := fmt.Sprintf("no matching manifest for %s in the manifest list entries", name)
	if len(has) > 0 {
		text += ": there are " + printable(strings.Join(has, ", "))
	}
	return ocispec.Descriptor{}, notFound("%s", text)
}

// isAttestation tells the manifests that BuildKit puts beside an image to say
// how it was made.
func isAttestation(desc ocispec.Descriptor) bool {
	return desc.Annotations["vnd.docker.reference.type"] == "attestation-manifest"
}

// decodeIndex decodes an OCI index or a Docker manifest list.
func decodeIndex(data []byte) (ocispec.Index, error) {
	var index ocispec.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return index, invalid("decode the index: %v", err)
	}
	return index, nil
}

// decodeManifest decodes and checks the manifest of one image.
func decodeManifest(data []byte) (ocispec.Manifest, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return m, invalid("decode the manifest: %v", err)
	}
	// A document that is a manifest and an index at once means different
	// things to different readers (CVE-2021-41190).
	var other struct {
		Manifests json.RawMessage `json:"manifests"`
		FSLayers  json.RawMessage `json:"fsLayers"`
	}
	if err := json.Unmarshal(data, &other); err == nil && (other.Manifests != nil || other.FSLayers != nil) {
		return m, invalid("the manifest is ambiguous: it has manifests or fsLayers beside layers")
	}
	switch m.Config.MediaType {
	case ocispec.MediaTypeImageConfig, images.MediaTypeDockerSchema2Config, "application/octet-stream":
	default:
		return m, invalid("not a container image: its config has the media type %q", printable(m.Config.MediaType))
	}
	if len(m.Layers) > maxLayers {
		return m, invalid("the manifest has %d layers: more than %d are refused", len(m.Layers), maxLayers)
	}
	for _, l := range append([]ocispec.Descriptor{m.Config}, m.Layers...) {
		if l.Digest.Validate() != nil || l.Digest.Algorithm() != digest.SHA256 {
			return m, invalid("the manifest names a blob with the digest %q: only sha256 is supported", printable(l.Digest.String()))
		}
		if l.Size <= 0 {
			return m, invalid("the manifest gives the blob %s the size %d", l.Digest, l.Size)
		}
	}
	for _, l := range m.Layers {
		if !isLayer(l.MediaType) {
			return m, invalid("layer %s has the media type %q, which cannot be unpacked", l.Digest, printable(l.MediaType))
		}
	}
	return m, nil
}

// layerTypes begin the media types of layers: tar, gzip and zstd, in Docker's
// and OCI's names. How a layer is compressed is seen from its bytes.
var layerTypes = []string{
	"application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar",
	"application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar",
}

// isLayer tells the media types of layers that can be unpacked, which those of
// encrypted ones are not.
func isLayer(mediaType string) bool {
	return slices.ContainsFunc(layerTypes, func(tar string) bool {
		compression, ok := strings.CutPrefix(mediaType, tar)
		return ok && slices.Contains([]string{"", "+gzip", ".gzip", "+zstd", ".zstd"}, compression)
	})
}
