package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/runflags"
)

// createPulling makes the container, and pulls its image before if --pull says
// so: by default when it is not here.
func (a *app) createPulling(ctx context.Context, cl *connect.Client, r *runflags.Request) (client.ContainerCreateResult, error) {
	create := func() (client.ContainerCreateResult, error) {
		return cl.ContainerCreate(ctx, client.ContainerCreateOptions{
			Name: r.Name, Platform: r.Platform,
			Config: r.Config, HostConfig: r.HostConfig, NetworkingConfig: r.Networking,
		})
	}
	if r.Pull == runflags.PullAlways {
		if err := a.pullFor(ctx, cl, r); err != nil {
			return client.ContainerCreateResult{}, err
		}
	}
	created, err := create()
	if !errdefs.IsNotFound(err) || !strings.Contains(strings.ToLower(err.Error()), "no such image") {
		return created, err
	}
	ref, perr := reference.ParseNormalizedNamed(r.Config.Image)
	if perr != nil || r.Pull != runflags.PullMissing || isMounted(err, r) {
		return created, fmt.Errorf("%w; 'berth pull' or 'berth load' brings it in, 'berth images' lists what is here", err)
	}
	fmt.Fprintf(a.err, "Unable to find image '%s' locally\n", reference.FamiliarString(reference.TagNameOnly(ref)))
	if err := a.pullFor(ctx, cl, r); err != nil {
		return created, err
	}
	return create()
}

// isMounted tells that the image that is missing is one that the container is to have mounted.
func isMounted(err error, r *runflags.Request) bool {
	return !strings.Contains(err.Error(), r.Config.Image) && slices.ContainsFunc(r.HostConfig.Mounts, func(m mount.Mount) bool {
		return m.Type == mount.TypeImage && strings.Contains(err.Error(), m.Source)
	})
}

// pullFor pulls the image of a container; what that says goes to stderr, for
// stdout is the container's.
func (a *app) pullFor(ctx context.Context, cl *connect.Client, r *runflags.Request) error {
	ref, err := reference.ParseNormalizedNamed(r.Config.Image)
	if err != nil {
		return err
	}
	out := a.err
	if r.Quiet {
		out = io.Discard
	}
	platform := ""
	if r.Platform != nil {
		platform = platforms.FormatAll(*r.Platform)
	}
	return a.pull(ctx, cl, reference.TagNameOnly(ref), false, platform, out)
}
