package engine

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"berth/store/image"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/api/types/events"
	"github.com/opencontainers/go-digest"
)

// Load stores the images of an archive (of docker save, or an OCI layout; compressed or not) and returns them. All of
// them are stored, or none. A bad archive is of kind InvalidArgument.
func (is *Images) Load(ctx context.Context, r io.Reader) ([]LoadedImage, error) {
	images, err := is.images.Load(ctx, r)
	if err != nil {
		return nil, err
	}
	var loaded []LoadedImage
	for _, got := range images {
		is.emit(events.ActionLoad, got.Image, got.Image.ID.String())
		for _, name := range got.Names {
			loaded = append(loaded, LoadedImage{ID: got.Image.ID.String(), Ref: name})
		}
		if len(got.Names) == 0 {
			loaded = append(loaded, LoadedImage{ID: got.Image.ID.String()})
		}
	}
	return loaded, nil
}

// Save writes an archive of the images that refs mean, which docker load and OCI tools read. A reference that means
// none is found before anything is written.
func (is *Images) Save(ctx context.Context, w io.Writer, refs []string) error {
	var images []image.Image
	for _, ref := range refs {
		found, err := is.named(ctx, ref)
		if err != nil {
			return err
		}
		images = append(images, found...)
	}
	if err := is.images.Save(ctx, w, refs); err != nil {
		return err
	}
	for _, img := range images {
		is.emit(events.ActionSave, img, img.ID.String())
	}
	return nil
}

// named finds the images that a reference means to docker save: a name without a tag is all of its tags.
func (is *Images) named(ctx context.Context, ref string) ([]image.Image, error) {
	repo, err := reference.ParseNormalizedNamed(ref)
	bare := err == nil && reference.IsNameOnly(repo)
	if bare {
		all, err := is.images.List(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing images: %w", err)
		}
		all = slices.DeleteFunc(all, func(img image.Image) bool {
			return !slices.ContainsFunc(img.RepoTags, func(tag string) bool {
				rest, ok := strings.CutPrefix(tag, reference.FamiliarName(repo)+":")
				return ok && !strings.Contains(rest, "/") // not a registry's port
			})
		})
		if len(all) > 0 {
			return all, nil
		}
	}
	img, err := is.resolve(ctx, ref)
	if bare && errdefs.IsNotFound(err) {
		err = kind(errdefs.ErrNotFound, "No such image: %s", ref) // without a tag: none was meant
	}
	return []image.Image{img}, err
}

// Import makes an image of one layer from the archive of a root file system, and returns its ID.
func (is *Images) Import(ctx context.Context, r io.Reader, o ImportOptions) (string, error) {
	name := ""
	if o.Repo != "" {
		var err error
		if name, err = nameOf(o.Repo, o.Tag); err != nil {
			return "", err
		}
	}
	if err := image.ApplyChanges(new(dockerspec.DockerOCIImageConfig), o.Changes); err != nil {
		return "", err
	}
	n := image.NewImage{Name: name, Changes: o.Changes, Comment: o.Message}
	if n.Comment == "" {
		n.Comment = "Imported from -"
	}
	if p := o.Platform; p != nil {
		if p.OS != "linux" {
			return "", kind(errdefs.ErrInvalidArgument, "operating system is not supported: %s", p.OS)
		}
		n.Architecture = p.Architecture
	}
	archive := bufio.NewReader(r)
	if _, err := archive.Peek(1); err == io.EOF {
		// Nothing at all is an image without files, as for docker; the end of an archive are two empty blocks.
		archive.Reset(bytes.NewReader(make([]byte, 2*512)))
	}
	img, err := is.images.Import(ctx, archive, n)
	if err != nil {
		return "", err
	}
	if name != "" {
		is.emit(events.ActionTag, img, name)
	}
	is.emit(events.ActionImport, img, img.ID.String())
	return img.ID.String(), nil
}

// Tag gives the image ref the name repo:tag ("latest" if tag is empty), which another image may lose by that.
func (is *Images) Tag(ctx context.Context, ref, repo, tag string) error {
	name, err := nameOf(repo, tag)
	if err != nil {
		return err
	}
	img, err := is.resolve(ctx, ref)
	if err != nil {
		return err
	}
	if err := is.images.Tag(ctx, img.ID.String(), name); err != nil {
		return fmt.Errorf("tagging image %s: %w", ref, err)
	}
	is.emit(events.ActionTag, img, name)
	return nil
}

// nameOf joins and checks a repository and a tag. The name is the familiar one.
func nameOf(repo, tag string) (string, error) {
	named, err := reference.ParseNormalizedNamed(repo)
	if err != nil {
		return "", kind(errdefs.ErrInvalidArgument, "%v", err)
	}
	if _, ok := named.(reference.Digested); ok {
		return "", kind(errdefs.ErrInvalidArgument, "refusing to create a tag with a digest reference")
	}
	if reference.FamiliarName(named) == string(digest.Canonical) {
		return "", kind(errdefs.ErrInvalidArgument, "refusing to create an ambiguous tag using digest algorithm as name")
	}
	if tag != "" {
		if named, err = reference.WithTag(reference.TrimNamed(named), tag); err != nil {
			return "", kind(errdefs.ErrInvalidArgument, "%q is not a tag: %v", tag, err)
		}
	}
	return reference.FamiliarString(reference.TagNameOnly(named)), nil
}
