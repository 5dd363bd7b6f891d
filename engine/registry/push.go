package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"berth/store/image"
)

// PushOptions say what to push.
type PushOptions struct {
	Platform *ocispec.Platform // refuse an image for another one
	All      bool              // all tags of the repository
	Auth     Auth
	Report   Report // may be nil
}

// Push sends the image that has the tag ref ("latest" if it has none) to the
// registry of that name. A blob that the registry has is not sent, one that
// another of its repositories is known to have is linked. An image that was
// pulled is pushed with the manifest it came with, so it keeps its digest.
func (r *Registry) Push(ctx context.Context, ref reference.Named, o PushOptions) ([]image.Image, error) {
	ctx, s, err := r.open(ctx, ref, o.Auth)
	if err != nil {
		return nil, err
	}
	defer s.close()
	p := &push{Registry: r, session: s, report: newReporter(o.Report), sent: make(map[digest.Digest]func() (string, error))}
	defer p.report.close()
	p.report.message("", fmt.Sprintf("The push refers to repository [%s]", s.repo))
	tags, err := r.localTags(ctx, ref, o.All)
	if err != nil {
		return nil, err
	}
	lease := r.store.Images.Lease()
	defer lease.Release()
	var all []image.Image
	for _, tag := range tags {
		img, err := r.store.Images.Resolve(ctx, tag.String())
		if err != nil {
			return all, err
		}
		if has := platformOf(img); o.Platform != nil && !platforms.OnlyStrict(*o.Platform).Match(has) {
			return all, notFound("image with reference %s was found but its platform (%s) does not match the specified platform (%s)",
				reference.FamiliarString(tag), platforms.FormatAll(has), platforms.FormatAll(*o.Platform))
		}
		if img, err = p.one(ctx, tag, img); err != nil {
			return all, pushProblem(err)
		}
		all = append(all, img)
	}
	return all, nil
}

// localTags are the tags to push, in order.
func (r *Registry) localTags(ctx context.Context, ref reference.Named, every bool) ([]reference.NamedTagged, error) {
	list, err := r.store.Images.List(ctx)
	if err != nil {
		return nil, err
	}
	var found []reference.NamedTagged
	for _, img := range list {
		for _, name := range img.RepoTags {
			tag, err := reference.ParseNormalizedNamed(name)
			if err != nil || tag.Name() != ref.Name() {
				continue
			}
			if tagged, ok := tag.(reference.NamedTagged); ok {
				found = append(found, tagged)
			}
		}
	}
	if len(found) == 0 {
		return nil, notFound("An image does not exist locally with the tag: %s", reference.FamiliarName(ref))
	}
	slices.SortFunc(found, func(a, b reference.NamedTagged) int { return strings.Compare(a.Tag(), b.Tag()) })
	if every {
		return found, nil
	}
	want := reference.TagNameOnly(ref).String()
	i := slices.IndexFunc(found, func(t reference.NamedTagged) bool { return t.String() == want })
	if i < 0 {
		return nil, notFound("tag does not exist: %s", reference.FamiliarString(reference.TagNameOnly(ref)))
	}
	return found[i : i+1], nil
}

// push is one call of Push.
type push struct {
	*Registry
	session *session
	report  *reporter

	mu   sync.Mutex
	sent map[digest.Digest]func() (status string, err error) // what is sent once
}

