package rootfs

import (
	"errors"
	"os"
	"path"
	"strings"

	"berth/runtime/mount"
	"golang.org/x/sys/unix"
)

// hostSys is what a user namespace that does not own the network namespace gets for
// a sysfs, which it may not mount: the host's, and no more of it writable than asked.
func (r *Rootfs) hostSys(o mount.Options) (*os.File, error) {
	tree, err := r.clone("/sys", true)
	if err != nil {
		return nil, err
	}
	o.Propagation = nil
	o.RecSet |= o.Set & unix.MOUNT_ATTR_RDONLY
	if err := mount.SetAttr(tree, o); err != nil {
		tree.Close()
		return nil, err
	}
	return tree, nil
}

const cgroupRoot = "/sys/fs/cgroup"

// protectCgroups makes read-only what a rootless container sees of the host's
// cgroups through a bind mount of src: they may have been delegated to the runtime's
// user, and so to the container's root, who would get out of the limits of the
// container, or into those of others (CVE-2023-25809). The mount is attached, as
// only then the ones below it can be changed.
func (r *Rootfs) protectCgroups(tree *os.File, src string) error {
	src = path.Clean(src)
	at := "."
	switch {
	case below(cgroupRoot, src):
		at += strings.TrimPrefix(cgroupRoot, strings.TrimSuffix(src, "/"))
	case !below(src, cgroupRoot):
		return nil
	}
	if !r.cfg.Rootless() {
		return nil
	}
	fd, err := unix.Openat(int(tree.Fd()), at, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: cgroupRoot, Err: err}
	}
	f := os.NewFile(uintptr(fd), cgroupRoot)
	defer f.Close()
	for _, magic := range []int64{unix.CGROUP2_SUPER_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.TMPFS_MAGIC} {
		is, err := onFS(f, magic)
		if err != nil {
			return err
		}
		if is {
			return mount.SetAttr(f, mount.Options{RecSet: unix.MOUNT_ATTR_RDONLY})
		}
	}
	return nil // not a mount of its own: a part of /sys, without cgroups
}
