package diff

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// Flags for opening parts of trees that others may change under our hands.
const (
	openDir  = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	openFile = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
)

// spareWhiteout is the device of a whiteout where overlay's own cannot be
// made: on an overlay. Its driver, major number 0, does not exist. Such a
// layer cannot be mounted as one, but neither can any other there.
const spareWhiteout = 0xbe

// isWhiteout tells whiteouts.
func isWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && (st.Rdev == 0 || st.Rdev == spareWhiteout)
}

// makeWhiteout makes a whiteout.
func makeWhiteout(dir int, name string) error {
	err := unix.Mknodat(dir, name, unix.S_IFCHR, 0)
	if errors.Is(err, unix.EPERM) {
		err = unix.Mknodat(dir, name, unix.S_IFCHR, spareWhiteout)
	}
	if err != nil {
		return fmt.Errorf("make whiteout: %w", err)
	}
	return nil
}

func isDir(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFDIR }

// isOpaque reports whether the open directory hides those below it.
func isOpaque(fd int) bool {
	var v [1]byte
	n, err := unix.Fgetxattr(fd, opaqueXattr, v[:])
	return err == nil && n == 1 && v[0] == 'y'
}

// lowerDir is one directory of the union of some layers: the open directories
// that overlay merges at one path, topmost first. The union of no layers, and
// of a path that is no directory there, has none.
type lowerDir struct {
	fds []int
	// plain is a tree that is no layer: a whiteout in it is a device like any other.
	plain bool
}

// openLower opens the root of the union of layer directories, topmost first.
// Overlay always merges all roots, opaque or not.
func openLower(dirs []string) (*lowerDir, error) {
	l := &lowerDir{}
	for _, dir := range dirs {
		fd, err := unix.Open(dir, openDir, 0)
		if err != nil {
			l.close()
			return nil, fmt.Errorf("open layer %s: %w", dir, err)
		}
		l.fds = append(l.fds, fd)
	}
	return l, nil
}

func (l *lowerDir) close() {
	for _, fd := range l.fds {
		unix.Close(fd)
	}
	l.fds = nil
}

// stat finds a name in the union. It returns the descriptor of the layer's
// directory that provides it, or -1 if the union has no such name.
func (l *lowerDir) stat(name string) (fd int, st unix.Stat_t, err error) {
	for _, fd := range l.fds {
		err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return -1, st, err
		case isWhiteout(&st) && !l.plain:
			return -1, st, nil
		}
		return fd, st, nil
	}
	return -1, st, nil
}

// sub opens the union of the directories called name. If the union has
// something else there, or nothing, the result is an empty union.
func (l *lowerDir) sub(name string) (*lowerDir, error) {
	out := &lowerDir{plain: l.plain}
	for _, dir := range l.fds {
		fd, err := unix.Openat(dir, name, openDir, 0)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
			return out, nil // a file, link or whiteout hides what is below
		case err != nil:
			out.close()
			return nil, err
		}
		out.fds = append(out.fds, fd)
		if !l.plain && isOpaque(fd) {
			break
		}
	}
	return out, nil
}

// walk finds a path of the union by its components, following no link.
func (l *lowerDir) walk(path string) (fd int, name string, st unix.Stat_t, done func(), err error) {
	names := strings.Split(strings.Trim(path, "/"), "/")
	for _, n := range names {
		if n == "" || n == "." || n == ".." {
			return -1, "", st, func() {}, refuse("%q is not the path of a file", path)
		}
	}
	at := l
	done = func() {}
	for _, n := range names[:len(names)-1] {
		next, err := at.sub(n)
		done()
		if err != nil {
			return -1, "", st, func() {}, err
		}
		at, done = next, next.close
	}
	name = names[len(names)-1]
	fd, st, err = at.stat(name)
	return fd, name, st, done, err
}

// lowerPlace is the directory of a union that was looked into last.
type lowerPlace struct {
	path string
	dir  *lowerDir // nil for none
}

func (p *lowerPlace) close() {
	if p.dir != nil {
		p.dir.close()
	}
	p.path, p.dir = "", nil
}

// stat is walk from the place, if path is below it: with that each step of a deep
// path costs the same. What it returns is valid until the next call. An empty union
// has nothing, and nothing below.
func (p *lowerPlace) stat(root *lowerDir, path string) (fd int, name string, st unix.Stat_t, err error) {
	dir, name := split(path)
	if p.dir != nil && !Within(dir, p.path) {
		p.close()
	}
	at, rest := root, dir
	if p.dir != nil {
		at, rest = p.dir, dir[len(p.path):]
	}
	for n := range strings.SplitSeq(rest, "/") {
		if n == "" {
			continue
		}
		if len(at.fds) == 0 {
			return -1, name, st, nil
		}
		next, err := at.sub(n)
		if err != nil {
			return -1, name, st, err
		}
		if at != root {
			at.close()
		}
		// Kept at once: it is what is open, also if the next step fails.
		p.path, p.dir = join(cmp.Or(p.path, "/"), n), next
		at = next
	}
	fd, st, err = at.stat(name)
	return fd, name, st, err
}

