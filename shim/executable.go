package shim

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Executable is the berth binary that shims are started from. It is opened so that
// nobody who gets hold of it through /proc/PID/exe, as a process in a container can
// when the runtime enters it, may write to it (CVE-2019-5736).
type Executable struct {
	file    *os.File
	filters *filters // of the shims that it was started as
	spares  *spares  // shims to be
}

// minFD keeps the executable's descriptor out of the way of those that a child
// inherits, which are numbered from 0.
const minFD = 64

// NewExecutable opens the binary at path, "" meaning the running one. It uses a
// detached read-only bind mount of the binary's directory, so the copy in the page
// cache is shared by all; where the kernel refuses that (before 5.12, or without
// CAP_SYS_ADMIN), a sealed copy in memory.
func NewExecutable(path string) (Executable, error) {
	if path == "" {
		path = "/proc/self/exe"
	}
	real, err := filepath.EvalSymlinks(path)
	var fd int
	if err == nil {
		fd, err = openReadOnly(path, real)
	}
	if err != nil {
		var cerr error
		if fd, cerr = sealedCopy(path); cerr != nil {
			return Executable{}, fmt.Errorf("open executable %s: %w", path, errors.Join(err, cerr))
		}
	}
	defer unix.Close(fd)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, minFD)
	if err != nil {
		return Executable{}, fmt.Errorf("open executable %s: %w", path, err)
	}
	return Executable{file: os.NewFile(uintptr(high), real), filters: &filters{}, spares: &spares{}}, nil
}

// Close releases the executable and ends the shims that Prepare has started for nobody;
// running shims keep what they need.
func (x Executable) Close() error {
	if x.file == nil { // never opened
		return nil
	}
	x.spares.close()
	return x.file.Close()
}

// Path by which this process, and a child before its execve, starts the executable.
func (x Executable) Path() string { return fmt.Sprintf("/proc/self/fd/%d", x.file.Fd()) }

// Name is where the executable was when it was opened: now it may be gone, or another.
func (x Executable) Name() string { return x.file.Name() }

// openReadOnly opens real inside a read-only clone of the mount it is on, and makes
// sure that it is the file at path.
func openReadOnly(path, real string) (int, error) {
	tree, err := unix.OpenTree(unix.AT_FDCWD, filepath.Dir(real), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("clone mount of %s: %w", filepath.Dir(real), err)
	}
	defer unix.Close(tree)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return -1, fmt.Errorf("make clone of %s read-only: %w", filepath.Dir(real), err)
	}
	fd, err := unix.Openat(tree, filepath.Base(real), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s in its clone: %w", real, err)
	}
	// The running binary may have been replaced by a newer one since: then the file at
	// that name is another.
	var want, got unix.Stat_t
	err = errors.Join(unix.Stat(path, &want), unix.Fstat(fd, &got))
	if err == nil && (want.Dev != got.Dev || want.Ino != got.Ino) {
		err = fmt.Errorf("%s is not the file at %s any more", real, path)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// sealedCopy copies the file at path into memory and seals it against any change.
func sealedCopy(path string) (fd int, err error) {
	src, err := os.Open(path)
	if err != nil {
		return -1, err
	}
	defer src.Close()
	fd, err = unix.MemfdCreate("berth", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // MFD_EXEC is of Linux 6.3
		fd, err = unix.MemfdCreate("berth", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, fmt.Errorf("make memory file: %w", err)
	}
	dst := os.NewFile(uintptr(fd), "memfd")
	defer dst.Close()
	if _, err := io.Copy(dst, src); err != nil {
		return -1, fmt.Errorf("copy %s into memory: %w", path, err)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(dst.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return -1, fmt.Errorf("seal copy of %s: %w", path, err)
	}
	// A second, read-only open: a file that is open for writing cannot be executed.
	fd, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", dst.Fd()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("reopen copy of %s: %w", path, err)
	}
	return fd, nil
}
