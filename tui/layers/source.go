package layers

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"berth/engine/api/berthapi"
)

// source is where the content of the subject's files comes from.
type source struct {
	berth     Berth
	docker    Docker
	image, id string
}

// source is that of the subject; a command keeps it while the subject changes.
func (m *Model) source() source {
	return source{m.cfg.Berth, m.cfg.Docker, m.subject.Image, m.subject.Container}
}

// open opens a file as its place holds it.
func (s source) open(ctx context.Context, f file) (io.ReadCloser, error) {
	if f.place.layer == live {
		r, err := s.berth.ContainerFile(ctx, s.id, f.path)
		if errors.Is(err, berthapi.ErrUnsupported) {
			return FromArchive(ctx, s.docker, s.id, f.path)
		}
		return r, err
	}
	r, err := s.berth.LayerFile(ctx, s.image, f.place.layer, f.path)
	// In a union the file may come from any layer below; so it may in a
	// comparison, which is one of unions.
	for _, n := range f.here {
		if !f.place.union && f.place.against == 0 || !errdefs.IsNotFound(err) {
			break
		}
		r, err = s.berth.LayerFile(ctx, s.image, n, f.path)
	}
	return r, err
}

// FromArchive reads a container's file the way every engine offers it: as the
// only entry of a tar.
func FromArchive(ctx context.Context, docker Docker, id, path string) (io.ReadCloser, error) {
	got, err := docker.CopyFromContainer(ctx, id, client.CopyFromContainerOptions{SourcePath: path})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	t := tar.NewReader(got.Content)
	head, err := t.Next()
	if err == nil && head.Typeflag != tar.TypeReg {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", path, err), got.Content.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{t, got.Content}, nil
}
