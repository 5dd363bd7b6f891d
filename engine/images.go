package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"berth/engine/events"
	"berth/engine/registry"
	"berth/store"
	"berth/store/image"
	"berth/store/snapshot"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	apievents "github.com/moby/moby/api/types/events"
	apiimage "github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/storage"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Images are the images of an engine, in Docker's terms.
//
// A reference (ref) is a name with a tag ("latest" if it has none) or a digest, an image's ID, or a unique beginning of
// one. Errors are of the kinds NotFound ("No such image: …"), InvalidArgument and Conflict.
//
// It holds no lock: names and images change in transactions of the store. A container that is made of an image while
// the image is being removed keeps its layers.
type Images struct {
	images    *image.Store
	snapshots snapshot.Snapshotter
	driver    string // of the snapshots
	events    *events.Bus
	registry  atomic.Pointer[registry.Registry]
	// containers lists who uses images.
	containers func() []ImageUser
}

// ImageUser is a container that was made from an image, or that mounts one.
type ImageUser struct {
	ContainerID string
	ImageID     string
	Running     bool
	Mounts      bool // and was made from another one
}

// NewImages shows the images of s. Containers tells, each time it is called, which containers there are.
func NewImages(s *store.Store, bus *events.Bus, containers func() []ImageUser) *Images {
	driver, _ := s.Snapshots.Driver()
	return &Images{images: s.Images, snapshots: s.Snapshots, driver: driver, events: bus, containers: containers}
}

// resolve finds an image, with docker's words if there is none.
func (is *Images) resolve(ctx context.Context, ref string) (image.Image, error) {
	img, err := is.images.Resolve(ctx, ref)
	switch {
	case errdefs.IsNotFound(err):
		return img, kind(errdefs.ErrNotFound, "No such image: %s", familiar(ref))
	case errdefs.IsInvalidArgument(err):
		if _, perr := reference.ParseNormalizedNamed(ref); perr != nil {
			return img, kind(errdefs.ErrInvalidArgument, "%v", perr)
		}
		fallthrough
	case err != nil:
		return img, fmt.Errorf("finding image %s: %w", ref, err)
	}
	return img, nil
}

// used groups the users of images by the image's ID.
func (is *Images) used() map[string][]ImageUser {
	used := map[string][]ImageUser{}
	for _, u := range is.containers() {
		used[u.ImageID] = append(used[u.ImageID], u)
	}
	return used
}

// madeFrom counts the containers that were made from an image.
func madeFrom(users []ImageUser) int64 {
	return int64(len(slices.DeleteFunc(slices.Clone(users), func(u ImageUser) bool { return u.Mounts })))
}

// List returns the images that pass the filters, newest first. Filters: before, dangling, label, label!, reference,
// since, until.
func (is *Images) List(ctx context.Context, o ImageListOptions) ([]apiimage.Summary, error) {
	keep, err := is.filter(ctx, o)
	if err != nil {
		return nil, err
	}
	all, err := is.images.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	used := is.used()
	parents := map[digest.Digest]bool{}
	for _, img := range all {
		parents[img.Parent] = true
	}
	sharers := map[string]int{}
	if o.SharedSize {
		for _, img := range all {
			for _, l := range img.Layers {
				sharers[l.ChainID.String()]++
			}
		}
	}
	summaries := []apiimage.Summary{}
	for _, img := range all {
		if !keep(img) || !o.All && parents[img.ID] && len(img.RepoTags)+len(img.RepoDigests) == 0 {
			continue
		}
		tags, digests := img.RepoTags, img.RepoDigests
		if o.Filters.Has("reference") {
			// An image is listed under the names that were asked for.
			matches := matcher(o.Filters.Values("reference"))
			tags = slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return !matches(tag) })
			digests = slices.DeleteFunc(slices.Clone(digests), func(d string) bool { return !matches(d) })
		}
		s := apiimage.Summary{
			ID: img.ID.String(), ParentID: img.Parent.String(), RepoTags: orEmpty(tags), RepoDigests: orEmpty(digests),
			Created: createdAt(img).Unix(), Labels: img.Config.Config.Labels,
			Size: img.Size, SharedSize: -1, Containers: madeFrom(used[img.ID.String()]),
		}
		if o.SharedSize {
			s.SharedSize = 0
			for _, l := range img.Layers {
				if sharers[l.ChainID.String()] > 1 {
					s.SharedSize += l.Size
				}
			}
		}
		summaries = append(summaries, s)
	}
	slices.SortStableFunc(summaries, func(a, b apiimage.Summary) int { return int(b.Created - a.Created) })
	return summaries, nil
}

