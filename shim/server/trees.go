package server

import (
	"errors"
	"fmt"
	"os"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/runtime/mount"
	"berth/shim/wire"
)

// attachTrees attaches the descriptors that follow the configuration's where the
// configuration wants them, in this process's own mount namespace.
func attachTrees(trees []wire.Tree) error {
	next := uintptr(wire.ConfigFD + 1)
	for _, t := range trees {
		var f *os.File
		var err error
		if t.Of == "" {
			f = os.NewFile(next, t.Path)
			next++
		} else if f, err = mount.Clone(unix.AT_FDCWD, t.Of, true); err != nil {
			return err
		}
		err = attachTree(f, t)
		f.Close()
		if err != nil {
			return fmt.Errorf("mount what is for %s: %w", t.Path, err)
		}
	}
	return nil
}

func attachTree(f *os.File, t wire.Tree) error {
	if err := attachAt(f, t.Path); err != nil || t.Subpath == "" {
		return err
	}
	root, err := mount.OpenTree(t.Path)
	if err != nil {
		return err
	}
	defer root.Close()
	// Found once, and held: what a link is made to lead to afterwards changes nothing.
	fd, err := unix.Openat2(int(root.Fd()), t.Subpath, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	})
	switch {
	case errors.Is(err, unix.EXDEV):
		return fmt.Errorf("path concatenation escapes the base directory, subpath: %s: %w", t.Subpath, errdefs.ErrInvalidArgument)
	case err != nil:
		return fmt.Errorf("cannot access path %s: %w", "/"+t.Subpath, err)
	}
	defer unix.Close(fd)
	part, err := mount.Clone(fd, "", true)
	if err != nil {
		return err
	}
	defer part.Close()
	return attachAt(part, t.SubpathAt())
}

// attachAt makes a mount point of the kind that the tree's root is, and attaches it.
func attachAt(tree *os.File, path string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(tree.Fd()), &st); err != nil {
		return err
	}
	var err error
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		err = os.Mkdir(path, 0o700)
	} else {
		err = os.WriteFile(path, nil, 0o600)
	}
	if err != nil && !errors.Is(err, os.ErrExist) { // of a shim that was killed
		return err
	}
	target, err := mount.OpenTree(path)
	if err != nil {
		return err
	}
	defer target.Close()
	return mount.Attach(tree, target)
}

// removeTrees takes away what attachTrees made.
func removeTrees(trees []wire.Tree) {
	for _, t := range trees {
		for _, path := range []string{t.SubpathAt(), t.Path} {
			for unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) == nil {
			}
			os.Remove(path) // the one of a subpath is there only if there is a subpath
		}
	}
}

// tree copies one of the mounts that this container was given.
func (s *shim) tree(path string) (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == wire.StatusStopped {
		return nil, s.wrong("open a mount of")
	}
	for _, t := range s.cfg.Trees {
		if t.Path == path {
			return mount.Clone(unix.AT_FDCWD, path, true)
		}
	}
	return nil, fmt.Errorf("container %s has no tree at %s: %w", s.cfg.ID, path, errdefs.ErrNotFound)
}
