package image

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"berth/store/diff"
)

// NewImage is an image to be made of another one, or of nothing, and one more
// layer.
type NewImage struct {
	Parent  string   // reference of the image to build on; "" for none
	Name    string   // name to give; "" for none
	Changes []string // Dockerfile instructions (see ApplyChanges)

	// Config, if set, changes the config of the parent before Changes do.
	Config func(*dockerspec.DockerOCIImageConfig)

	Author    string
	Comment   string
	CreatedBy string    // the command that made the layer, for the history
	Created   time.Time // now, if zero

	Architecture string // of an image without parent: this machine's, if ""

	// written is what a layer holds that is written here; it is nil for one that
	// comes from elsewhere. Such a layer is fit to be unpacked for sure: it is
	// when somebody needs it, and one without entries is a step of the history only.
	written *diff.Totals
}

// emptyLayer is the digest of a tar without entries.
const emptyLayer = digest.Digest("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")

// Import makes an image of the tar stream of a root file system, which may be
// compressed.
func (s *Store) Import(ctx context.Context, r io.Reader, n NewImage) (Image, error) {
	img, err := s.Append(ctx, r, n)
	if err != nil {
		return Image{}, fmt.Errorf("import image: %w", err)
	}
	return img, nil
}

// CommitOptions tune CommitSnapshot.
type CommitOptions struct {
	// Omit tells which paths of the snapshot are no part of the image; may be nil.
	Omit func(path string) bool
	// Read is called when the snapshot has been read, long before the image
	// is there: what was paused for it may go on. May be nil.
	Read func()
}

// CommitSnapshot makes an image of a snapshot, say the writable layer of a
// container, on top of the image it was prepared from. If nothing was changed
// there the image has no more layers than its parent, as docker has it. The
// layer is unpacked at its first use: that takes several times as long as
// writing it, and many images are made to be sent elsewhere.
func (s *Store) CommitSnapshot(ctx context.Context, key string, o CommitOptions, n NewImage) (Image, error) {
	dirs, release, err := s.snapshots.Delta(ctx, key)
	if err != nil {
		return Image{}, fmt.Errorf("commit: %w", err)
	}
	defer release()
	n.written = new(diff.Totals)
	opts := diff.TarOptions{Layer: true, Omit: o.Omit, Totals: n.written}
	if len(dirs.Lower) > 0 {
		if opts.Root, err = rootDiffers(dirs.Upper, dirs.Lower[0]); err != nil {
			return Image{}, fmt.Errorf("commit: %w", err)
		}
	}
	// The layer goes into the content store as it is written; an error of
	// the writer arrives as an error of the reader.
	pr, pw := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w := bufio.NewWriterSize(pw, 1<<20)
		err := diff.WriteTar(ctx, w, dirs.Upper, opts)
		if err == nil {
			err = w.Flush()
		}
		pw.CloseWithError(err)
		if o.Read != nil {
			o.Read()
		}
	}()
	defer func() {
		pr.Close()
		<-done
	}()
	img, err := s.Append(ctx, pr, n)
	if err != nil {
		return Image{}, fmt.Errorf("commit: %w", err)
	}
	return img, nil
}

// rootDiffers tells whether the root directory itself was changed.
func rootDiffers(upper, lower string) (bool, error) {
	var a, b unix.Stat_t
	if err := unix.Stat(upper, &a); err != nil {
		return false, err
	}
	if err := unix.Stat(lower, &b); err != nil {
		return false, err
	}
	return a.Mode != b.Mode || a.Uid != b.Uid || a.Gid != b.Gid, nil
}

// Append makes an image of a layer, a tar stream in the form of image layers
// that may be compressed, on top of a parent. The blob is kept as it is.
func (s *Store) Append(ctx context.Context, layer io.Reader, n NewImage) (_ Image, err error) {
	lease := s.gc.Lease()
	defer func() {
		lease.Release()
		if err == nil {
			return
		}
		if _, cerr := s.Collect(context.WithoutCancel(ctx)); cerr != nil {
			err = errors.Join(err, cerr)
		}
	}()
	parent, config, err := s.parentOf(ctx, n)
	if err != nil {
		return Image{}, err
	}
	if n.Config != nil {
		n.Config(&config.Config)
	}
	if err := ApplyChanges(&config.Config, n.Changes); err != nil {
		return Image{}, err
	}
	var names []string
	if n.Name != "" {
		if _, err := ParseName(n.Name); err != nil {
			return Image{}, err
		}
		names = []string{n.Name}
	}
	in := Incoming{Parts: Parts{Layers: slices.Clone(parent.Layers), Parent: parent.Config.Digest}}
	diffID, err := s.addLayer(ctx, &in, parent, layer, n.written)
	if err != nil {
		return Image{}, err
	}
	n.describe(config, diffID)
	data, err := json.Marshal(config)
	if err != nil {
		return Image{}, fmt.Errorf("encode image config: %w", err)
	}
	if in.Config, err = s.spool(ctx, bytes.NewReader(data), "", nil); err != nil {
		return Image{}, err
	}
	in.Config.MediaType = ocispec.MediaTypeImageConfig
	return s.Receive(ctx, in, names...)
}

