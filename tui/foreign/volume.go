package foreign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"

	"berth/engine/api/berthapi"
	"berth/tui/layers"
)

// User is a container that has a volume at a path; it need not run.
type User struct{ Container, Path string }

// errUnused is about a volume that nobody has, so that no archive leads to it.
var errUnused = fmt.Errorf("%w: its files can be seen through a container that uses it, and none does", berthapi.ErrUnsupported)

// VolumeChildren is what is directly in a directory of a volume: what berth's engine told, or else
// what the first of its users sees there.
func VolumeChildren(ctx context.Context, docker layers.Docker, users []User, dir string, told iter.Seq2[berthapi.Entry, error]) iter.Seq2[berthapi.Entry, error] {
	return func(yield func(berthapi.Entry, error) bool) {
		for e, err := range told {
			if !errors.Is(err, berthapi.ErrUnsupported) {
				if !yield(e, err) {
					return
				}
				continue
			}
			err = errUnused
			if len(users) > 0 {
				at := path.Clean(users[0].Path)
				err = archived(ctx, docker, users[0].Container, path.Join(at, dir), func(e berthapi.Entry, err error) bool {
					e.Path = strings.TrimPrefix(e.Path, strings.TrimSuffix(at, "/"))
					return yield(e, err)
				})
			}
			if err != nil {
				yield(berthapi.Entry{}, fmt.Errorf("listing %s: %w", dir, err))
			}
			return
		}
	}
}

// Volumes opens files of volumes (*berthapi.Client).
type Volumes interface {
	VolumeFile(ctx context.Context, name, path string) (io.ReadCloser, error)
}

// VolumeFile opens a file of a volume, through one of its users where the engine is not berth's.
func VolumeFile(ctx context.Context, berth Volumes, docker layers.Docker, name string, users []User, file string) (io.ReadCloser, error) {
	r, err := berth.VolumeFile(ctx, name, file)
	switch {
	case !errors.Is(err, berthapi.ErrUnsupported):
		return r, err
	case len(users) == 0:
		return nil, errUnused
	}
	return layers.FromArchive(ctx, docker, users[0].Container, path.Join(users[0].Path, file))
}
