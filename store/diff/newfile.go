package diff

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"
	"unsafe"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"berth/store/sparse"
)

// Most of a layer are small files, and most of the time that one takes are its
// system calls. So a file is made, written and described by one descriptor,
// which os.File would ask the kernel about, and is given what it lacks only.

// createFile makes an empty file and opens it for writing.
func createFile(parent int, name string, mode uint32) (int, error) {
	fd, err := unix.Openat(parent, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return -1, fmt.Errorf("create file: %w", err)
	}
	return fd, nil
}

// closeFile closes a file that was written and keeps the first error.
func closeFile(fd int, err *error) {
	if cerr := unix.Close(fd); *err == nil && cerr != nil {
		*err = fmt.Errorf("write file: %w", cerr)
	}
}

// writeFile makes a regular file of what r holds, for its owner alone, and
// returns the digest of it.
func writeFile(parent int, name string, r io.Reader) (_ digest.Digest, err error) {
	fd, err := createFile(parent, name, 0o600)
	if err != nil {
		return "", err
	}
	defer closeFile(fd, &err)
	return writeContent(fd, r)
}

// copyBuffers are for writing files; io.Copy would take 32 KiB at a time and
// allocate that for each file.
var copyBuffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// writeContent fills an empty file with what r holds and returns the digest of
// it.
func writeContent(fd int, r io.Reader) (digest.Digest, error) {
	buf := copyBuffers.Get().(*[256 << 10]byte)
	defer copyBuffers.Put(buf)
	h := sha256.New()
	size := int64(0)
	for {
		n, rerr := fill(r, buf[:])
		h.Write(buf[:n])
		size += int64(n)
		hole, err := sparse.Write(fd, buf[:n])
		if err == nil && hole {
			err = unix.Ftruncate(fd, size)
		}
		switch {
		case err != nil:
			return "", fmt.Errorf("write file: %w", err)
		case rerr == io.EOF:
			return digest.NewDigest(digest.SHA256, h), nil
		case rerr != nil:
			return "", streamError(rerr)
		}
	}
}

// describe gives an open file or directory the attributes of an entry, but uid
// and gid as its owner, in the order that attributes has. It asks what is there
// first: a file is mostly made with the right owner and mode, and each change
// costs more than the question. What the umask, a setgid directory or its default
// ACL made of them needs no knowing then.
func describe(fd int, hdr *tar.Header, uid, gid int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	other := int64(st.Uid) != int64(uid) || int64(st.Gid) != int64(gid)
	if other {
		if err := unix.Fchown(fd, uid, gid); err != nil {
			return fmt.Errorf("set owner: %w", err)
		}
	}
	if mode := uint32(hdr.Mode) & 0o7777; other || st.Mode&0o7777 != mode {
		if err := unix.Fchmod(fd, mode); err != nil {
			return fmt.Errorf("set mode: %w", err)
		}
	}
	for key, value := range headerXattrs(hdr) {
		if err := setXattr(key, unix.Fsetxattr(fd, key, []byte(value), 0)); err != nil {
			return err
		}
	}
	return setTimes(fd, hdr)
}

// setTimes sets the modification time of an open file. Without a path utimensat
// is about the descriptor, on every kernel.
func setTimes(fd int, hdr *tar.Header) error {
	ts := timespec(hdr.ModTime)
	times := [2]unix.Timespec{ts, ts}
	if _, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0); errno != 0 {
		return fmt.Errorf("set times: %w", errno)
	}
	return nil
}
