package shim

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// PrivateMount makes dir a mount of its own that propagates nothing, which an engine
// does once, at its start. Below it shims mount the root filesystems of their
// containers, each in its own mount namespace, and neither the host nor another shim
// sees them; everything else keeps the propagation it has on the host, so volumes can
// be rshared. It does nothing if dir is such a mount already.
func PrivateMount(dir string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return fmt.Errorf("make private mount: %w", err)
	}
	var stx unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW, 0, &stx); err != nil {
		return fmt.Errorf("look for mount at %s: %w", dir, err)
	}
	if stx.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s to itself: %w", dir, err)
		}
	}
	if err := unix.Mount("", dir, "", unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mount of %s private: %w", dir, err)
	}
	return nil
}

// RemovePrivateMount undoes PrivateMount. Running containers are not disturbed: theirs
// is a copy in their shim's namespace.
func RemovePrivateMount(dir string) error {
	if err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && err != unix.EINVAL && err != unix.ENOENT {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return nil
}
