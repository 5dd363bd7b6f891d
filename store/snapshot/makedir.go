package snapshot

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"golang.org/x/sys/unix"

	"berth/store/durable"
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

// Bounds of place: how quickly a file is made where nothing is skipped, and how
// many places are tried.
const (
	quickInode = 25 * time.Microsecond
	places     = 8
)

// place makes the directory of a layer that is to be unpacked, and names it in the
// record. The block group that spread had chosen for it may be one where many inodes
// were freed a moment ago; that is only told by how long it takes to make a file
// there. Then others are tried, which get other groups as long as this one is there.
func (o *Overlay) place(r *record, inodeTime func(dir string) time.Duration) error {
	quickest := time.Duration(math.MaxInt64)
	var left []string
	defer func() {
		for _, dir := range left {
			os.Remove(dir) // if not now, then at the next Open
		}
	}()
	for range places {
		try := record{Dir: newDir()}
		dir := o.dir(&try)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		took := inodeTime(dir)
		if took >= quickest {
			left = append(left, dir)
			continue
		}
		if quickest != math.MaxInt64 {
			left = append(left, o.dir(r))
		}
		r.Dir, quickest = try.Dir, took
		if took <= quickInode {
			break
		}
	}
	return nil
}

// inodeTime is how long it takes to make a file in a directory, 0 where a file
// without a name cannot be made.
func inodeTime(dir string) time.Duration {
	quickest := time.Duration(math.MaxInt64)
	for range 3 { // whatever else happens meanwhile
		begin := time.Now()
		fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return 0
		}
		quickest = min(quickest, time.Since(begin))
		unix.Close(fd)
	}
	return quickest
}

// makeDir makes the directory of a new snapshot durable. The root of the
// merged tree takes its attributes from the upper directory, so that starts
// with those of the parent.
func (o *Overlay) makeDir(r, parent *record) error {
	if r.Kind == snapshots.KindActive && r.Parent == "" { // a layer is unpacked into it
		if err := o.place(r, inodeTime); err != nil {
			return err
		}
	} else if err := os.Mkdir(o.dir(r), 0o700); err != nil {
		return err
	}
	dir, upper := o.dir(r), o.upper(r)
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
