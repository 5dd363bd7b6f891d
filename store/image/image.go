// Package image keeps container images: their records and names, loading and
// saving them, making new ones, and taking them away.
//
// An image is its config, a JSON blob whose digest is the image ID (as docker
// shows it), and layers. The layers are kept twice: as the blob they came in,
// compressed or not, so that save and push send the very same bytes; and
// unpacked, as a snapshot named by the chain ID, which all images and
// containers with the same lower layers share. Unpacking also writes the
// index of the layer (package diff).
//
// Records in the meta database: "images" by ID, "tags" from canonical name
// ("docker.io/library/busybox:latest") to ID, "layers" by chain ID. They are
// written in one transaction after everything they refer to; whatever no
// record refers to is garbage (package gc).
//
// A new container's root file system:
//
//	img, err := images.Resolve(ctx, "busybox")
//	parent, err := images.Unpack(ctx, img.ID)      // at once if it is there
//	mounts, err := snapshots.Prepare(ctx, containerID, parent)
//
// Several images or an image archive are stored whole or not at all.
package image

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	blobs "berth/store/content"
	"berth/store/diff"
	"berth/store/gc"
	"berth/store/lease"
	"berth/store/meta"
	"berth/store/snapshot"
)

// maxJSON bounds configs, manifests and indexes (the distribution-spec asks
// registries for 4 MiB).
const maxJSON = 8 << 20

// maxLayers is how many layers overlay stacks (OVL_MAX_STACK in the kernel).
const maxLayers = 500

// Store keeps images. Make one with Open; it is safe for concurrent use.
type Store struct {
	content   *blobs.Store
	snapshots snapshot.Snapshotter
	gc        *gc.Collector
	leases    *lease.Store
	db        *meta.DB
	log       *slog.Logger

	images meta.Bucket[record]
	tags   meta.Bucket[digest.Digest]
	layers meta.Bucket[layerRecord]

	flights flights
	flush   struct { // see flushing
		mu      sync.Mutex
		users   int
		end     chan struct{}
		running sync.WaitGroup
	}
	fetching  keyedLock // by the digest of a blob
	unpacking keyedLock // by chain ID: the record of a layer
	configs   sync.Map  // decoded configs by ID: they never change
}

// Options are what a Store is made of; all but Leases are required.
type Options struct {
	DB        *meta.DB
	Content   *blobs.Store
	Snapshots snapshot.Snapshotter
	Collector *gc.Collector
	Leases    *lease.Store // keep more than the images do; may be nil
	Log       *slog.Logger
}

// Open opens the image store and collects what a crash left behind.
func Open(ctx context.Context, opts Options) (*Store, error) {
	s := &Store{content: opts.Content, snapshots: opts.Snapshots, gc: opts.Collector, leases: opts.Leases, db: opts.DB, log: opts.Log}
	var err error
	if s.images, err = meta.NewBucket[record](s.db, "images"); err != nil {
		return nil, err
	}
	if s.tags, err = meta.NewBucket[digest.Digest](s.db, "tags"); err != nil {
		return nil, err
	}
	if s.layers, err = meta.NewBucket[layerRecord](s.db, "layers"); err != nil {
		return nil, err
	}
	s.gc.Spared(func() {
		if _, err := s.Collect(context.Background()); err != nil {
			s.log.Warn("what was spared for an operation that has ended is not removed", "error", err)
		}
	})
	if _, err := s.Collect(ctx); err != nil {
		return nil, err
	}
	// Of layers that were about to be committed there are records only.
	err = s.layers.ForEach(func(name string, _ layerRecord) error {
		_, err := s.forgetLayer(ctx, name)
		return err
	})
	return s, err
}

