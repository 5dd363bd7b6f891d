package rootfs

import (
	"fmt"
	"os"
	"strconv"

	"berth/runtime/mount"
	"golang.org/x/sys/unix"
)

// newTree is mount.New for a file system that gets linux.mountLabel. Those of the
// kernel's own files do not take one.
func (r *Rootfs) newTree(fstype, source string, o mount.Options) (*os.File, error) {
	label := r.cfg.Spec.Linux.MountLabel
	if label == "" {
		return mount.New(fstype, source, o)
	}
	switch fstype {
	case "proc", "sysfs":
	case "mqueue":
		return r.labelledQueue(fstype, source, label, o)
	default:
		o.Data = append(o.Data[:len(o.Data):len(o.Data)], "context="+label)
	}
	return mount.New(fstype, source, o)
}

// labelledQueue labels the root of an mqueue, which has labels of its own.
func (r *Rootfs) labelledQueue(fstype, source, label string, o mount.Options) (*os.File, error) {
	tree, err := mount.New(fstype, source, o)
	if err != nil {
		return nil, err
	}
	if err := unix.Setxattr("/proc/thread-self/fd/"+strconv.Itoa(int(tree.Fd())), "security.selinux", []byte(label), 0); err != nil {
		tree.Close()
		return nil, fmt.Errorf("linux.mountLabel: %w", err)
	}
	return tree, nil
}
