package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path"

	"berth/runtime/mount"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// openHost opens (O_PATH) a path of the host. What the container's root of a user
// namespace may not reach, the runtime opens for it: that it is to be in the
// container is not for the directories above it to say.
func (r *Rootfs) openHost(name string) (*os.File, error) {
	f, err := os.OpenFile(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if !errors.Is(err, unix.EACCES) {
		return f, err
	}
	err = r.privileged(func() error {
		f, err = os.OpenFile(name, unix.O_PATH|unix.O_CLOEXEC, 0)
		return err
	})
	return f, err
}

func (r *Rootfs) privileged(f func() error) error {
	if r.cfg.Privileged == nil {
		return f()
	}
	return r.cfg.Privileged(f)
}

// cloneMapped is clone with the IDs mapped, which takes rights over the file system.
func (r *Rootfs) cloneMapped(m specs.Mount, name string, o mount.Options) (tree *os.File, err error) {
	ns, err := r.cfg.UserNS(m.UIDMappings, m.GIDMappings)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	err = r.privileged(func() error {
		if tree, err = mount.Clone(unix.AT_FDCWD, name, o.Recursive); err != nil {
			return err
		}
		if err := mount.SetIDMap(tree, ns, o.RecIDMap); err != nil {
			tree.Close()
			return err
		}
		return nil
	})
	return tree, err
}

// clone makes a detached copy of what is mounted at a path of the host.
func (r *Rootfs) clone(name string, recursive bool) (*os.File, error) {
	if r.cfg.Privileged == nil {
		return mount.Clone(unix.AT_FDCWD, name, recursive)
	}
	f, err := r.openHost(name)
	if err != nil {
		return nil, fmt.Errorf("bind %s: %w", name, err)
	}
	defer f.Close()
	return mount.Clone(int(f.Fd()), "", recursive)
}

// bindNode shows the host's device in dir. Its owner and mode are the host's.
func (r *Rootfs) bindNode(dir *os.File, d device) error {
	host, err := os.OpenFile(d.path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bind the host's device, as none can be made in a user namespace: %w", err)
	}
	defer host.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(host.Fd()), &st); err != nil {
		return fmt.Errorf("bind the host's device: %w", err)
	}
	if st.Mode&unix.S_IFMT != d.format || st.Rdev != unix.Mkdev(d.major, d.minor) {
		return fmt.Errorf("no device can be made in a user namespace, and what the host has there is another: %w", errdefs.ErrInvalidArgument)
	}
	tree, err := mount.Clone(int(host.Fd()), "", false)
	if err != nil {
		return err
	}
	defer tree.Close()
	base := path.Base(d.path)
	if err := emptyFile(dir, base); err != nil && err != unix.EEXIST {
		return err
	}
	target, err := openHere(dir, base)
	if err != nil {
		return err
	}
	defer target.Close()
	return mount.Attach(tree, target)
}
