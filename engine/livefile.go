package engine

import (
	"context"
	"io"

	"golang.org/x/sys/unix"
)

// File opens a regular file of a container and returns its size in bytes: of a running one as it sees the file now,
// mounts included. The path is looked up below the container's own root, so that neither a link nor a change of the
// tree meanwhile leads out of it.
func (cs *Containers) File(ctx context.Context, ref, name string) (io.ReadCloser, int64, error) {
	root, err := cs.OpenRoot(ctx, ref)
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	return openRegular(int(root.Fd()), name, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}
