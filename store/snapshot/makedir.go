package snapshot

import (
	"berth/store/durable"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/snapshots"
	"golang.org/x/sys/unix"
)

// topdirFlag is FS_TOPDIR_FL (linux/fs.h, chattr(1) +T).
const topdirFlag = 0x00020000

// spread asks ext4 to put each directory made in dir into a block group of
// its own choice, as it does for those of its root. By default they all stay
// near dir, and there an inode that was freed is skipped, by looking at each,
// for up to five minutes: after an image of 15,000 files was removed the next
// 15,000 take ten seconds of system time instead of a fifth of one. The group
// follows from the name, so names must be new ones. Other file systems have no
// such flag and no such trouble.
func spread(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	flags, err := unix.IoctlGetInt(int(d.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil && flags&topdirFlag == 0 {
		unix.IoctlSetPointerInt(int(d.Fd()), unix.FS_IOC_SETFLAGS, flags|topdirFlag)
	}
}

// makeDir makes the directory of a new snapshot durable. The root of the
// merged tree takes its attributes from the upper directory, so that starts
// with those of the parent.
func (o *Overlay) makeDir(r, parent *record) error {
	dir, upper := o.dir(r), o.upper(r)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(upper, 0o755); err != nil {
		return err
	}
	mode, uid, gid := uint32(0o755), 0, 0
	if parent != nil {
		var st unix.Stat_t
		if err := unix.Stat(o.upper(parent), &st); err != nil {
			return fmt.Errorf("stat layer of the parent: %w", err)
		}
		mode, uid, gid = st.Mode&0o7777, int(st.Uid), int(st.Gid)
	}
	if uid != 0 || gid != 0 {
		if err := os.Lchown(upper, uid, gid); err != nil {
			return err
		}
	}
	// After chown, which clears setgid, and free of the process's umask.
	if err := unix.Chmod(upper, mode); err != nil {
		return err
	}
	if r.Kind == snapshots.KindActive {
		if err := os.Mkdir(filepath.Join(dir, "work"), 0o700); err != nil {
			return err
		}
	}
	if err := durable.SyncDir(dir); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(dir))
}
