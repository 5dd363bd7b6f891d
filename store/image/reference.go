package image

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"berth/store/meta"
)

// ParseName turns what a user calls a tag ("busybox") into its canonical form
// ("docker.io/library/busybox:latest"). Names with a digest are refused: a
// digest is not given, it is had.
func ParseName(name string) (string, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", fmt.Errorf("image name %q: %w: %w", name, err, errdefs.ErrInvalidArgument)
	}
	if _, ok := named.(reference.Digested); ok {
		return "", fmt.Errorf("image name %q: a tag is wanted, not a digest: %w", name, errdefs.ErrInvalidArgument)
	}
	return reference.TagNameOnly(named).String(), nil
}

// familiar is the short form of a canonical name. Where that would mean another
// image ("docker.io/a.b/c": "a.b/c" is one of the registry a.b) there is none.
func familiar(canonical string) string {
	named, err := reference.ParseNormalizedNamed(canonical)
	if err != nil {
		return canonical
	}
	short := reference.FamiliarString(named)
	if again, err := reference.ParseNormalizedNamed(short); err != nil || again.String() != named.String() {
		return canonical
	}
	return short
}

// familiarDigest is the short form of a name with a digest, without its tag:
// how records have it. What is none has none.
func familiarDigest(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	digested, ok := named.(reference.Digested)
	if !ok {
		return ""
	}
	return reference.FamiliarName(named) + "@" + digested.Digest().String()
}

// repository is the canonical name of the repository that a name with a tag
// or a digest is in.
func repository(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return named.Name()
}

// IDs are hexadecimal; docker also takes them with the algorithm before.
var (
	fullID   = regexp.MustCompile(`^(sha256:)?[0-9a-f]{64}$`)
	prefixID = regexp.MustCompile(`^(sha256:)?[0-9a-f]{1,64}$`)
)

// Resolve finds the image that a user means by a name, a name with a digest,
// an ID or the beginning of one. Errors are of kind NotFound, or
// InvalidArgument if it is none of these or several IDs begin so.
func (s *Store) Resolve(ctx context.Context, ref string) (Image, error) {
	id, _, err := s.resolve(ref)
	if err != nil {
		return Image{}, err
	}
	return s.Get(ctx, id)
}

// resolve also tells the canonical name if ref is a tag.
func (s *Store) resolve(ref string) (id digest.Digest, name string, err error) {
	err = s.db.View(func(tx *meta.Tx) error {
		id, name, err = s.resolveIn(tx, ref)
		return err
	})
	return id, name, err
}

// resolveIn is resolve in a transaction.
func (s *Store) resolveIn(tx *meta.Tx, ref string) (digest.Digest, string, error) {
	missing := fmt.Errorf("no such image: %s: %w", ref, errdefs.ErrNotFound)
	if fullID.MatchString(ref) {
		id := digest.NewDigestFromEncoded(digest.SHA256, strings.TrimPrefix(ref, "sha256:"))
		if _, err := s.images.In(tx).Get(id.String()); err != nil {
			return "", "", missing
		}
		return id, "", nil
	}
	// As in docker, a name goes before the beginning of an ID: "cafe" may be
	// both.
	named, err := reference.ParseNormalizedNamed(ref)
	if err == nil {
		if digested, ok := named.(reference.Digested); ok {
			id, err := s.byRepoDigest(tx, reference.TrimNamed(named), digested.Digest())
			if err == nil && id == "" {
				err = missing
			}
			return id, "", err
		}
		name := reference.TagNameOnly(named).String()
		if id, err := s.tags.In(tx).Get(name); err == nil {
			return id, name, nil
		}
	}
	if !prefixID.MatchString(ref) {
		if err != nil {
			return "", "", fmt.Errorf("image reference %q: %w: %w", ref, err, errdefs.ErrInvalidArgument)
		}
		return "", "", missing
	}
	var found []digest.Digest
	err = s.images.In(tx).ForEach(func(id string, _ record) error {
		if strings.HasPrefix(id, "sha256:"+strings.TrimPrefix(ref, "sha256:")) {
			found = append(found, digest.Digest(id))
		}
		return nil
	})
	switch {
	case err != nil:
		return "", "", err
	case len(found) == 0:
		return "", "", missing
	case len(found) > 1:
		return "", "", fmt.Errorf("several image IDs begin with %s: %w", ref, errdefs.ErrInvalidArgument)
	}
	return found[0], "", nil
}

// byRepoDigest finds the image that came from a repository with a manifest of
// the given digest.
func (s *Store) byRepoDigest(tx *meta.Tx, repo reference.Named, dgst digest.Digest) (found digest.Digest, err error) {
	want := reference.FamiliarName(repo) + "@" + dgst.String()
	err = s.images.In(tx).ForEach(func(id string, r record) error {
		if slices.Contains(r.RepoDigests, want) {
			found = digest.Digest(id)
		}
		return nil
	})
	return found, err
}
