package rootfs

import (
	"errors"
	"fmt"
	"os"

	"berth/runtime/mount"
	"golang.org/x/sys/unix"
)

// Protect makes the masked paths unreadable and the read-only paths read-only.
// Paths that the container does not have need no protection. It has to be done
// before Pivot, while the host's null device can still be bound.
func (r *Rootfs) Protect() error {
	for _, name := range r.cfg.Spec.Linux.ReadonlyPaths {
		if err := r.protect(name, r.readOnlyPath); err != nil {
			return fmt.Errorf("linux.readonlyPaths: %s: %w", name, err)
		}
	}
	if len(r.cfg.Spec.Linux.MaskedPaths) == 0 {
		return nil
	}
	// The container's own null device tells it nothing of the host. What only bears
	// the name is not taken.
	if null, err := open(r.root, "/dev/null"); err == nil {
		if isNull(null) {
			r.null, null = null, r.null
		}
		null.Close()
	}
	for _, name := range r.cfg.Spec.Linux.MaskedPaths {
		if err := r.protect(name, r.mask); err != nil {
			return fmt.Errorf("linux.maskedPaths: %s: %w", name, err)
		}
	}
	return nil
}

func (r *Rootfs) protect(name string, f func(*os.File) error) error {
	at, err := open(r.root, name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer at.Close()
	return f(at)
}

func (r *Rootfs) readOnlyPath(at *os.File) error {
	tree, err := mount.Clone(int(at.Fd()), "", true)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := mount.SetAttr(tree, mount.Options{Set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return err
	}
	return mount.Attach(tree, at)
}

// mask covers a file with the null device and a directory with an empty,
// read-only tmpfs.
func (r *Rootfs) mask(at *os.File) error {
	dir, err := isType(at, unix.S_IFDIR)
	if err != nil {
		return err
	}
	var tree *os.File
	if dir {
		tree, err = r.newTree("tmpfs", "tmpfs", mount.Options{Set: unix.MOUNT_ATTR_RDONLY, Data: []string{"nr_blocks=1", "nr_inodes=1"}})
	} else {
		tree, err = mount.Clone(int(r.null.Fd()), "", false)
	}
	if err != nil {
		return err
	}
	defer tree.Close()
	return mount.Attach(tree, at)
}
