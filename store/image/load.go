package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store/diff"
)

// maxArchiveEntries bounds the entries of an image archive: a few for each
// layer.
const maxArchiveEntries = 100_000

// Loaded is an image that Load stored.
type Loaded struct {
	Image
	Names []string // familiar names it was given here; none if the archive has none
}

// Load reads an image archive, as docker save, podman save, skopeo and others
// write it or as a tar of an OCI image layout, compressed or not, and stores
// all images in it or none. The stream is read once; blobs go straight into
// the content store.
//
// An archive that is cut off, has entries that lead out of it or are neither
// files, directories nor docker's links between layers, or whose parts do not
// fit their digests, is an error of kind InvalidArgument.
func (s *Store) Load(ctx context.Context, r io.Reader) ([]Loaded, error) {
	lease := s.gc.Lease()
	loaded, err := s.load(ctx, r)
	lease.Release()
	// What the archive had beside its images, or all of it after an error.
	if _, cerr := s.Collect(context.WithoutCancel(ctx)); cerr != nil {
		err = errors.Join(err, cerr)
	}
	if err != nil {
		return nil, fmt.Errorf("load images: %w", err)
	}
	return loaded, nil
}

func (s *Store) load(ctx context.Context, r io.Reader) ([]Loaded, error) {
	a := &archive{
		store: s, files: make(map[string]ocispec.Descriptor), staged: make(map[digest.Digest]*staging),
		docs: make(map[string][]byte), links: make(map[string]string),
	}
	defer a.drop(ctx)
	defer s.flushing()()
	if err := a.spool(ctx, r); err != nil {
		return nil, err
	}
	plans, err := a.plan(ctx)
	if err != nil {
		return nil, err
	}
	var all []named
	var loaded []Loaded
	for _, p := range plans {
		var names []string
		for _, name := range p.names {
			c, err := ParseName(name)
			if err != nil {
				return nil, err
			}
			names = appendNew(names, familiar(c))
		}
		r, err := s.build(ctx, Incoming{Parts: p.parts, staged: a.staged})
		if errdefs.IsNotFound(err) {
			err = fmt.Errorf("the archive lacks a part: %w: %w", err, errdefs.ErrInvalidArgument)
		}
		if err != nil {
			return nil, err
		}
		img, err := s.image(ctx, r.Config.Digest, r, names)
		if err != nil {
			return nil, err
		}
		all, loaded = append(all, named{record: r, names: names}), append(loaded, Loaded{img, names})
	}
	return loaded, s.put(all)
}

// archive is what an image archive holds.
type archive struct {
	store *Store
	files map[string]ocispec.Descriptor // spooled
	// What looks like a layer is unpacked while it is read, though nobody knows
	// yet on which others it stands.
	staged map[digest.Digest]*staging
	docs   map[string][]byte // manifest.json and the like
	links  map[string]string // name → name of the file meant
}

// plan is an image of an archive, before it is built.
type plan struct {
	parts Parts
	names []string
}

// The documents that say what an archive holds.
const (
	dockerManifest = "manifest.json"
	ociIndex       = ocispec.ImageIndexFile
)

// drop ends what is being unpacked for nothing.
func (a *archive) drop(ctx context.Context) {
	for _, g := range a.staged {
		g.drop(ctx, nil)
	}
}

// spool reads the whole archive.
func (a *archive) spool(ctx context.Context, r io.Reader) error {
	stream, _, err := diff.Decompress(r)
	if err != nil {
		return err
	}
	defer stream.Close()
	in := &endReader{r: contextReader{ctx, stream}}
	tr := tar.NewReader(in)
	for n := 0; ; n++ {
		hdr, err := tr.Next()
		if err == io.EOF {
			if in.ended { // before tar's end marker
				return archiveError(io.ErrUnexpectedEOF)
			}
			// Read on: the end of a compressed stream has its checksum, and
			// a client that still sends wants to be listened to.
			_, err = io.Copy(io.Discard, in)
			return archiveError(err)
		}
		if err != nil {
			return archiveError(err)
		}
		if n >= maxArchiveEntries {
			return fmt.Errorf("more than %d entries: %w", maxArchiveEntries, errdefs.ErrInvalidArgument)
		}
		if err := a.entry(ctx, hdr, tr); err != nil {
			return fmt.Errorf("entry %q: %w", hdr.Name, archiveError(err))
		}
	}
}

