package mount

import (
	"errors"
	"fmt"
	"os"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// SetIDMap makes a detached tree show the owners of its files as the mappings of a
// user namespace have them (mount_setattr(2), "ID-mapped mounts", Linux 5.12): an ID
// of the file system is an inner one of the user namespace, and shows as the outer.
// With recursive that is so for the mounts below as well.
func SetIDMap(tree, userNS *os.File, recursive bool) error {
	at := uint(unix.AT_EMPTY_PATH)
	if recursive {
		at |= unix.AT_RECURSIVE
	}
	a := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userNS.Fd())}
	err := unix.MountSetattr(int(tree.Fd()), "", at, &a)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("map the IDs of the mount: this kernel cannot (it needs Linux 5.12): %w", errdefs.ErrNotImplemented)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("map the IDs of the mount: its file system cannot: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return fmt.Errorf("map the IDs of the mount: %w", kind(err))
}
