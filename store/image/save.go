package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Save writes images as an archive that docker load (1.10 and newer) and
// tools for OCI image layouts take: blobs/, oci-layout, index.json and
// docker's manifest.json. Layers are the blobs that came in, byte for byte.
// A name without a tag stands for all tags of its repository.
//
// The same images always give the same bytes.
func (s *Store) Save(ctx context.Context, w io.Writer, refs []string) error {
	lease := s.gc.Lease() // a blob must not go while it is written
	defer lease.Release()
	sel, err := s.selection(ctx, refs)
	if err != nil {
		return fmt.Errorf("save images: %w", err)
	}
	a := &archiveWriter{store: s, tar: tar.NewWriter(w), written: make(map[digest.Digest]bool)}
	for _, img := range sel {
		if err := a.image(ctx, img); err != nil {
			return fmt.Errorf("save image %s: %w", img.id, err)
		}
	}
	if err := a.finish(); err != nil {
		return fmt.Errorf("save images: %w", err)
	}
	return nil
}

// selected is an image to be saved, with the names to save.
type selected struct {
	id     digest.Digest
	record record
	names  []string // canonical
}

// selection finds the images that are meant, each once, in the order given.
func (s *Store) selection(ctx context.Context, refs []string) ([]*selected, error) {
	byID := make(map[digest.Digest]*selected)
	var all []*selected
	add := func(id digest.Digest, name string) error {
		img := byID[id]
		if img == nil {
			r, err := s.images.Get(id.String())
			if err != nil {
				return err
			}
			s.holdBlobs(&r)
			img = &selected{id: id, record: r}
			byID[id], all = img, append(all, img)
		}
		if name != "" {
			img.names = appendNew(img.names, name)
		}
		return nil
	}
	for _, ref := range refs {
		names, err := s.repository(ref)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if err := add(names[name], name); err != nil {
				return nil, err
			}
		}
		if len(names) > 0 {
			continue
		}
		id, name, err := s.resolve(ref)
		if err != nil {
			return nil, err
		}
		if err := add(id, name); err != nil {
			return nil, err
		}
	}
	return all, ctx.Err()
}

// holdBlobs keeps the blobs of an image while a lease is held, also when the
// image is removed meanwhile.
func (s *Store) holdBlobs(r *record) {
	s.gc.HoldBlob(r.Config.Digest)
	if r.Manifest != nil {
		s.gc.HoldBlob(r.Manifest.Digest)
	}
	for _, l := range r.Layers {
		s.gc.HoldBlob(l.Digest)
	}
}

// repository returns the tags of the repository that ref means, if it names
// one and no tag.
func (s *Store) repository(ref string) (map[string]digest.Digest, error) {
	repo, err := reference.ParseNormalizedNamed(ref)
	if err != nil || !reference.IsNameOnly(repo) {
		return nil, nil
	}
	names := make(map[string]digest.Digest)
	err = s.tags.ForEach(func(name string, id digest.Digest) error {
		if named, err := reference.ParseNormalizedNamed(name); err == nil && named.Name() == repo.Name() {
			names[name] = id
		}
		return nil
	})
	return names, err
}

// archiveWriter writes an image archive.
type archiveWriter struct {
	store   *Store
	tar     *tar.Writer
	written map[digest.Digest]bool
	index   []ocispec.Descriptor
	docker  []dockerItem
}

// epoch is the time of what has none.
var epoch = time.Unix(0, 0)

func blobName(dgst digest.Digest) string { return "blobs/sha256/" + dgst.Encoded() }

// file writes a file whose header depends on nothing but its content, so that
// archives are reproducible: most have no time.
func (a *archiveWriter) file(name string, size int64, changed time.Time, r io.Reader) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o444, ModTime: changed}
	if err := a.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(a.tar, r)
	return err
}

func (a *archiveWriter) json(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.file(name, int64(len(data)), epoch, bytes.NewReader(data))
}

// blob writes a blob of the content store, once.
func (a *archiveWriter) blob(ctx context.Context, desc ocispec.Descriptor, changed time.Time) error {
	if a.written[desc.Digest] {
		return nil
	}
	a.written[desc.Digest] = true
	ra, err := a.store.content.ReaderAt(ctx, desc)
	if err != nil {
		return err
	}
	defer ra.Close()
	return a.file(blobName(desc.Digest), ra.Size(), changed, contextReader{ctx, content.NewReader(ra)})
}

// image writes the blobs of an image and notes it for both manifests.
func (a *archiveWriter) image(ctx context.Context, img *selected) error {
	r := img.record
	item := dockerItem{Config: blobName(r.Config.Digest), RepoTags: []string{}, Layers: []string{}}
	config, err := a.store.config(ctx, r.Config)
	if err != nil {
		return err
	}
	made := epoch
	if config.Created != nil {
		made = config.Created.Truncate(time.Second) // not rounded, into the future; docker's archives tell it by this file's time
	}
	if err := a.blob(ctx, r.Config, made); err != nil {
		return err
	}
	for _, l := range r.Layers {
		if err := a.blob(ctx, l, epoch); err != nil {
			return err
		}
		item.Layers = append(item.Layers, blobName(l.Digest))
	}
	manifest, err := a.manifest(ctx, r)
	if err != nil {
		return err
	}
	if len(img.names) == 0 {
		a.index = append(a.index, manifest)
	}
	// index.json has an entry for each name, as docker save writes it.
	for _, name := range img.names {
		item.RepoTags = append(item.RepoTags, familiar(name))
		desc := manifest
		desc.Annotations = map[string]string{annotationName: name}
		if ref, err := reference.ParseNormalizedNamed(name); err == nil {
			if tagged, ok := ref.(reference.Tagged); ok {
				desc.Annotations[annotationRef] = tagged.Tag()
			}
		}
		a.index = append(a.index, desc)
	}
	a.docker = append(a.docker, item)
	return nil
}

// manifest writes the manifest that the image came with, or one made up.
func (a *archiveWriter) manifest(ctx context.Context, r record) (ocispec.Descriptor, error) {
	if r.Manifest != nil {
		return *r.Manifest, a.blob(ctx, *r.Manifest, epoch)
	}
	// The same record always gives the same manifest: tools that keep images
	// by its digest see one image, not one for each save.
	config := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: r.Config.Digest, Size: r.Config.Size}
	data, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    config,
		Layers:    r.Layers,
	})
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	desc := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(data), Size: int64(len(data))}
	if a.written[desc.Digest] {
		return desc, nil
	}
	a.written[desc.Digest] = true
	return desc, a.file(blobName(desc.Digest), desc.Size, epoch, bytes.NewReader(data))
}

// finish writes what says what the archive holds.
func (a *archiveWriter) finish() error {
	if err := a.json(ociIndex, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: a.index,
	}); err != nil {
		return err
	}
	if err := a.json(dockerManifest, a.docker); err != nil {
		return err
	}
	if err := a.json(ocispec.ImageLayoutFile, ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion}); err != nil {
		return err
	}
	return a.tar.Close()
}
