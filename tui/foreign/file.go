package foreign

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/containerd/errdefs"
)

// errFound ends a walk.
var errFound = errors.New("found")

// file is the content of a file, read from the export as it comes.
type file struct {
	io.Reader
	layer, export io.Closer
}

// Close gives the rest of the export up.
func (f *file) Close() error { return errors.Join(f.layer.Close(), f.export.Close()) }

// file opens a file of a layer in an export of its own.
func (b *Browser) file(ctx context.Context, id, member, name string) (io.ReadCloser, error) {
	r, err := b.docker.ImageSave(ctx, []string{id})
	if err != nil {
		return nil, fmt.Errorf("exporting the image to read %s: %w", name, err)
	}
	var out *file
	err = members(r, func(head *tar.Header, at string, layer *bufio.Reader) error {
		if at != member || head.Typeflag != tar.TypeReg {
			return nil
		}
		plain, err := unpacked(layer)
		if err != nil {
			return err
		}
		t := tar.NewReader(plain)
		for {
			head, err := t.Next()
			if err != nil {
				return errors.Join(err, plain.Close())
			}
			if path.Clean("/"+head.Name) == name && head.Typeflag == tar.TypeReg {
				out = &file{t, plain, r}
				return errFound
			}
		}
	})
	if out != nil {
		return out, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = errdefs.ErrNotFound
	}
	return nil, errors.Join(fmt.Errorf("reading %s out of the image's export: %w", name, err), r.Close())
}
