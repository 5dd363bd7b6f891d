package feed

import (
	"context"
	"strings"

	"github.com/moby/moby/client"
)

// Version tells what engine it is, and what of that matters for what can be done with it.
type Version struct {
	Name, Version, API string
	Foreign            bool // it is not berth's, and has no /berth/ routes
	Fixed              bool // it has no route that changes the limits of a container
}

// Is names the engine with its version.
func (v Version) Is() string {
	name := v.Name
	if name == "" {
		name = "engine"
	}
	return strings.TrimSpace(name + " " + v.Version)
}

// own is the name that berth's engine gives itself.
const own = "berth"

// noContainer is a name that no container has: the engine's words about it tell a
// route that is there from one that is not.
const noContainer = "berth-asks-whether-this-route-exists"

// version tells what engine it is. An engine that does not say is no error: then
// nothing is known that it could not do.
func (f *Feed) version(ctx context.Context) {
	v, err := f.c.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return
	}
	out := Version{Name: v.Platform.Name, Version: v.Version, API: v.APIVersion, Foreign: v.Platform.Name != own}
	if len(v.Components) > 0 { // dockerd of a distribution has no name, and podman that of the distribution
		switch first := v.Components[0].Name; {
		case strings.HasPrefix(first, "Podman"):
			out.Name = "podman"
		case first == "Engine" && out.Name == "":
			out.Name = "docker"
		}
	}
	if out.Foreign {
		_, err := f.c.ContainerUpdate(ctx, noContainer, client.ContainerUpdateOptions{})
		out.Fixed = err != nil && ctx.Err() == nil && !client.IsErrConnectionFailed(err) && !strings.Contains(err.Error(), noContainer)
	}
	f.send(out)
}