// filter compiles the filters of a listing.
func (is *Images) filter(ctx context.Context, o ImageListOptions) (func(image.Image) bool, error) {
	f := o.Filters
	if err := f.Validate("before", "dangling", "label", "label!", "reference", "since", "until"); err != nil {
		return nil, err
	}
	dangling, err := f.Bool("dangling", false)
	if err != nil {
		return nil, err
	}
	until, err := earliest(f)
	if err != nil {
		return nil, err
	}
	var before, since time.Time
	for _, bound := range []struct {
		key  string
		into *time.Time
	}{{"before", &before}, {"since", &since}} {
		for _, ref := range f.Values(bound.key) {
			img, err := is.resolve(ctx, ref)
			if err != nil {
				return nil, err
			}
			*bound.into = createdAt(img)
		}
	}
	for _, pattern := range f.Values("reference") {
		if _, err := reference.FamiliarMatch(pattern, anyName); err != nil {
			return nil, kind(errdefs.ErrInvalidArgument, "invalid filter 'reference=%s': %v", pattern, err)
		}
	}
	return func(img image.Image) bool {
		created := createdAt(img)
		return (!f.Has("dangling") || dangling == (len(img.RepoTags) == 0)) &&
			(before.IsZero() || created.Before(before)) && (since.IsZero() || created.After(since)) &&
			(until.IsZero() || created.Before(until)) &&
			f.Labels(img.Config.Config.Labels) && (!f.Has("reference") || slices.ContainsFunc(append(slices.Clone(img.RepoTags), img.RepoDigests...), matcher(f.Values("reference"))))
	}, nil
}

// anyName is a valid name, for trying patterns.
var anyName, _ = reference.WithName("docker.io/library/any")

// matcher tells whether a tag matches one of the patterns ("busybox", "*/app:1.*").
func matcher(patterns []string) func(string) bool {
	return func(tag string) bool {
		named, err := reference.ParseNormalizedNamed(tag)
		return err == nil && slices.ContainsFunc(patterns, func(pattern string) bool {
			if ok, _ := reference.FamiliarMatch(pattern, named); ok {
				return true
			}
			ok, _ := reference.FamiliarMatch(pattern, reference.TrimNamed(named))
			return ok
		})
	}
}

// Inspect returns all that is known of an image.
func (is *Images) Inspect(ctx context.Context, ref string) (apiimage.InspectResponse, error) {
	img, err := is.resolve(ctx, ref)
	if err != nil {
		return apiimage.InspectResponse{}, err
	}
	config := img.Config.Config
	full := apiimage.InspectResponse{
		ID: img.ID.String(), RepoTags: orEmpty(img.RepoTags), RepoDigests: orEmpty(img.RepoDigests),
		Author: img.Config.Author, Config: &config,
		Architecture: img.Config.Architecture, Variant: img.Config.Variant, Os: img.Config.OS, OsVersion: img.Config.OSVersion,
		Size: img.Size, RootFS: apiimage.RootFS{Type: "layers"},
		Metadata: apiimage.Metadata{LastTagTime: img.LastTagged},
	}
	if created := createdAt(img); !created.IsZero() {
		full.Created = created.Format(time.RFC3339Nano)
	}
	if n := len(img.Config.History); n > 0 {
		full.Comment = img.Config.History[n-1].Comment
	}
	for _, l := range img.Layers {
		full.RootFS.Layers = append(full.RootFS.Layers, l.DiffID.String())
	}
	if n := len(img.Layers); n > 0 {
		dirs, err := is.snapshots.Dirs(ctx, img.Layers[n-1].ChainID.String())
		if err != nil && !errdefs.IsNotFound(err) {
			return full, fmt.Errorf("finding the layers of image %s: %w", ref, err)
		}
		full.GraphDriver = &storage.DriverData{Name: is.driver, Data: map[string]string{}}
		if err == nil { // else nobody has needed its files since it was committed
			full.GraphDriver.Data["UpperDir"] = dirs.Upper
		}
		if len(dirs.Lower) > 0 {
			full.GraphDriver.Data["LowerDir"] = strings.Join(dirs.Lower, ":")
		}
	}
	return full, nil
}