// one pushes one image by one tag.
func (p *push) one(ctx context.Context, tag reference.NamedTagged, img image.Image) (image.Image, error) {
	pusher, err := p.session.resolver.Pusher(ctx, tag.String())
	if err != nil {
		return img, err
	}
	// As in docker the topmost layer comes first.
	lines := make([]*line, len(img.Layers))
	for i := len(lines) - 1; i >= 0; i-- {
		lines[i] = p.report.layer(img.Layers[i].DiffID)
		lines[i].status("Preparing")
	}
	descs := make([]ocispec.Descriptor, len(lines))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(p.cfg.Uploads)
	for i := len(lines) - 1; i >= 0; i-- {
		if len(lines)-i > p.cfg.Uploads {
			lines[i].status("Waiting")
		}
		g.Go(func() (err error) {
			if descs[i], err = p.compressed(gctx, img.Layers[i], lines[i]); err != nil {
				return err
			}
			status, err := p.once(gctx, pusher, descs[i], lines[i])
			if err == nil {
				lines[i].status(status)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return img, err
	}
	manifest, config, raw, err := p.manifest(ctx, img, descs)
	if err != nil {
		return img, err
	}
	if _, err := p.once(ctx, pusher, config, nil); err != nil {
		return img, err
	}
	if err := p.put(ctx, pusher, manifest, bytes.NewReader(raw), nil); err != nil && !errdefs.IsAlreadyExists(err) {
		return img, err
	}
	p.report.message("", fmt.Sprintf("%s: digest: %s size: %d", tag.Tag(), manifest.Digest, manifest.Size))
	aux, err := json.Marshal(struct {
		Tag    string
		Digest digest.Digest
		Size   int64
	}{tag.Tag(), manifest.Digest, manifest.Size})
	if err != nil {
		return img, err
	}
	p.report.aux(jsonstream.Message{Aux: (*json.RawMessage)(&aux)})
	return p.remember(ctx, tag, img.Parent, config, manifest, descs, raw)
}

// remember keeps what was pushed as the form of the image: its compressed
// layers are those to push and to save from now on.
func (p *push) remember(ctx context.Context, tag reference.Named, parent digest.Digest, config, manifest ocispec.Descriptor, layers []ocispec.Descriptor, raw []byte) (image.Image, error) {
	return p.store.Images.Receive(ctx, image.Incoming{
		Parts: image.Parts{
			Config: config, Layers: layers, Manifest: &manifest, Parent: parent,
			RepoDigests: []string{reference.FamiliarName(tag) + "@" + manifest.Digest.String()},
		},
		Blobs: [][]byte{raw},
	})
}

// manifest is the one that the image came with, if it fits the layers as they
// are pushed, or else a new one of Docker's format, as docker pushes it.
func (p *push) manifest(ctx context.Context, img image.Image, layers []ocispec.Descriptor) (desc, config ocispec.Descriptor, raw []byte, err error) {
	if img.Manifest != nil {
		raw, err := content.ReadBlob(ctx, p.store.Content, *img.Manifest)
		if err != nil {
			return desc, config, nil, fmt.Errorf("read the manifest of image %s: %w", img.ID, err)
		}
		m, err := decodeManifest(raw)
		same := slices.EqualFunc(m.Layers, layers, func(a, b ocispec.Descriptor) bool { return a.Digest == b.Digest })
		if err == nil && same && m.Config.Digest == img.ID {
			return *img.Manifest, m.Config, raw, nil
		}
	}
	info, err := p.store.Content.Info(ctx, img.ID)
	if err != nil {
		return desc, config, nil, fmt.Errorf("find the config of image %s: %w", img.ID, err)
	}
	config = ocispec.Descriptor{MediaType: images.MediaTypeDockerSchema2Config, Digest: img.ID, Size: info.Size}
	desc.MediaType = images.MediaTypeDockerSchema2Manifest
	zstd := slices.ContainsFunc(layers, func(l ocispec.Descriptor) bool { return l.MediaType == ocispec.MediaTypeImageLayerZstd })
	if zstd {
		// Docker's format has no name for such layers.
		desc.MediaType, config.MediaType = ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageConfig
	}
	for i := range layers {
		layers[i].Annotations, layers[i].URLs = nil, nil
		switch {
		case zstd && layers[i].MediaType != ocispec.MediaTypeImageLayerZstd:
			layers[i].MediaType = ocispec.MediaTypeImageLayerGzip
		case !zstd:
			layers[i].MediaType = images.MediaTypeDockerSchema2LayerGzip
		}
	}
	if layers == nil {
		layers = []ocispec.Descriptor{}
	}
	// Docker's own indentation and order: the same image has the same digest,
	// whoever pushes it.
	raw, err = json.MarshalIndent(struct {
		specs.Versioned
		MediaType string             `json:"mediaType"`
		Config    dockerDescriptor   `json:"config"`
		Layers    []dockerDescriptor `json:"layers"`
	}{specs.Versioned{SchemaVersion: 2}, desc.MediaType, dockerDescriptor(config), dockerDescriptors(layers)}, "", "   ")
	desc.Digest, desc.Size = digest.FromBytes(raw), int64(len(raw))
	return desc, config, raw, err
}

// dockerDescriptor is a descriptor with the fields in docker's order.
type dockerDescriptor ocispec.Descriptor

func (d dockerDescriptor) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		MediaType string        `json:"mediaType"`
		Size      int64         `json:"size"`
		Digest    digest.Digest `json:"digest"`
	}{d.MediaType, d.Size, d.Digest})
}

