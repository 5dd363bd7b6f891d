package build

import (
	"context"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/source"
	"github.com/moby/buildkit/source/containerimage"
	"github.com/moby/buildkit/util/resolver"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageSource is BuildKit's source of images, but it takes an image that is here
// under the name and for the platform that are asked for without asking a registry,
// as docker does, unless the client wants it pulled.
type imageSource struct {
	*containerimage.Source
	images *images
}

// Resolve implements source.Source.
func (s *imageSource) Resolve(ctx context.Context, id source.Identifier, sm *session.Manager, vtx solver.Vertex) (source.SourceInstance, error) {
	if image, ok := id.(*containerimage.ImageIdentifier); ok {
		chosen := *image
		chosen.ResolveMode = s.mode(ctx, image.Reference.String(), image.Platform, image.ResolveMode)
		id = &chosen
	}
	return s.Source.Resolve(ctx, id, sm, vtx)
}

// mode decides where an image comes from.
func (s *imageSource) mode(ctx context.Context, ref string, platform *ocispec.Platform, asked resolver.ResolveMode) resolver.ResolveMode {
	if asked != resolver.ResolveModeForcePull && s.images.has(ctx, ref, platform) {
		return resolver.ResolveModePreferLocal
	}
	// Here it is not, or not to be taken.
	return resolver.ResolveModeForcePull
}

// preferLocal decides for a question about an image where the answer comes from.
func (s *imageSource) preferLocal(ctx context.Context, op *pb.SourceOp, opt *sourceresolver.Opt) error {
	scheme, ref, _ := strings.Cut(op.Identifier, "://")
	if scheme != "docker-image" {
		return nil
	}
	if opt.ImageOpt == nil {
		opt.ImageOpt = &sourceresolver.ResolveImageOpt{}
	}
	asked, err := resolver.ParseImageResolveMode(opt.ImageOpt.ResolveMode)
	if err != nil {
		return err
	}
	image := *opt.ImageOpt
	image.ResolveMode = s.mode(ctx, ref, image.Platform, asked).String()
	opt.ImageOpt = &image
	return nil
}

// fits tells whether an image is for a platform; without one, for this machine's.
func fits(has ocispec.Platform, want *ocispec.Platform) bool {
	if want == nil {
		return platforms.Default().Match(has)
	}
	return platforms.Only(*want).Match(has)
}