// endReader notes that the end of a stream was read.
type endReader struct {
	r     io.Reader
	ended bool
}

func (e *endReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.ended = e.ended || err == io.EOF && n == 0
	return n, err
}

// archiveError says of an archive that ends early that it does.
func archiveError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the archive is cut off: %w: %w", err, errdefs.ErrInvalidArgument)
	case errors.Is(err, tar.ErrHeader):
		return fmt.Errorf("not a tar archive: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return err
}

// entryName cleans the name of an entry and refuses those that lead out.
func entryName(name string) (string, error) {
	clean := path.Clean(name)
	if path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") || strings.IndexByte(name, 0) >= 0 {
		return "", fmt.Errorf("the name %q leads out of the archive: %w", name, errdefs.ErrInvalidArgument)
	}
	return clean, nil
}

func (a *archive) entry(ctx context.Context, hdr *tar.Header, r io.Reader) error {
	name, err := entryName(hdr.Name)
	if err != nil {
		return err
	}
	switch hdr.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeSymlink:
		return a.link(name, hdr.Linkname)
	case tar.TypeReg:
	default:
		return fmt.Errorf("type %q has no place in an image archive: %w", hdr.Typeflag, errdefs.ErrInvalidArgument)
	}
	for key := range hdr.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") { // a few bytes could claim to be any number
			return fmt.Errorf("sparse files have no place in an image archive: %w", errdefs.ErrInvalidArgument)
		}
	}
	switch base := path.Base(name); {
	case name == dockerManifest, name == ociIndex, name == ocispec.ImageLayoutFile:
		if hdr.Size > maxJSON {
			return fmt.Errorf("%d bytes are too many: %w", hdr.Size, errdefs.ErrInvalidArgument)
		}
		a.docs[name], err = io.ReadAll(r)
		return err
	case name == "repositories", base == "VERSION" && name != base, base == "json" && name != base:
		return nil // docker before 1.10 needed them
	}
	var expected digest.Digest
	if hex, ok := strings.CutPrefix(name, "blobs/sha256/"); ok {
		if expected = digest.NewDigestFromEncoded(digest.SHA256, hex); expected.Validate() != nil {
			return fmt.Errorf("not the name of a blob: %w", errdefs.ErrInvalidArgument)
		}
	}
	a.files[name], err = a.blob(ctx, r, expected)
	return err
}

// blob stores a file of the archive, unless it is there already.
func (a *archive) blob(ctx context.Context, r io.Reader, expected digest.Digest) (ocispec.Descriptor, error) {
	if expected != "" {
		a.store.gc.HoldBlob(expected)
		if ra, err := a.store.content.ReaderAt(ctx, ocispec.Descriptor{Digest: expected}); err == nil {
			defer ra.Close()
			head := make([]byte, 512)
			n, _ := ra.ReadAt(head, 0)
			mediaType, _ := layerType(head[:n])
			return ocispec.Descriptor{MediaType: mediaType, Digest: expected, Size: ra.Size()}, nil
		}
	}
	if expected == "" {
		plain, err := storable(r)
		if err != nil {
			return ocispec.Descriptor{}, err
		}
		defer plain.Close()
		r = plain
	}
	var g *staging
	desc, err := a.store.spool(ctx, r, expected, func(w content.Writer) { g = a.stage(ctx, w) })
	if errdefs.IsFailedPrecondition(err) {
		err = fmt.Errorf("the content does not fit the name: %w", errdefs.ErrInvalidArgument)
	}
	switch {
	case g == nil:
	case err != nil, a.staged[desc.Digest] != nil: // the same layer under two names
		err = g.drop(ctx, err)
	default:
		a.staged[desc.Digest] = g
	}
	return desc, err
}