func dockerDescriptors(list []ocispec.Descriptor) []dockerDescriptor {
	all := make([]dockerDescriptor, len(list))
	for i, d := range list {
		all[i] = dockerDescriptor(d)
	}
	return all
}

// once sends a blob that several layers or images may have, once.
func (p *push) once(ctx context.Context, pusher remotes.Pusher, desc ocispec.Descriptor, l *line) (status string, err error) {
	p.mu.Lock()
	send := p.sent[desc.Digest]
	if send == nil {
		send = sync.OnceValues(func() (string, error) { return p.blob(ctx, pusher, desc, l) })
		p.sent[desc.Digest] = send
	}
	p.mu.Unlock()
	return send()
}

// blob sends a blob of the store, unless the registry has it or can link it,
// and says which in docker's words. Line may be nil.
func (p *push) blob(ctx context.Context, pusher remotes.Pusher, desc ocispec.Descriptor, l *line) (status string, err error) {
	ra, err := p.store.Content.ReaderAt(ctx, desc)
	if err != nil {
		return "", fmt.Errorf("open blob %s: %w", desc.Digest, err)
	}
	defer ra.Close()
	desc.Annotations = p.session.sources(ctx, p.store.Content, desc.Digest)
	delay := p.cfg.RetryDelay
	for try := 0; ; try++ {
		err = p.put(ctx, pusher, desc, io.NewSectionReader(ra, 0, ra.Size()), l)
		if err == nil || errdefs.IsAlreadyExists(err) || try == requestRetries || ctx.Err() != nil || lasting(err) {
			break
		}
		if err := sleep(ctx, delay); err != nil {
			return "", err
		}
		delay *= 2
	}
	status = "Pushed"
	if errdefs.IsAlreadyExists(err) {
		status, err = p.had(ctx, desc), nil
	}
	if err != nil {
		return "", err
	}
	return status, p.session.remember(ctx, p.store.Content, desc)
}

// had says why a blob need not be sent.
func (p *push) had(ctx context.Context, desc ocispec.Descriptor) string {
	st, err := p.session.tracker.GetStatus(remotes.MakeRefKey(ctx, desc))
	if err == nil && st.MountedFrom != "" {
		if from, err := reference.ParseNormalizedNamed(st.MountedFrom); err == nil {
			return "Mounted from " + reference.Path(from)
		}
	}
	return "Layer already exists"
}

// put sends a blob or a manifest. The error is of kind AlreadyExists if the
// registry has it.
func (p *push) put(ctx context.Context, pusher remotes.Pusher, desc ocispec.Descriptor, r io.ReadSeeker, l *line) error {
	// What an earlier try left would be taken for one that is under way.
	p.session.tracker.SetStatus(remotes.MakeRefKey(ctx, desc), docker.Status{})
	w, err := pusher.Push(ctx, desc)
	if err != nil {
		return err
	}
	defer w.Close()
	if l != nil {
		r = &upload{ReadSeeker: r, line: l, total: desc.Size}
	}
	return content.Copy(ctx, w, r, desc.Size, desc.Digest)
}

// upload reports how much of a blob is sent.
type upload struct {
	io.ReadSeeker
	line        *line
	sent, total int64
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadSeeker.Read(p)
	if u.sent += int64(n); n > 0 {
		u.line.bytes("Pushing", u.sent, u.total)
	}
	return n, err
}

// Seek is called when a part has to be sent again.
func (u *upload) Seek(offset int64, whence int) (int64, error) {
	at, err := u.ReadSeeker.Seek(offset, whence)
	u.sent = at
	return at, err
}
