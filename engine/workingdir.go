package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"berth/store/diff"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// makeWorkingDir makes the working directory of a container that has just been created, and those above it, where its
// image has none: docker does so at creation, and what is copied in or committed before a start can count on it. The
// error is of kind InvalidArgument if something else is there.
func (cs *Containers) makeWorkingDir(ctx context.Context, rec *record) (err error) {
	dir := path.Clean("/" + rec.Config.WorkingDir)
	if dir == "/" {
		return nil
	}
	dirs, err := cs.e.snapshots.Dirs(ctx, snapshotKey(rec.ID))
	if err != nil {
		return err
	}
	// Nearly always it is there, and nothing need be mounted to see that.
	if there, err := diff.IsDir(dirs.Lower, dir); there || err != nil {
		return err
	}
	root, err := cs.mountLayers(ctx, rec.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return mkdirWithin(int(root.Fd()), dir)
}

// mkdirWithin makes a directory below root, and those above it; no link leads out of root.
func mkdirWithin(root int, dir string) error {
	open := func(name string) (int, error) {
		return unix.Openat2(root, name, &unix.OpenHow{
			Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
		})
	}
	above := "."
	for name := range strings.SplitSeq(strings.TrimPrefix(dir, "/"), "/") {
		fd, err := open(above)
		if err == nil {
			err = mkdirat(fd, name)
			unix.Close(fd)
		}
		switch {
		case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ENOENT), errors.Is(err, unix.ELOOP):
			return kind(errdefs.ErrInvalidArgument, "Cannot mkdir: %s is not a directory", dir)
		case err != nil:
			return fmt.Errorf("make the working directory %s: %w", dir, err)
		}
		// By its whole name each time: a link on the way may lead anywhere within the root.
		above = path.Join(above, name)
	}
	fd, err := open(above)
	if err != nil {
		return kind(errdefs.ErrInvalidArgument, "Cannot mkdir: %s is not a directory", dir)
	}
	return unix.Close(fd)
}

// mkdirat makes a directory unless something has the name already.
func mkdirat(fd int, name string) error {
	err := unix.Mkdirat(fd, name, 0o755)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err == nil {
		err = unix.Fchmodat(fd, name, 0o755, 0) // whatever the umask is
	}
	return err
}
