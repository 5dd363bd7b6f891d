package engine

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// File opens a regular file of a running container as the container sees it now, mounts included, and returns its size
// in bytes. The path is looked up below the container's own root, which the shim holds open, so that neither a link nor
// a change of the tree meanwhile leads out of it.
func (cs *Containers) File(_ context.Context, ref, name string) (io.ReadCloser, int64, error) {
	c, err := cs.get(ref)
	if err != nil {
		return nil, 0, err
	}
	sh, rec, err := c.running()
	if err != nil {
		return nil, 0, err
	}
	root, err := sh.RootFD()
	if err != nil {
		return nil, 0, fmt.Errorf("opening the root of container %s: %w", rec.Name, err)
	}
	defer root.Close()
	return openRegular(int(root.Fd()), name, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}
