package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"berth/store/diff"
	"berth/store/durable"
	"berth/store/remove"

	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"
)

// importPrefix is of an archive that is whole, and is to be unpacked over what is in a
// volume. As often as the engine dies meanwhile, the next one begins again.
const importPrefix = ".import-"

// importOver unpacks a stream over what is in a volume. It is unpacked beside it first, so
// that one which ends early or cannot be unpacked changes nothing; and it is on disk when
// the volume begins to change, so that a crash leaves no mixture of both.
func (vs *Volumes) importOver(ctx context.Context, v volume.Volume, r io.Reader) error {
	defer vs.lockMount(v.Name)()
	tree, err := vs.tree(ctx, v)
	if err != nil {
		return err
	}
	defer tree.Close()
	stage := filepath.Dir(vs.dir(v.Name))
	filling, archive := filepath.Join(stage, fillingPrefix+v.Name), filepath.Join(stage, importPrefix+v.Name)
	if err := os.Mkdir(filling, 0o700); err != nil {
		return err
	}
	err = spool(ctx, filling, r)
	if err == nil {
		err = os.Rename(filepath.Join(filling, "archive"), archive)
	}
	if err == nil {
		err = durable.SyncDir(stage)
	}
	if err = errors.Join(err, remove.All(filling)); err != nil {
		// It failed: the next Open must not find it.
		return errors.Join(err, remove.All(archive))
	}
	// Not half of it because the client has gone.
	return unpackOver(context.WithoutCancel(ctx), tree, archive)
}

// spool makes of a stream the file archive in dir, and sees that it can be unpacked.
func spool(ctx context.Context, dir string, r io.Reader) error {
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "archive"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	tee := io.TeeReader(r, f)
	if err = extractInto(ctx, tree, tee); err == nil {
		_, err = io.Copy(io.Discard, tee) // what is behind the archive's end
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// unpackOver unpacks a file over what is below root, and removes it.
func unpackOver(ctx context.Context, root *os.File, archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	err = diff.Extract(ctx, root, "/", f, diff.ExtractOptions{Root: true})
	if err == nil {
		err = syncBelow(root)
	}
	return errors.Join(err, os.Remove(archive))
}

// syncBelow makes the file system of a directory durable, of which only a path is open.
func syncBelow(root *os.File) error {
	dir, err := openIn(root, "/", unix.O_RDONLY|unix.O_DIRECTORY)
	if err == nil {
		defer dir.Close()
		err = unix.Syncfs(int(dir.Fd()))
	}
	if err != nil {
		return fmt.Errorf("make the volume durable: %w", err)
	}
	return nil
}

// finishImport completes at Open what a crash interrupted. A volume with a device of its
// own is not mounted by then, and keeps what it has.
func finishImport(v volume.Volume, archive, target string) error {
	if hasDevice(v) {
		return os.Remove(archive)
	}
	root, err := os.Open(target)
	if err != nil {
		return err
	}
	defer root.Close()
	return unpackOver(context.Background(), root, archive)
}
