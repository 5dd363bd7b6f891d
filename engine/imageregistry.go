package engine

import (
	"context"
	"strconv"
	"strings"

	"berth/engine/filter"
	"berth/engine/registry"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	apievents "github.com/moby/moby/api/types/events"
	apiregistry "github.com/moby/moby/api/types/registry"
	"github.com/opencontainers/go-digest"
)

// Pull brings images here from the registry of their name, in docker's words: name with tag, a tag or a digest; a name
// alone, with an empty tag, means all tags of the repository. Errors that come before o.Report is called for the first
// time are of the kinds NotFound and InvalidArgument, or none.
func (is *Images) Pull(ctx context.Context, name, tag string, o registry.PullOptions) error {
	ref, err := remoteName(name, tag)
	if err != nil {
		return err
	}
	o.All = o.All || reference.IsNameOnly(ref)
	pulled, err := is.registry.Load().Pull(ctx, ref, o)
	for _, p := range pulled {
		attrs := imageAttributes(p.Image, reference.FamiliarName(p.Ref))
		is.events.Publish(apievents.ImageEventType, apievents.ActionPull, reference.FamiliarString(p.Ref), attrs)
	}
	return err
}

// Push sends the image name:tag, or with an empty tag all images of that name, to the registry of the name.
func (is *Images) Push(ctx context.Context, name, tag string, o registry.PushOptions) error {
	ref, err := remoteName(name, tag)
	if err != nil {
		return err
	}
	if _, ok := ref.(reference.Digested); ok {
		return kind(errdefs.ErrInvalidArgument, "cannot push a digest reference")
	}
	o.All = o.All || reference.IsNameOnly(ref)
	pushed, err := is.registry.Load().Push(ctx, ref, o)
	for _, img := range pushed {
		is.events.Publish(apievents.ImageEventType, apievents.ActionPush, reference.FamiliarString(ref), imageAttributes(img, reference.FamiliarName(ref)))
	}
	return err
}

// remoteName joins a name and a tag or a digest, which clients send apart.
func remoteName(name, tag string) (reference.Named, error) {
	ref, err := reference.ParseNormalizedNamed(strings.TrimSuffix(name, ":"))
	if err != nil {
		return nil, kind(errdefs.ErrInvalidArgument, "%v", err)
	}
	if tag == "" {
		return ref, nil
	}
	if d, err := digest.Parse(tag); err == nil {
		return reference.WithDigest(reference.TrimNamed(ref), d)
	}
	tagged, err := reference.WithTag(reference.TrimNamed(ref), tag)
	if err != nil {
		return nil, kind(errdefs.ErrInvalidArgument, "%v", err)
	}
	return tagged, nil
}

// hosts are the servers of a registry, by the settings of the moment.
func (is *Images) hosts(domain string) ([]docker.RegistryHost, error) {
	return is.registry.Load().Hosts(domain)
}

// Login tries credentials on their registry; see registry.Remote.
func (is *Images) Login(ctx context.Context, auth registry.Auth) (identityToken string, err error) {
	return is.registry.Load().Login(ctx, auth)
}

// Distribution tells what a registry has under a name.
func (is *Images) Distribution(ctx context.Context, name string, auth registry.Auth) (apiregistry.DistributionInspect, error) {
	ref, err := reference.ParseAnyReference(name)
	if err != nil {
		return apiregistry.DistributionInspect{}, kind(errdefs.ErrInvalidArgument, "%v", err)
	}
	named, ok := ref.(reference.Named)
	if !ok {
		return apiregistry.DistributionInspect{}, kind(errdefs.ErrInvalidArgument, "unknown image reference format: %s", name)
	}
	return is.registry.Load().Inspect(ctx, named, auth)
}

// Search finds repositories by a word. Filters: is-official, is-automated (which nothing is any more), stars (at least).
func (is *Images) Search(ctx context.Context, term string, limit int, f filter.Args, auth registry.Auth) ([]apiregistry.SearchResult, error) {
	if err := f.Validate("is-automated", "is-official", "stars"); err != nil {
		return nil, err
	}
	official, err := f.Bool("is-official", false)
	if err != nil {
		return nil, err
	}
	automated, err := f.Bool("is-automated", false)
	if err != nil {
		return nil, err
	}
	stars, err := leastStars(f)
	if err != nil {
		return nil, err
	}
	found, err := is.registry.Load().Search(ctx, term, limit, auth)
	if err != nil {
		return nil, err
	}
	results := []apiregistry.SearchResult{}
	for _, r := range found {
		if f.Has("is-official") && r.IsOfficial != official || f.Has("is-automated") && automated || r.StarCount < stars {
			continue
		}
		results = append(results, r)
	}
	return results, nil
}

// leastStars is the number of the filter "stars".
func leastStars(f filter.Args) (int, error) {
	least := 0
	for _, v := range f.Values("stars") {
		n, err := strconv.Atoi(v)
		if err != nil {
			return 0, kind(errdefs.ErrInvalidArgument, "invalid filter 'stars=%s'", v)
		}
		least = max(least, n)
	}
	return least, nil
}
