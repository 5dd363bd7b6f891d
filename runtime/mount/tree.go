package mount

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OpenTree opens the directory or file at path as it is mounted now, without
// copying the mount: a descriptor for *at calls and for SCM_RIGHTS that keeps
// naming this mount whatever later happens to the path.
func OpenTree(path string) (*os.File, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLOEXEC)
	if err == unix.ENOSYS {
		fd, err = unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("open the tree at %s: %w", path, kind(err))
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Clone makes a detached copy of the mount at path (relative to dirfd; "" is
// dirfd itself): what a bind mount attaches. Recursive takes the mounts below
// along.
func Clone(dirfd int, path string, recursive bool) (*os.File, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(dirfd, path, flags)
	if err != nil {
		if path == "" {
			return nil, fmt.Errorf("copy the mount: %w", kind(err))
		}
		return nil, fmt.Errorf("bind %s: %w", path, kind(err))
	}
	return os.NewFile(uintptr(fd), path), nil
}

// ReadOnly makes a detached copy of the mount at path through which nothing can
// be written, opened for execution or reading only. berth starts its own
// helpers from such a copy, so that a container that gets hold of
// /proc/self/exe cannot write the host's binary (CVE-2019-5736).
func ReadOnly(path string) (*os.File, error) {
	tree, err := Clone(unix.AT_FDCWD, path, false)
	if err != nil {
		return nil, err
	}
	if err := SetAttr(tree, Options{Set: unix.MOUNT_ATTR_RDONLY, Propagation: []int{unix.MS_PRIVATE}}); err != nil {
		tree.Close()
		return nil, fmt.Errorf("make the copy of %s read-only: %w", path, err)
	}
	return tree, nil
}

// SetAttr gives a mount the attributes and the propagation in opts.
func SetAttr(tree *os.File, opts Options) error {
	if opts.Set|opts.Clear != 0 {
		a := unix.MountAttr{Attr_set: opts.Set, Attr_clr: opts.Clear}
		if err := unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH, &a); err != nil {
			return fmt.Errorf("set mount attributes: %w", kind(err))
		}
	}
	if opts.RecSet|opts.RecClear != 0 {
		a := unix.MountAttr{Attr_set: opts.RecSet, Attr_clr: opts.RecClear}
		if err := unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &a); err != nil {
			return fmt.Errorf("set mount attributes of the whole tree: %w", kind(err))
		}
	}
	for _, p := range opts.Propagation {
		if err := Propagate(tree, p); err != nil {
			return err
		}
	}
	return nil
}

// Propagate sets the propagation of a mount: one of MS_SHARED, MS_SLAVE,
// MS_PRIVATE, MS_UNBINDABLE, with MS_REC for the whole tree.
func Propagate(tree *os.File, flags int) error {
	at := uint(unix.AT_EMPTY_PATH)
	if flags&unix.MS_REC != 0 {
		at |= unix.AT_RECURSIVE
	}
	a := unix.MountAttr{Propagation: uint64(flags &^ unix.MS_REC)}
	if err := unix.MountSetattr(int(tree.Fd()), "", at, &a); err != nil {
		return fmt.Errorf("set mount propagation: %w", kind(err))
	}
	return nil
}

// Attach puts a detached tree onto target, a descriptor of the directory or
// file to be covered.
func Attach(tree, target *os.File) error {
	return attach(tree, target, "", unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// AttachAt puts a detached tree onto what is called name in dir, be it a link.
func AttachAt(tree, dir *os.File, name string) error { return attach(tree, dir, name, 0) }

func attach(tree, target *os.File, name string, flags int) error {
	err := unix.MoveMount(int(tree.Fd()), "", int(target.Fd()), name, unix.MOVE_MOUNT_F_EMPTY_PATH|flags)
	if err != nil {
		return fmt.Errorf("attach the mount: %w", kind(err))
	}
	return nil
}
