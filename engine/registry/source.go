package registry

import (
	"context"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// sourceLabel begins the label of a blob that names the repositories of a
// registry that have it, separated by commas; a push to another repository
// there can have the registry link the blob instead of taking it again. It is
// containerd's, but for the port, which is part of what a registry is.
const sourceLabel = "containerd.io/distribution.source."

// maxSources is how many repositories are remembered of a blob: one is enough
// for a mount, and base layers are in all of them.
const maxSources = 8

// remember notes that the repository has a blob.
func (s *session) remember(ctx context.Context, store content.Manager, desc ocispec.Descriptor) error {
	info, err := store.Info(ctx, desc.Digest)
	if err != nil {
		return err
	}
	key, repo := sourceLabel+reference.Domain(s.repo), reference.Path(s.repo)
	var repos []string
	if v := info.Labels[key]; v != "" {
		repos = strings.Split(v, ",")
	}
	if slices.Contains(repos, repo) || len(repos) >= maxSources {
		return nil
	}
	info.Labels = map[string]string{key: strings.Join(append(repos, repo), ",")}
	_, err = store.Update(ctx, info, "labels."+key)
	return err
}

// sources are the repositories of the registry that have a blob, in the form
// of the annotation that containerd's pusher looks for.
func (s *session) sources(ctx context.Context, store content.Manager, dgst digest.Digest) map[string]string {
	info, err := store.Info(ctx, dgst)
	if err != nil {
		return nil // it is uploaded then
	}
	domain := reference.Domain(s.repo)
	host, _, _ := strings.Cut(domain, ":")
	return map[string]string{sourceLabel + host: info.Labels[sourceLabel+domain]}
}