// maxStaged is how many layers are unpacked before it is known what they are
// for; further ones wait until the archive is read.
const maxStaged = 16

// stage begins to unpack what a writer writes. It is no error if that cannot
// be: if the file is a layer it will be unpacked later.
func (a *archive) stage(ctx context.Context, w content.Writer) *staging {
	if len(a.staged) >= maxStaged {
		return nil
	}
	r, err := a.store.content.Follow(w)
	if err != nil {
		return nil
	}
	g, err := a.store.stage(ctx, r, diff.ApplyOptions{Digested: true}, nil)
	if err != nil {
		return nil
	}
	return g
}

// link notes docker save's and skopeo's links: a layer that is in the archive
// already under another name.
func (a *archive) link(name, target string) error {
	if path.Base(name) != "layer.tar" || path.IsAbs(target) {
		return fmt.Errorf("a symbolic link to %q has no place in an image archive: %w", target, errdefs.ErrInvalidArgument)
	}
	to, err := entryName(path.Join(path.Dir(name), target))
	if err == nil {
		a.links[name] = to
	}
	return err
}

// file finds a file that a manifest names.
func (a *archive) file(name string) (ocispec.Descriptor, error) {
	clean, err := entryName(name)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	if to, ok := a.links[clean]; ok {
		clean = to
	}
	desc, ok := a.files[clean]
	if !ok {
		return desc, fmt.Errorf("the archive has no %q: %w", name, errdefs.ErrInvalidArgument)
	}
	return desc, nil
}

// plan reads what images there are.
func (a *archive) plan(ctx context.Context) ([]plan, error) {
	manifests, err := a.manifests(ctx)
	if err != nil {
		return nil, err
	}
	doc, ok := a.docs[dockerManifest]
	switch {
	case ok:
	case a.docs[ociIndex] == nil:
		return nil, fmt.Errorf("the archive has neither %s nor %s: %w", dockerManifest, ociIndex, errdefs.ErrInvalidArgument)
	case len(manifests) == 0:
		return nil, fmt.Errorf("%s names no image for linux/%s: %w", ociIndex, runtime.GOARCH, errdefs.ErrInvalidArgument)
	default:
		return manifests, nil
	}
	items, err := decodeDockerManifest(doc)
	if err != nil {
		return nil, err
	}
	var plans []plan
	for _, item := range items {
		p, err := a.dockerPlan(item)
		if err != nil {
			return nil, err
		}
		// An archive of both forms has the manifest with the same config.
		i := slices.IndexFunc(manifests, func(m plan) bool { return m.parts.Config.Digest == p.parts.Config.Digest })
		if i >= 0 {
			p.parts = manifests[i].parts
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// dockerItem is an image in docker's manifest.json (docker image
// specification 1.2, "Combined image JSON + file system changeset format").
type dockerItem struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func decodeDockerManifest(doc []byte) ([]dockerItem, error) {
	var items []dockerItem
	if err := json.Unmarshal(doc, &items); err != nil {
		return nil, fmt.Errorf("decode %s: %w: %w", dockerManifest, err, errdefs.ErrInvalidArgument)
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%s names no image: %w", dockerManifest, errdefs.ErrInvalidArgument)
	}
	return items, nil
}

func (a *archive) dockerPlan(item dockerItem) (plan, error) {
	config, err := a.file(item.Config)
	if err != nil {
		return plan{}, fmt.Errorf("config: %w", err)
	}
	config.MediaType = ocispec.MediaTypeImageConfig
	p := plan{parts: Parts{Config: config}, names: item.RepoTags}
	for _, name := range item.Layers {
		layer, err := a.file(name)
		if err != nil {
			return plan{}, fmt.Errorf("layer: %w", err)
		}
		p.parts.Layers = append(p.parts.Layers, layer)
	}
	return p, nil
}