// addLayer puts the layer that a stream holds on the others of an image, and
// returns its diff ID, "" for one without entries that was written here.
func (s *Store) addLayer(ctx context.Context, in *Incoming, parent record, layer io.Reader, written *diff.Totals) (diffID digest.Digest, err error) {
	if written == nil {
		defer s.flushing()()
		blob, g, err := s.spoolLayer(ctx, layer)
		if err == nil {
			diffID, err = s.unpackNew(ctx, parent, blob, g)
		}
		in.Layers = append(in.Layers, blob)
		return diffID, err
	}
	blob, err := s.spool(ctx, layer, "", nil)
	if err != nil || blob.Digest == emptyLayer {
		return "", err
	}
	in.Layers = append(in.Layers, blob)
	in.written = &layerRecord{DiffID: blob.Digest, Size: written.Size, Entries: written.Entries}
	return blob.Digest, nil
}

// parentOf returns the record of the parent and a copy of its config.
func (s *Store) parentOf(ctx context.Context, n NewImage) (record, *dockerspec.DockerOCIImage, error) {
	config := new(dockerspec.DockerOCIImage)
	if n.Parent == "" {
		config.OS, config.Architecture = "linux", n.Architecture
		if config.Architecture == "" {
			config.Architecture = runtime.GOARCH
		}
		return record{}, config, nil
	}
	id, _, err := s.resolve(n.Parent)
	if err != nil {
		return record{}, nil, err
	}
	r, err := s.images.Get(id.String())
	if err != nil {
		return record{}, nil, err
	}
	data, err := s.readJSON(ctx, r.Config)
	if err != nil {
		return record{}, nil, err
	}
	config, err = decodeConfig(data)
	return r, config, err
}

// describe adds a step to a config, and the layer it made unless diffID is "".
func (n *NewImage) describe(config *dockerspec.DockerOCIImage, diffID digest.Digest) {
	created := n.Created.UTC()
	if n.Created.IsZero() {
		created = time.Now().UTC()
	}
	config.Created = &created
	if n.Author != "" {
		config.Author = n.Author
	}
	config.RootFS.Type = "layers"
	if diffID != "" {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
	}
	config.History = append(config.History, ocispec.History{
		Created: &created, CreatedBy: n.CreatedBy, Author: n.Author, Comment: n.Comment, EmptyLayer: diffID == "",
	})
}

// spoolLayer writes a layer into the content store, and unpacks it as it
// comes. There is no staging if the stream does not look like a layer at once.
func (s *Store) spoolLayer(ctx context.Context, layer io.Reader) (blob ocispec.Descriptor, g *staging, err error) {
	plain, err := storable(layer)
	if err != nil {
		return blob, nil, fmt.Errorf("read the layer: %w", err)
	}
	defer plain.Close()
	var serr error
	blob, err = s.spool(ctx, plain, "", func(w content.Writer) {
		var r io.ReadCloser
		if r, serr = s.content.Follow(w); serr == nil {
			g, serr = s.stage(ctx, r, unpackUnknown, nil)
		}
	})
	if err = errors.Join(err, serr); err != nil && g != nil {
		err = g.drop(ctx, err)
	}
	return blob, g, err
}

// unpackUnknown is for a layer that has no diff ID to be held to: it must at
// least end as a tar does.
var unpackUnknown = diff.ApplyOptions{Complete: true}

// unpackNew ends the unpacking of a layer whose diff ID nobody knows yet on top
// of a parent; it begins it if g is nil.
func (s *Store) unpackNew(ctx context.Context, parent record, blob ocispec.Descriptor, g *staging) (digest.Digest, error) {
	below, err := s.unpackAll(ctx, &parent)
	if err != nil && g != nil {
		err = g.drop(ctx, err)
	}
	if err != nil {
		return "", err
	}
	if g == nil {
		ra, err := s.content.ReaderAt(ctx, blob)
		if err != nil {
			return "", fmt.Errorf("open the layer's blob: %w", err)
		}
		if g, err = s.stage(ctx, blobReader(ra), unpackUnknown, nil); err != nil {
			return "", err
		}
	}
	g.on(func(ctx context.Context) ([]string, error) { return s.dirsOf(ctx, digest.Digest(below)) })
	res, err := g.result(ctx)
	if err != nil {
		return "", g.drop(ctx, err)
	}
	// Only now the chain ID is known, and whether the layer is there already.
	chainID := identity.ChainID(append(append([]digest.Digest(nil), parent.DiffIDs...), res.DiffID))
	return res.DiffID, s.commitLayer(ctx, digest.Digest(below), chainID, g.key, res)
}
