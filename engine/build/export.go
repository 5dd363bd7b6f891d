package build

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"berth/store/image"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/exporter"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/util/progress"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// exporterMoby is what docker's clients call the output into the engine's images.
const exporterMoby = "moby"

// imageExporter makes an image of a build in the image store. BuildKit's own
// exporter writes layers, config and manifest.
type imageExporter struct {
	inner  exporter.Exporter
	worker *buildWorker
}

// Resolve implements exporter.Exporter. Attributes are those of BuildKit's "image".
func (e *imageExporter) Resolve(ctx context.Context, id int, attrs map[string]string) (exporter.ExporterInstance, error) {
	own := maps.Clone(attrs)
	if own == nil {
		own = map[string]string{}
	}
	var names []string
	store := attrs[string(exptypes.OptKeyStore)] != "false"
	if list := attrs[string(exptypes.OptKeyName)]; list != "" && list != "*" {
		for name := range strings.SplitSeq(list, ",") {
			named, err := reference.ParseNormalizedNamed(strings.TrimSpace(name))
			if err != nil {
				return nil, fmt.Errorf("invalid tag %q: %w: %w", name, err, errdefs.ErrInvalidArgument)
			}
			names = append(names, reference.TagNameOnly(named).String())
		}
	}
	pushes := attrs[string(exptypes.OptKeyPush)] != "" && attrs[string(exptypes.OptKeyPush)] != "false"
	if !pushes {
		// The layers stay here: compressing them is for who pushes them.
		if _, asked := own["compression"]; !asked {
			own["compression"] = "uncompressed"
		}
	}
	delete(own, string(exptypes.OptKeyUnpack))
	own[string(exptypes.OptKeyStore)] = "false" // by the caller's exporter: it is done here
	inner, err := e.inner.Resolve(ctx, id, own)
	if err != nil {
		return nil, err
	}
	return &imageInstance{ExporterInstance: inner, worker: e.worker, names: names, store: store}, nil
}

// imageInstance is one output of one build.
type imageInstance struct {
	exporter.ExporterInstance
	worker *buildWorker
	names  []string // canonical, with tags
	store  bool
}

// Export implements exporter.ExporterInstance.
func (i *imageInstance) Export(ctx context.Context, src *exporter.Source, info exporter.ExportBuildInfo) (map[string]string, exporter.FinalizeFunc, exporter.DescriptorReference, error) {
	if i.store && src.Ref == nil && len(src.Refs) > 1 {
		return nil, nil, nil, fmt.Errorf("an image for %d platforms cannot be loaded: choose one platform, or another output: %w", len(src.Refs), errdefs.ErrInvalidArgument)
	}
	if i.store {
		plain := src.Clone()
		plain.Attestations = nil // they would make an index of it, and are kept nowhere
		src = plain
	}
	resp, finalize, desc, err := i.ExporterInstance.Export(ctx, src, info)
	if err != nil || !i.store {
		return resp, finalize, desc, err
	}
	if err := i.register(ctx, desc.Descriptor(), resp); err != nil {
		desc.Release()
		return nil, nil, nil, err
	}
	return resp, finalize, desc, nil
}

// register makes the image of its manifest and gives it its names.
func (i *imageInstance) register(ctx context.Context, desc ocispec.Descriptor, resp map[string]string) error {
	w := i.worker
	data, err := content.ReadBlob(ctx, w.images.blobs, desc)
	if err != nil {
		return fmt.Errorf("read the manifest of what was built: %w", err)
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("read the manifest of what was built: %w", err)
	}
	if m.Config.Digest == "" {
		return fmt.Errorf("what was built is not one image, but of type %s: %w", desc.MediaType, errdefs.ErrInvalidArgument)
	}
	bare := ocispec.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size}
	done := progress.OneOff(ctx, "storing image "+m.Config.Digest.String())
	img, err := w.images.store.Images.Register(ctx, image.Parts{Config: m.Config, Layers: m.Layers, Manifest: &bare}, i.names...)
	if done(err) != nil {
		return fmt.Errorf("store what was built: %w", err)
	}
	id := img.ID.String()
	// docker's clients know an image by the digest of its config.
	resp[exptypes.ExporterImageConfigDigestKey], resp[exptypes.ExporterImageDigestKey] = id, id
	w.tagged(ctx, id, "")
	for _, name := range i.names {
		progress.OneOff(ctx, "naming to "+name)(nil)
		w.tagged(ctx, id, name)
	}
	if len(i.names) > 0 {
		resp[exptypes.ExporterImageNameKey] = strings.Join(i.names, ",")
	}
	return nil
}