// record is what is stored of an image.
type record struct {
	Config      ocispec.Descriptor   `json:"config"`
	Manifest    *ocispec.Descriptor  `json:"manifest,omitempty"` // the one it came with
	Layers      []ocispec.Descriptor `json:"layers"`             // blobs, as they came
	DiffIDs     []digest.Digest      `json:"diffIDs"`
	RepoDigests []string             `json:"repoDigests,omitempty"`
	Parent      digest.Digest        `json:"parent,omitempty"`
	Stored      time.Time            `json:"stored"`
	LastTagged  time.Time            `json:"lastTagged"`
}

// chain returns the chain IDs of the layers, which name their snapshots.
func (r *record) chain() []digest.Digest {
	ids := append([]digest.Digest(nil), r.DiffIDs...)
	return identity.ChainIDs(ids)
}

// layerRecord is what is known of an unpacked layer.
type layerRecord struct {
	DiffID  digest.Digest `json:"diffID"`
	Size    int64         `json:"size"` // bytes of files
	Entries int           `json:"entries"`
	Stats   *diff.Stats   `json:"stats,omitempty"` // once asked for
}

// Image is an image as users see it.
type Image struct {
	ID          digest.Digest
	RepoTags    []string // familiar names: "busybox:latest"
	RepoDigests []string // "busybox@sha256:…", of pulled images
	Parent      digest.Digest
	Size        int64 // bytes of the files in all layers
	LastTagged  time.Time
	Config      dockerspec.DockerOCIImage // created, architecture, config, …
	Manifest    *ocispec.Descriptor       // the one it was pulled or loaded with, if any
	Layers      []Layer                   // lowest first
	History     []History                 // oldest first
}

// Layer is one layer of an image.
type Layer struct {
	DiffID     digest.Digest
	ChainID    digest.Digest // names the snapshot
	Descriptor ocispec.Descriptor
	Size       int64 // bytes of its files
	Entries    int
	History    // how it came about, as far as the config tells
}

// History is one step of how an image came about.
type History struct {
	Created   time.Time
	CreatedBy string
	Author    string
	Comment   string
	Layer     int // index into Layers, -1 if the step made none
}

// Get returns the image with an ID, or an error of kind NotFound.
func (s *Store) Get(ctx context.Context, id digest.Digest) (Image, error) {
	var r record
	var tags []string
	err := s.db.View(func(tx *meta.Tx) (err error) {
		if r, err = s.images.In(tx).Get(id.String()); err != nil {
			return err
		}
		return s.tags.In(tx).ForEach(func(name string, of digest.Digest) error {
			if of == id {
				tags = append(tags, familiar(name))
			}
			return nil
		})
	})
	if errdefs.IsNotFound(err) {
		return Image{}, fmt.Errorf("no such image: %s: %w", id, errdefs.ErrNotFound)
	}
	if err != nil {
		return Image{}, err
	}
	return s.image(ctx, id, r, tags)
}

