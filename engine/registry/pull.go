package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store"
	"berth/store/image"
)

// Registry moves images between registries and a store. It is safe for
// concurrent use.
type Registry struct {
	*Remote
	store *store.Store
}

// New makes a Registry of a store.
func New(remote *Remote, st *store.Store) *Registry { return &Registry{Remote: remote, store: st} }

// PullOptions say what to pull.
type PullOptions struct {
	Platform *ocispec.Platform // that of this machine if nil
	All      bool              // all tags of the repository
	Auth     Auth
	Report   Report // may be nil
}

// Pulled is an image that is here now.
type Pulled struct {
	image.Image
	Ref reference.Named // by which it was asked for
	New bool            // it was not here under that name
}

// Pull brings an image here by its tag ("latest" if ref has none) or digest. A
// layer that is here is not transferred, an image that is here costs one
// request. Until all of an image is here and verified nothing of it is seen,
// and after an error nothing of it is kept but what another pull can go on
// from.
func (r *Registry) Pull(ctx context.Context, ref reference.Named, o PullOptions) ([]Pulled, error) {
	ctx, s, err := r.open(ctx, ref, o.Auth)
	if err != nil {
		return nil, err
	}
	defer s.close()
	p := &pull{Registry: r, session: s, report: newReporter(o.Report), want: platforms.Default(), name: platforms.FormatAll(platforms.DefaultSpec())}
	defer p.report.close()
	if o.Platform != nil {
		p.want, p.name = platforms.Only(*o.Platform), platforms.FormatAll(*o.Platform)
	}
	refs := []reference.Named{reference.TagNameOnly(ref)}
	if o.All {
		if refs, err = s.tags(ctx); err != nil {
			return nil, err
		}
	}
	var all []Pulled
	anyNew := false
	for _, ref := range refs {
		one, err := p.one(ctx, ref)
		if err != nil {
			return all, err
		}
		all, anyNew = append(all, one), anyNew || one.New
	}
	about := reference.FamiliarString(refs[0])
	if o.All {
		about = reference.FamiliarName(ref)
	}
	status := "Image is up to date for "
	if anyNew {
		status = "Downloaded newer image for "
	}
	p.report.message("", "Status: "+status+about)
	for _, one := range all {
		if has := platformOf(one.Image); o.Platform != nil && !p.want.Match(has) {
			// A manifest of one platform is taken as it is, as docker does.
			p.report.message("", fmt.Sprintf("WARNING: image with reference %s was found but its platform (%s) does not match the specified platform (%s)",
				reference.FamiliarString(one.Ref), platforms.FormatAll(has), p.name))
		}
	}
	return all, nil
}

// platformOf is what an image says it is for.
func platformOf(img image.Image) ocispec.Platform { return platforms.Normalize(img.Config.Platform) }

// pull is one call of Pull.
type pull struct {
	*Registry
	session *session
	report  *reporter
	want    platforms.MatchComparer
	name    string // of the platform
	spoiled bool   // an image was refused for what the registry sent
}

// one pulls one image.
func (p *pull) one(ctx context.Context, ref reference.Named) (Pulled, error) {
	lease := p.store.Images.Lease()
	pulled, err := p.leased(ctx, ref)
	lease.Release()
	if ctx.Err() != nil || p.spoiled {
		if _, cerr := p.store.Images.Collect(context.WithoutCancel(ctx)); cerr != nil {
			err = errors.Join(err, cerr)
		}
	}
	return pulled, err
}

// leased is one with a lease held.
func (p *pull) leased(ctx context.Context, ref reference.Named) (Pulled, error) {
	desc, err := p.session.resolve(ctx, ref)
	if err != nil {
		return Pulled{}, err
	}
	p.report.message(idOf(ref), "Pulling from "+reference.Path(ref))
	had, err := p.store.Images.Resolve(ctx, ref.String())
	if err != nil && !errdefs.IsNotFound(err) {
		return Pulled{}, err
	}
	img, err := p.present(ctx, ref, desc)
	if errdefs.IsNotFound(err) {
		img, err = p.fetch(ctx, ref, desc)
	}
	if err != nil {
		return Pulled{}, err
	}
	p.report.message("", "Digest: "+desc.Digest.String())
	return Pulled{Image: img, Ref: ref, New: img.ID != had.ID}, nil
}

// idOf is what docker's messages call a reference: its tag.
func idOf(ref reference.Named) string {
	if tagged, ok := ref.(reference.Tagged); ok && !isDigested(ref) {
		return tagged.Tag()
	}
	return reference.FamiliarString(ref)
}

func isDigested(ref reference.Named) bool {
	_, ok := ref.(reference.Digested)
	return ok
}