// Provides tells by an error of kind NotFound that an image is for another platform than want.
func (is *Images) Provides(ctx context.Context, ref string, want *ocispec.Platform) error {
	img, err := is.resolve(ctx, ref)
	if err != nil {
		return err
	}
	return checkPlatform(familiar(ref), img, want)
}

// Parent returns the ID of the image that an image was made of here, "" if it came from elsewhere.
func (is *Images) Parent(ctx context.Context, ref string) (string, error) {
	img, err := is.resolve(ctx, ref)
	return img.Parent.String(), err
}

// History returns the steps that made an image, newest first. The newest has the image's ID, and those before the IDs of
// the images that it was made of here, as far as they are known.
func (is *Images) History(ctx context.Context, ref string) ([]apiimage.HistoryResponseItem, error) {
	img, err := is.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	var steps []apiimage.HistoryResponseItem
	for _, h := range img.History {
		item := apiimage.HistoryResponseItem{ID: "<missing>", CreatedBy: h.CreatedBy, Comment: h.Comment, Created: h.Created.Unix()}
		if h.Layer >= 0 {
			item.Size = img.Layers[h.Layer].Size
		}
		steps = append(steps, item)
	}
	slices.Reverse(steps)
	for i := range steps {
		steps[i].ID, steps[i].Tags = img.ID.String(), img.RepoTags
		if img.Parent == "" {
			break
		}
		if img, err = is.images.Get(ctx, img.Parent); errdefs.IsNotFound(err) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("finding what image %s was made of: %w", ref, err)
		}
	}
	return steps, nil
}

// createdAt is when the image was made; zero if it does not say.
func createdAt(img image.Image) time.Time {
	if img.Config.Created == nil {
		return time.Time{}
	}
	return *img.Config.Created
}

// orEmpty makes an empty list of none: docker's clients expect one.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// emit publishes what happened to an image, with its labels.
func (is *Images) emit(action apievents.Action, img image.Image, name string) {
	is.events.Publish(apievents.ImageEventType, action, img.ID.String(), imageAttributes(img, name))
}

// imageAttributes are those of an event of an image: its labels and its name.
func imageAttributes(img image.Image, name string) map[string]string {
	attrs := maps.Clone(img.Config.Config.Labels)
	if attrs == nil {
		attrs = map[string]string{}
	}
	attrs["name"] = name
	return attrs
}

// usage tells what the layers of all images take, each layer counted once.
func (is *Images) usage(ctx context.Context, used *apiimage.DiskUsage) (err error) {
	if used.Items, err = is.List(ctx, ImageListOptions{All: true, SharedSize: true}); err != nil {
		return err
	}
	all, err := is.images.List(ctx)
	if err != nil {
		return fmt.Errorf("listing images: %w", err)
	}
	users := is.used()
	inUse, seen := map[string]bool{}, map[string]bool{}
	for _, img := range all {
		used.TotalCount++
		if len(users[img.ID.String()]) > 0 {
			used.ActiveCount++
			for _, l := range img.Layers {
				inUse[l.ChainID.String()] = true
			}
		}
	}
	for _, img := range all {
		for _, l := range img.Layers {
			if chain := l.ChainID.String(); !seen[chain] {
				seen[chain] = true
				used.TotalSize += l.Size
				if !inUse[chain] {
					used.Reclaimable += l.Size
				}
			}
		}
	}
	return nil
}