// List returns all images, in the order of their IDs.
func (s *Store) List(ctx context.Context) ([]Image, error) {
	type row struct {
		id digest.Digest
		r  record
	}
	var rows []row
	tags := make(map[digest.Digest][]string)
	err := s.db.View(func(tx *meta.Tx) error {
		err := s.tags.In(tx).ForEach(func(name string, of digest.Digest) error {
			tags[of] = append(tags[of], familiar(name))
			return nil
		})
		if err != nil {
			return err
		}
		return s.images.In(tx).ForEach(func(id string, r record) error {
			rows = append(rows, row{digest.Digest(id), r})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var all []Image
	for _, row := range rows {
		img, err := s.image(ctx, row.id, row.r, tags[row.id])
		if errdefs.IsNotFound(err) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("list images: %w", err)
		}
		all = append(all, img)
	}
	return all, nil
}

// image puts an image together from its record.
func (s *Store) image(ctx context.Context, id digest.Digest, r record, tags []string) (Image, error) {
	slices.Sort(tags) // by what people see
	config, err := s.config(ctx, r.Config)
	if err != nil {
		return Image{}, err
	}
	img := Image{
		ID: id, RepoTags: tags, RepoDigests: r.RepoDigests, Parent: r.Parent, LastTagged: r.LastTagged,
		Config: *config, Manifest: r.Manifest, History: history(config, len(r.Layers)),
	}
	for i, chainID := range r.chain() {
		l := Layer{DiffID: r.DiffIDs[i], ChainID: chainID, Descriptor: r.Layers[i]}
		rec, err := s.layers.Get(chainID.String())
		if err != nil && !errdefs.IsNotFound(err) {
			return Image{}, err
		}
		l.Size, l.Entries = rec.Size, rec.Entries
		img.Size += l.Size
		img.Layers = append(img.Layers, l)
	}
	for _, h := range img.History {
		if h.Layer >= 0 {
			img.Layers[h.Layer].History = h
		}
	}
	return img, nil
}

// history pairs the steps a config tells of with the layers. A config that
// tells of another number of layers is not believed.
func history(config *dockerspec.DockerOCIImage, layers int) []History {
	var all []History
	n := 0
	for _, h := range config.History {
		step := History{CreatedBy: h.CreatedBy, Author: h.Author, Comment: h.Comment, Layer: -1}
		if h.Created != nil {
			step.Created = *h.Created
		}
		if !h.EmptyLayer {
			step.Layer = n
			n++
		}
		all = append(all, step)
	}
	if n == layers {
		return all
	}
	all = nil
	for i := range layers {
		all = append(all, History{Layer: i})
	}
	return all
}

// readJSON reads a blob that is small.
func (s *Store) readJSON(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	info, err := s.content.Info(ctx, desc.Digest)
	if err != nil {
		return nil, err
	}
	if info.Size > maxJSON {
		return nil, fmt.Errorf("blob %s: %d bytes are too many for JSON: %w", desc.Digest, info.Size, errdefs.ErrInvalidArgument)
	}
	if desc.Size > 0 && desc.Size != info.Size {
		return nil, fmt.Errorf("blob %s has %d bytes, not %d: %w", desc.Digest, info.Size, desc.Size, errdefs.ErrInvalidArgument)
	}
	return content.ReadBlob(ctx, s.content, ocispec.Descriptor{Digest: desc.Digest, Size: info.Size})
}

// config returns the decoded config of an image; it must not be changed.
func (s *Store) config(ctx context.Context, desc ocispec.Descriptor) (*dockerspec.DockerOCIImage, error) {
	if c, ok := s.configs.Load(desc.Digest); ok {
		return c.(*dockerspec.DockerOCIImage), nil
	}
	data, err := s.readJSON(ctx, desc)
	if err != nil {
		return nil, fmt.Errorf("read image config: %w", err)
	}
	c, err := decodeConfig(data)
	if err != nil {
		return nil, err
	}
	s.configs.Store(desc.Digest, c)
	return c, nil
}

// decodeConfig decodes and checks an image config.
func decodeConfig(data []byte) (*dockerspec.DockerOCIImage, error) {
	var c dockerspec.DockerOCIImage
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("decode image config: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	if c.RootFS.Type != "" && c.RootFS.Type != "layers" {
		return nil, fmt.Errorf("image config: root file system of type %q: %w", c.RootFS.Type, errdefs.ErrInvalidArgument)
	}
	if c.OS != "" && c.OS != "linux" {
		return nil, fmt.Errorf("image config: image for %s: %w", c.OS, errdefs.ErrInvalidArgument)
	}
	if n := len(c.RootFS.DiffIDs); n > maxLayers {
		return nil, fmt.Errorf("image config: %d layers are more than can be stacked (%d): %w", n, maxLayers, errdefs.ErrInvalidArgument)
	}
	for _, id := range c.RootFS.DiffIDs {
		if err := id.Validate(); err != nil || id.Algorithm() != digest.SHA256 {
			return nil, fmt.Errorf("image config: bad diff ID %q: %w", id, errdefs.ErrInvalidArgument)
		}
	}
	return &c, nil
}
