package diff

import (
	"archive/tar"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// paxXattr begins the PAX records that carry extended attributes.
const paxXattr = "SCHILY.xattr."

// checkOwner refuses an entry whose owner the kernel would take for "no change".
func checkOwner(hdr *tar.Header) error {
	if hdr.Uid < 0 || hdr.Gid < 0 || int64(hdr.Uid) > 0xfffffffe || int64(hdr.Gid) > 0xfffffffe {
		return refuse("bad owner %d:%d", hdr.Uid, hdr.Gid)
	}
	return nil
}

// attributes gives what was made just now, and cannot or must not be opened, its
// owner, mode, extended attributes and times, in this order: chown clears setuid
// and capabilities. The times of a directory are left to finish, since what is
// put into it changes them.
func (a *applier) attributes(parent int, name string, hdr *tar.Header, t Type) error {
	if err := checkOwner(hdr); err != nil {
		return err
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
		if err := setXattr(key, unix.Lsetxattr(procPath(parent, name), key, []byte(value), 0)); err != nil {
			return err
		}
	}
	if t == TypeDir {
		return nil
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

// setXattr judges the outcome of setting an extended attribute. The kernel
// refuses user.* on what is neither file nor directory, and some file systems
// have none at all; only capabilities matter enough to fail then.
func setXattr(key string, err error) error {
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
// status st, as overlay does when it copies up. Containers that have a volume
// mounted can put a link in the file's place meanwhile: none is followed.
func copyAttributes(parent int, name string, from int, base string, st *unix.Stat_t) error {
	if err := unix.Fchownat(parent, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	err := unix.Fchmodat(parent, name, st.Mode&0o7777, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.EOPNOTSUPP) { // before Linux 6.6
		err = chmodNode(parent, name, st.Mode&0o7777)
	}
	if err != nil {
		return err
	}
	attrs, err := listXattrs(from, base)
	if err != nil {
		return err
	}
	for key, value := range attrs {
		if err := setXattr(key, unix.Lsetxattr(procPath(parent, name), key, []byte(value), 0)); err != nil {
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
