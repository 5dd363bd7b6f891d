package diff

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// paxXattr begins the PAX records that carry extended attributes.
const paxXattr = "SCHILY.xattr."

// attributes gives a new file its owner, mode, extended attributes and times,
// in this order: chown clears setuid and capabilities.
func (a *applier) attributes(parent int, name string, hdr *tar.Header, t Type) error {
	if hdr.Uid < 0 || hdr.Gid < 0 || int64(hdr.Uid) > 0xfffffffe || int64(hdr.Gid) > 0xfffffffe {
		return refuse("bad owner %d:%d", hdr.Uid, hdr.Gid)
	}
	if err := unix.Fchownat(parent, name, hdr.Uid, hdr.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set owner: %w", err)
	}
	if t != TypeSymlink {
		// This call follows links, but name was made by us just now and is none.
		if err := unix.Fchmodat(parent, name, uint32(hdr.Mode)&0o7777, 0); err != nil {
			return fmt.Errorf("set mode: %w", err)
		}
	}
	for key, value := range headerXattrs(hdr) {
		if err := setXattr(parent, name, key, value); err != nil {
			return err
		}
	}
	ts := timespec(hdr.ModTime)
	if err := unix.UtimesNanoAt(parent, name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set times: %w", err)
	}
	return nil
}

// headerXattrs are the extended attributes that a tar gives a file.
func headerXattrs(hdr *tar.Header) map[string]string {
	var attrs map[string]string
	for key, value := range hdr.PAXRecords {
		if key, ok := strings.CutPrefix(key, paxXattr); ok && layerXattr(key) {
			if attrs == nil {
				attrs = make(map[string]string)
			}
			attrs[key] = value
		}
	}
	return attrs
}

// hashAttrs is 0 for no attributes, and else tells them from others.
func hashAttrs(attrs map[string]string) uint64 {
	if len(attrs) == 0 {
		return 0
	}
	h := fnv.New64a()
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		fmt.Fprintf(h, "%s\x00%d\x00%s", key, len(attrs[key]), attrs[key])
	}
	return max(h.Sum64(), 1)
}

// setXattr sets an extended attribute. The kernel refuses user.* on what is
// neither file nor directory, and some file systems have none at all; only
// capabilities matter enough to fail then.
func setXattr(parent int, name, key, value string) error {
	err := unix.Lsetxattr(procPath(parent, name), key, []byte(value), 0)
	unsupported := errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) && strings.HasPrefix(key, "user.")
	if err == nil || unsupported && key != "security.capability" {
		return nil
	}
	return fmt.Errorf("set xattr %s: %w", key, err)
}

// setOpaque makes the directory parent/name hide those below it.
func setOpaque(parent int, name string) error {
	if err := unix.Lsetxattr(procPath(parent, name), opaqueXattr, []byte("y"), 0); err != nil {
		return fmt.Errorf("make directory opaque: %w", err)
	}
	return nil
}

// copyAttributes gives a file the attributes of another, from/base with the
// status st, as overlay does when it copies up.
func copyAttributes(parent int, name string, from int, base string, st *unix.Stat_t) error {
	if err := unix.Fchownat(parent, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if err := unix.Fchmodat(parent, name, st.Mode&0o7777, 0); err != nil {
		return err
	}
	attrs, err := listXattrs(from, base)
	if err != nil {
		return err
	}
	for key, value := range attrs {
		if err := setXattr(parent, name, key, value); err != nil {
			return err
		}
	}
	return unix.UtimesNanoAt(parent, name, []unix.Timespec{st.Mtim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

// statEntry is the entry of a file that exists.
func statEntry(path string, t Type, st *unix.Stat_t) Entry {
	e := Entry{
		Path: path, Type: t, Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid),
		ModTime: time.Unix(st.Mtim.Sec, st.Mtim.Nsec),
	}
	if t == TypeRegular {
		e.Size = st.Size
	}
	if t == TypeChar || t == TypeBlock {
		e.Device = st.Rdev
	}
	return e
}

// fdReader reads a descriptor that stays its owner's.
type fdReader int

func (fd fdReader) Read(b []byte) (int, error) {
	n, err := unix.Read(int(fd), b)
	if err == nil && n == 0 && len(b) > 0 {
		err = io.EOF
	}
	return max(n, 0), err
}

// copyBuffers are for writing files; io.Copy would take 32 KiB at a time and
// allocate that for each file.
var copyBuffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// zeros is the unit in which holes are found, a page and a block of most file
// systems.
var zeros [4 << 10]byte

// writeFile makes a regular file of what r holds and returns the digest of
// it. With sparse set, blocks of zeros become holes.
func writeFile(parent int, name string, r io.Reader, sparse bool) (_ digest.Digest, err error) {
	fd, err := unix.Openat(parent, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return "", fmt.Errorf("create file: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	buf := copyBuffers.Get().(*[256 << 10]byte)
	defer copyBuffers.Put(buf)
	h := sha256.New()
	size := int64(0)
	for {
		n, rerr := fill(r, buf[:])
		h.Write(buf[:n])
		size += int64(n)
		if sparse {
			err = writeSparse(f, buf[:n])
		} else if n > 0 {
			_, err = f.Write(buf[:n])
		}
		switch {
		case err != nil:
			return "", fmt.Errorf("write file: %w", err)
		case rerr == io.EOF && sparse:
			// A hole at the end has moved the position only.
			return digest.NewDigest(digest.SHA256, h), f.Truncate(size)
		case rerr == io.EOF:
			return digest.NewDigest(digest.SHA256, h), nil
		case rerr != nil:
			return "", streamError(rerr)
		}
	}
}

// writeSparse writes a chunk of a file but seeks over blocks of zeros.
func writeSparse(f *os.File, b []byte) error {
	for len(b) > 0 {
		n := min(len(zeros), len(b))
		var err error
		if bytes.Equal(b[:n], zeros[:n]) {
			_, err = f.Seek(int64(n), io.SeekCurrent)
		} else {
			_, err = f.Write(b[:n])
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// removeAll removes a name and all below it, by descriptors.
func removeAll(parent int, name string) error {
	// Most names are files. For a directory Linux says EISDIR, POSIX EPERM.
	err := unix.Unlinkat(parent, name, 0)
	if err != unix.EISDIR && err != unix.EPERM {
		return err
	}
	fd, err := unix.Openat(parent, name, openDir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	names, err := readNames(fd)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := removeAll(fd, n); err != nil {
			return err
		}
	}
	return unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
}
