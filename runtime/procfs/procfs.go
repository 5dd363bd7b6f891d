// Package procfs opens files of /proc where what is mounted there may be
// another's work: a mount namespace that a container was told to join, or one in
// which a container has put something over a part of /proc. A write that is meant
// for a sysctl or for a security module must neither be lost nor go to another
// file (CVE-2019-16884, CVE-2025-52881).
//
// Root makes sure that /proc is the root of a proc file system; nothing else has
// that magic number, and no other directory of one has that inode number. Open
// walks below it without ever crossing a mount, so what it finds is the proc's
// own, and without magic links, which lead to where no path does.
package procfs

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// rootInode is the inode of the root of every proc file system (PROC_ROOT_INO).
const rootInode = 1

// openat2 is a variable for the tests of what happens without it.
var openat2 = unix.Openat2

// Root opens /proc of the calling thread's mount namespace. The descriptor goes
// on naming it in whatever namespace the thread is later.
func Root() (*os.File, error) { return root("/proc") }

func root(name string) (*os.File, error) {
	f, err := os.OpenFile(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open proc: %w", err)
	}
	var fs unix.Statfs_t
	var st unix.Stat_t
	if err = unix.Fstatfs(int(f.Fd()), &fs); err == nil {
		err = unix.Fstat(int(f.Fd()), &st)
	}
	if err == nil && (int64(fs.Type) != unix.PROC_SUPER_MAGIC || st.Ino != rootInode) {
		err = fmt.Errorf("what is mounted there is not a proc file system: %w", errdefs.ErrFailedPrecondition)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("look at %s: %w", name, err)
	}
	return f, nil
}

// New makes another proc file system, mounted nowhere, for a sysctl or two. Its
// entries of /proc/sys/net are looked up at once; in a proc that is used for long, every
// network namespace leaves its own, all under one name, and a look-up passes those of all
// that are left (proc_sys_compare). Before Linux 5.2, and in a user namespace, none can be
// made, and Root has to do.
func New() (*os.File, error) {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a proc file system: %w", err)
	}
	defer unix.Close(fs)
	if err = unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("make a proc file system: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a proc file system: %w", err)
	}
	return os.NewFile(uintptr(fd), "/proc"), nil
}

// Open opens the file name, a relative path, of a proc that Root opened.
func Open(root *os.File, name string, flags int) (*os.File, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS,
	}
	var fd int
	var err error
	for {
		fd, err = openat2(int(root.Fd()), name, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			break
		}
	}
	if err == unix.ENOSYS || err == unix.EPERM {
		fd, err = walk(int(root.Fd()), name, flags)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path.Join("/proc", name), Err: err}
	}
	return os.NewFile(uintptr(fd), path.Join("/proc", name)), nil
}

// walk is Open without openat2. Where it is told apart from a mount of the same
// proc on itself depends on mount IDs, which are as old as Linux 5.8.
func walk(root int, name string, flags int) (int, error) {
	var at unix.Statx_t
	if err := identify(root, &at); err != nil {
		return -1, err
	}
	parts := strings.Split(name, "/")
	if parts[0] == "self" || parts[0] == "thread-self" {
		// The only links on the way to anything.
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(root, parts[0], buf)
		if err != nil {
			return -1, err
		}
		parts = append(strings.Split(string(buf[:n]), "/"), parts[1:]...)
	}
	dir := root
	for i, part := range parts {
		how := unix.O_PATH
		if i == len(parts)-1 {
			how = flags
		}
		if part == ".." {
			return -1, unix.EXDEV
		}
		fd, err := unix.Openat(dir, part, how|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if dir != root {
			unix.Close(dir)
		}
		if err != nil {
			return -1, err
		}
		var st unix.Statx_t
		if err = identify(fd, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
			err = unix.ELOOP
		} else if err == nil && (st.Dev_major != at.Dev_major || st.Dev_minor != at.Dev_minor || st.Mnt_id != at.Mnt_id) {
			err = unix.EXDEV
		}
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		dir = fd
	}
	return dir, nil
}

func identify(fd int, st *unix.Statx_t) error {
	return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MODE|unix.STATX_MNT_ID, st)
}

// Write writes value to the file name with one write(2).
func Write(root *os.File, name, value string) error {
	f, err := Open(root, name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// Reopen opens the file of an O_PATH descriptor, wherever its path leads now, and
// calls it name.
func Reopen(root, f *os.File, flags int, name string) (*os.File, error) {
	fds, err := Open(root, "self/fd", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer fds.Close()
	fd, err := unix.Openat(int(fds.Fd()), strconv.Itoa(int(f.Fd())), flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
