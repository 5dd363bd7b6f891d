package foreign

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/moby/moby/client"

	"berth/engine/api/berthapi"
	"berth/tui/layers"
)

// Children is what is directly in a directory of a container: what berth's engine told, or else what
// the archive of the directory says, which every engine offers. That holds all that is below too, so
// that a high directory of a large container takes its time.
func Children(ctx context.Context, docker layers.Docker, id, dir string, told iter.Seq2[berthapi.Entry, error]) iter.Seq2[berthapi.Entry, error] {
	return func(yield func(berthapi.Entry, error) bool) {
		for e, err := range told {
			if errors.Is(err, berthapi.ErrUnsupported) {
				if err := archived(ctx, docker, id, dir, yield); err != nil {
					yield(berthapi.Entry{}, fmt.Errorf("listing %s: %w", dir, err))
				}
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// archived yields what the archive of a directory has right in it.
func archived(ctx context.Context, docker layers.Docker, id, dir string, yield func(berthapi.Entry, error) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	got, err := docker.CopyFromContainer(ctx, id, client.CopyFromContainerOptions{SourcePath: strings.TrimSuffix(dir, "/") + "/."})
	if err != nil {
		return err
	}
	defer got.Content.Close()
	top, first := "", true
	for t := tar.NewReader(got.Content); ; first = false {
		head, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := path.Clean("/" + head.Name)
		switch {
		case name == "/":
			continue // the directory itself
		case first && dir != "/" && head.Typeflag == tar.TypeDir && name == "/"+path.Base(dir):
			top = name // by its own name
			continue
		}
		if name = strings.TrimPrefix(name, top+"/"); strings.Contains(name, "/") {
			continue
		}
		mode := head.FileInfo().Mode()
		e := berthapi.Entry{Path: path.Join(dir, name), Type: berthapi.TypeOf(mode), Mode: berthapi.UnixMode(mode),
			UID: head.Uid, GID: head.Gid, Size: head.Size, Link: head.Linkname, ModTime: head.ModTime}
		if !yield(e, nil) {
			return nil
		}
	}
}

// ContainerFile is a file as a container sees it: from its archive where the engine is not berth's.
func ContainerFile(ctx context.Context, berth layers.Berth, docker layers.Docker, id, path string) (io.ReadCloser, error) {
	r, err := berth.ContainerFile(ctx, id, path)
	if errors.Is(err, berthapi.ErrUnsupported) {
		return layers.FromArchive(ctx, docker, id, path)
	}
	return r, err
}