// OpenFile opens a regular file of the union of layer directories, topmost
// first, for reading. Links are not followed: the path of one, or of anything
// else that is no regular file, is an error of kind InvalidArgument.
func OpenFile(dirs []string, path string) (*os.File, error) {
	l, err := openLower(dirs)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer l.close()
	from, name, st, done, err := l.walk(path)
	defer done()
	switch {
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	case from < 0:
		return nil, fmt.Errorf("open %s: %w", path, errdefs.ErrNotFound)
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, fmt.Errorf("open %s: not a regular file: %w", path, errdefs.ErrInvalidArgument)
	}
	fd, err := unix.Openat(from, name, openFile, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// IsDir tells whether the union of layer directories, topmost first, has a
// directory of this path. No link is followed: a path that leads through one
// is not told to be a directory.
func IsDir(dirs []string, path string) (bool, error) {
	l, err := openLower(dirs)
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", path, err)
	}
	defer l.close()
	from, _, st, done, err := l.walk(path)
	defer done()
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", path, err)
	}
	return from >= 0 && isDir(&st), nil
}

// names lists the union.
func (l *lowerDir) names() (map[string]bool, error) {
	seen := make(map[string]bool) // false: whiteout
	for _, dir := range l.fds {
		list, err := readNames(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range list {
			if _, ok := seen[name]; ok {
				continue
			}
			if l.plain {
				seen[name] = true
				continue
			}
			var st unix.Stat_t
			if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				return nil, err
			}
			seen[name] = !isWhiteout(&st)
		}
	}
	for name, there := range seen {
		if !there {
			delete(seen, name)
		}
	}
	return seen, nil
}

// readNames lists an open directory.
func readNames(fd int) ([]string, error) {
	// A descriptor of its own, so that the position is not shared.
	dup, err := unix.Openat(fd, ".", openDir, 0)
	if err != nil {
		return nil, err
	}
	d := os.NewFile(uintptr(dup), ".")
	defer d.Close()
	return d.Readdirnames(-1)
}

// listXattrs returns the extended attributes of path/name that belong to the
// file rather than to overlay. It goes by the directory's descriptor; the
// name itself is not followed if it is a link.
func listXattrs(dir int, name string) (map[string]string, error) {
	path := procPath(dir, name)
	return layerXattrs(
		func(b []byte) (int, error) { return unix.Llistxattr(path, b) },
		func(key string, b []byte) (int, error) { return unix.Lgetxattr(path, key, b) })
}

// fileXattrs is listXattrs for an open file, at half the price.
func fileXattrs(fd int) (map[string]string, error) {
	return layerXattrs(
		func(b []byte) (int, error) { return unix.Flistxattr(fd, b) },
		func(key string, b []byte) (int, error) { return unix.Fgetxattr(fd, key, b) })
}

func layerXattrs(names func([]byte) (int, error), value func(string, []byte) (int, error)) (map[string]string, error) {
	list, err := sized(names)
	if len(list) == 0 || err != nil {
		return nil, ignoreUnsupported(err)
	}
	out := make(map[string]string)
	for key := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		if !layerXattr(key) {
			continue
		}
		v, err := sized(func(b []byte) (int, error) { return value(key, b) })
		if errors.Is(err, unix.ENODATA) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		out[key] = string(v)
	}
	return out, nil
}

// sized calls a system call that fills a buffer, with a small one and, if
// that does not do, with the largest that the kernel ever needs for extended
// attributes. Asking for the size first would race with changes.
func sized(call func([]byte) (int, error)) ([]byte, error) {
	b := make([]byte, 512)
	n, err := call(b)
	if errors.Is(err, unix.ERANGE) {
		b = make([]byte, 64<<10) // XATTR_LIST_MAX, XATTR_SIZE_MAX
		n, err = call(b)
	}
	return b[:max(n, 0)], err
}

// layerXattr tells which attributes are part of a layer: those of users and
// ACLs, and file capabilities. The others describe this machine: trusted.* is
// overlay's, and security.selinux and ima are its policy's.
func layerXattr(key string) bool {
	switch {
	case strings.HasPrefix(key, "user.overlay."):
		return false
	case strings.HasPrefix(key, "user."):
		return true
	}
	return key == "security.capability" || key == "system.posix_acl_access" || key == "system.posix_acl_default"
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// procPath names an entry of an open directory for system calls that take no
// descriptor.
func procPath(dir int, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir, name)
}
