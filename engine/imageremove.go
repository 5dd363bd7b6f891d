package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"berth/engine/filter"
	"berth/store/image"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/events"
	apiimage "github.com/moby/moby/api/types/image"
	"github.com/opencontainers/go-digest"
)

// Remove takes a name away from an image, or the image away.
//
// Given a name of several, only that name goes. Given the last name, or an ID with at most one name, the image goes too,
// with the layers that nothing else uses. It is a Conflict, in docker's words, to remove what a container uses, unless
// forced: then a stopped one keeps its layers, and for a running one the image stays, without the name, or with all if
// an ID was given; or to remove an ID with several names unless forced. After a Conflict everything is as before.
func (is *Images) Remove(ctx context.Context, ref string, o ImageRemoveOptions) ([]apiimage.DeleteResponse, error) {
	img, err := is.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	byID := isIDOf(ref, img)
	if byID && !o.Force && len(img.RepoTags) > 1 {
		return nil, unable(img.ID, "must be forced", "image is referenced in multiple repositories")
	}
	removed, err := is.remove(ctx, img, ref, image.RemoveOptions{Force: o.Force, Parents: !o.KeepParents, InUse: func(id digest.Digest) error {
		return inUse(id, is.used()[id.String()], ref, o.Force && id == img.ID, byID || id != img.ID)
	}})
	if errors.Is(err, image.ErrHasChildren) {
		err = unable(img.ID, "cannot be forced", "image has dependent child images")
	}
	return removed, err
}

// remove removes ref, which means img, and tells about it.
func (is *Images) remove(ctx context.Context, img image.Image, ref string, o image.RemoveOptions) ([]apiimage.DeleteResponse, error) {
	steps, err := is.images.Remove(ctx, ref, o)
	removed := make([]apiimage.DeleteResponse, len(steps))
	for i, s := range steps {
		removed[i] = apiimage.DeleteResponse{Untagged: s.Untagged, Deleted: s.Deleted}
		switch {
		case s.Untagged != "":
			is.emit(events.ActionUnTag, img, img.ID.String())
		case s.Deleted == img.ID.String():
			// Without its labels: docker cannot read them any more when it tells.
			is.events.Publish(events.ImageEventType, events.ActionDelete, img.ID.String(), map[string]string{"name": img.ID.String()})
		}
	}
	return removed, err
}

// unable is docker's text for an image that cannot be deleted.
func unable(id digest.Digest, forcing, why string) error {
	return kind(errdefs.ErrConflict, "conflict: unable to delete %s (%s) - %s", short(id.String()), forcing, why)
}

// inUse tells why the image id, asked for as ref, must stay.
func inUse(id digest.Digest, users []ImageUser, ref string, force, byID bool) error {
	// A mount keeps an image its names, and its own layers whatever becomes of the image.
	made := slices.DeleteFunc(slices.Clone(users), func(u ImageUser) bool { return u.Mounts && (byID || force) })
	for _, u := range made {
		switch {
		case !byID && !force:
			return kind(errdefs.ErrConflict, "conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image %s",
				ref, short(u.ContainerID), short(id.String()))
		case u.Running && !byID:
			return image.ErrNamesOnly
		case u.Running:
			return unable(id, "cannot be forced", "image is being used by running container "+short(u.ContainerID))
		}
	}
	if len(made) > 0 && !force {
		return unable(id, "must be forced", "image is being used by stopped container "+short(made[0].ContainerID))
	}
	return nil
}

// Prune deletes the images that no container uses and that have no name; with dangling=false also those with names.
// Filters: dangling, label, label!, until.
func (is *Images) Prune(ctx context.Context, filters filter.Args) (apiimage.PruneReport, error) {
	var report apiimage.PruneReport
	if err := filters.Validate("dangling", "label", "label!", "until"); err != nil {
		return report, err
	}
	dangling, err := filters.Bool("dangling", true)
	if err != nil {
		return report, err
	}
	until, err := untilOf(filters)
	if err != nil {
		return report, err
	}
	all, err := is.images.List(ctx)
	if err != nil {
		return report, fmt.Errorf("listing images to prune: %w", err)
	}
	used, sizes := is.used(), map[string]int64{}
	for _, img := range all {
		for _, l := range img.Layers {
			sizes[l.ChainID.String()] = l.Size
		}
	}
	for _, img := range all {
		if len(used[img.ID.String()]) > 0 || dangling && len(img.RepoTags) > 0 ||
			!until.IsZero() && !createdAt(img).Before(until) || !filters.Labels(img.Config.Config.Labels) {
			continue
		}
		// By name where there is one: an image that others were made of loses its names only, and goes with the last of
		// those.
		refs := slices.Concat(img.RepoTags, img.RepoDigests)
		if len(refs) == 0 {
			refs = []string{img.ID.String()}
		}
		for _, ref := range refs {
			removed, err := is.remove(ctx, img, ref, image.RemoveOptions{Parents: true, InUse: func(id digest.Digest) error {
				return inUse(id, is.used()[id.String()], id.String(), false, true)
			}})
			for _, step := range removed {
				report.SpaceReclaimed += uint64(sizes[step.Deleted])
			}
			report.ImagesDeleted = append(report.ImagesDeleted, removed...)
			if err != nil && !errdefs.IsConflict(err) && !errdefs.IsNotFound(err) {
				return report, fmt.Errorf("pruning image %s: %w", short(img.ID.String()), err)
			}
		}
	}
	is.events.Publish(events.ImageEventType, events.ActionPrune, "", map[string]string{"reclaimed": strconv.FormatUint(report.SpaceReclaimed, 10)})
	return report, nil
}

// earliest reads the filter until of a listing, where it may be given more than once: all of them hold.
func earliest(filters filter.Args) (time.Time, error) {
	var least time.Time
	for _, value := range filters.Values("until") {
		t, err := untilOf(filter.Args{"until": {value}})
		if err != nil {
			return t, err
		}
		if least.IsZero() || t.Before(least) {
			least = t
		}
	}
	return least, nil
}

// untilOf reads the filter until of a prune.
func untilOf(filters filter.Args) (time.Time, error) {
	switch values := filters.Values("until"); len(values) {
	case 0:
		return time.Time{}, nil
	case 1:
		return ParseTime(values[0], time.Now())
	}
	return time.Time{}, kind(errdefs.ErrInvalidArgument, "more than one until filter specified")
}

// isIDOf tells whether ref is the ID of img or the beginning of it, not a name.
func isIDOf(ref string, img image.Image) bool {
	for _, id := range []string{img.ID.String(), img.ID.Encoded()} {
		if strings.HasPrefix(id, ref) {
			return !slices.Contains(img.RepoTags, familiar(ref))
		}
	}
	return false
}

// familiar is how ref is shown: without docker.io/library, with a tag. What is no reference stays as it is.
func familiar(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return reference.FamiliarString(reference.TagNameOnly(named))
}

// short is an ID as people see it: 12 digits, no algorithm.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(len(id), 12)]
}