// present finds the image that was pulled from the repository by this digest
// before, and gives it the tag of ref. The error is of kind NotFound if there
// is none, or if it is for another platform of the index.
func (p *pull) present(ctx context.Context, ref reference.Named, desc ocispec.Descriptor) (image.Image, error) {
	img, err := p.store.Images.Resolve(ctx, p.session.repo.String()+"@"+desc.Digest.String())
	if err != nil {
		return img, err
	}
	if isIndex(desc.MediaType) && !p.want.Match(platformOf(img)) {
		return img, errdefs.ErrNotFound
	}
	if isDigested(ref) {
		return img, nil
	}
	if now, err := p.store.Images.Resolve(ctx, ref.String()); err == nil && now.ID == img.ID {
		return img, nil
	}
	return img, p.store.Images.Tag(ctx, img.ID.String(), ref.String())
}

// fetch gets an image that is not here.
func (p *pull) fetch(ctx context.Context, ref reference.Named, desc ocispec.Descriptor) (image.Image, error) {
	chosen, raw, err := p.session.choose(ctx, desc, p.want, p.name)
	if err != nil {
		return image.Image{}, err
	}
	m, err := decodeManifest(raw)
	if err != nil {
		return image.Image{}, fmt.Errorf("%s: %w", reference.FamiliarString(ref), err)
	}
	config, doc, err := p.config(ctx, m)
	if err != nil {
		return image.Image{}, fmt.Errorf("%s: %w", reference.FamiliarString(ref), err)
	}
	lines := p.begin(ctx, m.Layers, config)
	in := image.Incoming{
		Parts: image.Parts{
			Config: m.Config, Layers: m.Layers, Manifest: &chosen,
			RepoDigests: []string{reference.FamiliarName(ref) + "@" + desc.Digest.String()},
		},
		Blobs: [][]byte{raw, doc}, Source: p.session.source, Parallel: p.cfg.Downloads,
		Progress: func(l image.Progress) { lines[l.Layer].progress(l) },
	}
	var names []string
	if !isDigested(ref) {
		names = []string{ref.String()}
	}
	img, err := p.store.Images.Receive(ctx, in, names...)
	if ctx.Err() != nil {
		return img, errors.Join(context.Cause(ctx), p.forget(context.WithoutCancel(ctx), m.Layers))
	}
	if errdefs.IsInvalidArgument(err) || errdefs.IsNotFound(err) {
		// Another pull would end no better: nothing is worth going on from.
		p.spoiled = true
		return img, errors.Join(pushProblem(err), p.forget(ctx, m.Layers))
	}
	if err != nil {
		return img, pushProblem(err)
	}
	for _, blob := range append([]ocispec.Descriptor{m.Config}, m.Layers...) {
		if err := p.session.remember(ctx, p.store.Content, blob); err != nil {
			return img, err
		}
	}
	return img, nil
}

// forget throws away what a pull that was called off, or of an image that was
// refused, has got of layers, unless another is getting them. What is complete
// is garbage.
func (p *pull) forget(ctx context.Context, layers []ocispec.Descriptor) error {
	all, err := p.store.Content.ListStatuses(ctx)
	if err != nil {
		return err
	}
	for _, st := range all {
		if !slices.ContainsFunc(layers, func(l ocispec.Descriptor) bool { return l.Digest == st.Expected }) {
			continue
		}
		if aerr := p.store.Content.Abort(ctx, st.Ref); aerr != nil && !errdefs.IsUnavailable(aerr) && !errdefs.IsNotFound(aerr) {
			err = errors.Join(err, aerr)
		}
	}
	return err
}

// begin reports which layers will be pulled.
func (p *pull) begin(ctx context.Context, descs []ocispec.Descriptor, config ocispec.Image) []*line {
	chain := identity.ChainIDs(slices.Clone(config.RootFS.DiffIDs))
	lines := make([]*line, len(descs))
	var missing []*line
	for i, desc := range descs {
		lines[i] = p.report.layer(desc.Digest)
		if lines[i].present = p.store.Images.HasLayer(ctx, chain[i], desc.Digest); lines[i].present {
			lines[i].status("Already exists")
			continue
		}
		lines[i].status("Pulling fs layer")
		missing = append(missing, lines[i])
	}
	for _, l := range missing[min(len(missing), p.cfg.Downloads):] {
		l.status("Waiting")
	}
	return lines
}

// config fetches the config of an image, unless it is here.
func (p *pull) config(ctx context.Context, m ocispec.Manifest) (config ocispec.Image, data []byte, err error) {
	data, err = content.ReadBlob(ctx, p.store.Content, m.Config)
	if err != nil || int64(len(data)) != m.Config.Size {
		if data, err = p.session.document(ctx, m.Config); err != nil {
			return config, nil, err
		}
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return config, nil, invalid("decode the image's config: %v", err)
	}
	if n := len(config.RootFS.DiffIDs); n != len(m.Layers) {
		return config, nil, invalid("the image's config tells of %d layers, its manifest of %d", n, len(m.Layers))
	}
	return config, data, nil
}
