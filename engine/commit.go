package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"berth/engine/spec"
	"berth/store/diff"
	"berth/store/image"

	"github.com/containerd/errdefs"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// CommitOptions describe the image that a container becomes.
type CommitOptions struct {
	Repo, Tag       string // "" makes an image without a name
	Author, Comment string
	Pause           bool              // freeze a running container while its files are read
	Changes         []string          // Dockerfile instructions that change its configuration
	Config          *container.Config // nil: the container's
}

// Commit makes an image of a container, running or not, on top of the one it was made of, and returns its ID. What
// the runtime put into the container to mount over is no part of it. Errors are those of docker: no such container,
// a name or a change that is none, an image that is gone. A client that goes meanwhile gets its image all the same.
func (cs *Containers) Commit(_ context.Context, ref string, o CommitOptions) (id string, err error) {
	ctx := cs.e.ctx
	c, err := cs.get(ref)
	if err != nil {
		return "", err
	}
	rec := c.snapshot()
	n := image.NewImage{
		Parent: rec.ImageID, Author: o.Author, Comment: o.Comment, Changes: o.Changes,
		CreatedBy: strings.Join(rec.Config.Cmd, " "), Config: func(config *dockerspec.DockerOCIImageConfig) { *config = imageConfigOf(o.Config, rec.Config) },
	}
	if o.Repo != "" {
		if n.Name, err = nameOf(o.Repo, o.Tag); err != nil {
			return "", err
		}
	}
	// What can be refused is, before the container is touched; and in docker's words alone.
	if err := image.ApplyChanges(new(dockerspec.DockerOCIImageConfig), o.Changes); err != nil {
		return "", err
	}
	omit, err := cs.ownFiles(ctx, c.id)
	if err != nil {
		return "", err
	}
	thaw := func() error { return nil }
	if o.Pause && rec.State.Running && !rec.State.Paused && !rec.State.Restarting {
		switch err := cs.freeze(c.id, true); {
		case err == nil:
			thaw = sync.OnceValue(func() error { return cs.thaw(c.id) })
		case !errdefs.IsConflict(err): // it has ended meanwhile, or somebody else paused it
			return "", err
		}
	}
	// The container waits while its files are read, not while the image is made of them.
	img, err := cs.e.store.Images.CommitSnapshot(ctx, snapshotKey(c.id), image.CommitOptions{Omit: omit, Read: func() { _ = thaw() }}, n)
	if err = errors.Join(err, thaw()); err != nil {
		return "", fmt.Errorf("commit container %s: %w", c.id, err)
	}
	if n.Name != "" {
		cs.e.Images.emit(events.ActionTag, img, n.Name)
	}
	cs.emit(rec, events.ActionCommit, "comment", o.Comment, "imageID", img.ID.String(), "imageRef", n.Name)
	return img.ID.String(), nil
}

// thaw ends the pause of a commit, unless somebody did before or the container ended.
func (cs *Containers) thaw(id string) error {
	if err := cs.freeze(id, false); err != nil && !errdefs.IsConflict(err) && !errdefs.IsNotFound(err) {
		return err
	}
	return nil
}

// ownFiles tells which paths of a container's writable layer are there only because the runtime made them to mount
// over.
func (cs *Containers) ownFiles(ctx context.Context, id string) (func(path string) bool, error) {
	dirs, done, err := cs.e.snapshots.Delta(ctx, snapshotKey(id))
	if err != nil {
		return nil, fmt.Errorf("find the writable layer of container %s: %w", id, err)
	}
	defer done()
	own := make(map[string]bool)
	// Which paths differ is enough; how does not matter here.
	paths := diff.Comparer{Shallow: true}
	all := paths.Changes(ctx, dirs.Upper, dirs.Lower)
	for _, err := range withoutMountPoints(all, ownPaths(), func(path string) { own[path] = true }) {
		if err != nil {
			return nil, fmt.Errorf("look for changes of container %s: %w", id, err)
		}
	}
	return func(path string) bool { return own[path] }, nil
}

// imageConfigOf is the configuration of an image made of a container: what the client gave, filled up with the
// container's.
func imageConfigOf(given, own *container.Config) dockerspec.DockerOCIImageConfig {
	from := imageConfig(own)
	if given == nil {
		return from
	}
	merged := *given
	merged.Env, merged.Labels, merged.ExposedPorts = slices.Clone(given.Env), maps.Clone(given.Labels), maps.Clone(given.ExposedPorts)
	spec.Merge(&merged, from.ImageConfig, from.Healthcheck)
	out := imageConfig(&merged)
	// A client's own, which the merging knows nothing of.
	if len(out.OnBuild) == 0 {
		out.OnBuild = from.OnBuild
	}
	if len(out.Shell) == 0 {
		out.Shell = from.Shell
	}
	return out
}

// imageConfig is what an image keeps of a container's configuration.
func imageConfig(c *container.Config) dockerspec.DockerOCIImageConfig {
	out := dockerspec.DockerOCIImageConfig{
		ImageConfig: ocispec.ImageConfig{
			User: c.User, Env: slices.Clone(c.Env), Entrypoint: slices.Clone(c.Entrypoint), Cmd: slices.Clone(c.Cmd),
			Volumes: maps.Clone(c.Volumes), WorkingDir: c.WorkingDir, Labels: maps.Clone(c.Labels), StopSignal: c.StopSignal,
		},
		DockerOCIImageConfigExt: dockerspec.DockerOCIImageConfigExt{
			Healthcheck: c.Healthcheck, OnBuild: slices.Clone(c.OnBuild), Shell: slices.Clone(c.Shell),
		},
	}
	if len(c.ExposedPorts) > 0 {
		out.ExposedPorts = make(map[string]struct{}, len(c.ExposedPorts))
		for p := range c.ExposedPorts {
			out.ExposedPorts[p.String()] = struct{}{}
		}
	}
	return out
}
