package diff

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// CopyUnion copies the union of layer directories, topmost first, into the
// empty directory dst: what a mounted overlay of them would show. Blocks are
// shared where the file system can (reflink), and copied inside of the kernel
// elsewhere.
func CopyUnion(ctx context.Context, layers []string, dst string) error {
	l, err := openLower(layers)
	if err != nil {
		return fmt.Errorf("copy layers: %w", err)
	}
	defer l.close()
	return copyInto(ctx, l, dst)
}

// CopyTree copies what an open directory holds, and its own attributes, into the
// empty directory dst: as CopyUnion, but everything as it is, though it look like
// the whiteout of a layer. The tree may change meanwhile: what vanishes is left out.
func CopyTree(ctx context.Context, dir *os.File, dst string) error {
	fd, err := unix.Openat(int(dir.Fd()), ".", openDir, 0)
	if err != nil {
		return fmt.Errorf("copy %s: %w", dir.Name(), err)
	}
	l := &lowerDir{fds: []int{fd}, plain: true}
	defer l.close()
	return copyInto(ctx, l, dst)
}

func copyInto(ctx context.Context, l *lowerDir, dst string) error {
	root, err := unix.Open(dst, openDir, 0)
	if err != nil {
		return fmt.Errorf("copy layers: open %s: %w", dst, err)
	}
	defer unix.Close(root)
	c := &copier{ctx: ctx, root: root, links: make(map[inode]string)}
	if err := c.dir(l, root, "/"); err != nil {
		return fmt.Errorf("copy layers: %w", err)
	}
	if len(l.fds) == 0 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(l.fds[0], &st); err != nil {
		return fmt.Errorf("copy layers: %w", err)
	}
	return copyAttributes(root, ".", l.fds[0], ".", &st)
}

type copier struct {
	ctx   context.Context
	root  int
	links map[inode]string // first names of files that have several
}

// dir copies what is in a directory of the union.
func (c *copier) dir(l *lowerDir, dst int, path string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	seen, err := l.names()
	if err != nil {
		return err
	}
	for name := range seen {
		path := join(path, name)
		err := checkDepth(path, 0)
		if err == nil {
			err = c.entry(l, dst, name, path)
		}
		if l.plain && errors.Is(err, unix.ENOENT) && isGone(l, name) {
			continue
		}
		if err != nil {
			return inTree(path, err)
		}
	}
	return nil
}

// isGone tells that somebody has removed a name meanwhile.
func isGone(l *lowerDir, name string) bool {
	from, _, err := l.stat(name)
	return err == nil && from < 0
}

func (c *copier) entry(l *lowerDir, dst int, name, path string) error {
	from, st, err := l.stat(name)
	if err != nil || from < 0 {
		return err
	}
	if isDir(&st) {
		return c.subdir(l, from, dst, name, path, &st)
	}
	if st.Nlink > 1 {
		id := inode{st.Dev, st.Ino}
		if first, ok := c.links[id]; ok {
			return unix.Linkat(c.root, at(first), dst, name, 0)
		}
		c.links[id] = path
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		err = copyFile(from, dst, name, &st)
	case unix.S_IFLNK:
		var target string
		if target, err = readlink(from, name); err == nil {
			err = unix.Symlinkat(target, dst, name)
		}
		if err == nil {
			err = unix.Fchownat(dst, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
		}
		if err == nil {
			err = unix.UtimesNanoAt(dst, name, []unix.Timespec{st.Mtim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
		}
		return err
	default:
		err = unix.Mknodat(dst, name, st.Mode&unix.S_IFMT|0o600, int(st.Rdev))
	}
	if err != nil {
		return err
	}
	return copyAttributes(dst, name, from, name, &st)
}

func (c *copier) subdir(l *lowerDir, from, dst int, name, path string, st *unix.Stat_t) error {
	if err := unix.Mkdirat(dst, name, 0o700); err != nil {
		return err
	}
	fd, err := unix.Openat(dst, name, openDir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	sub, err := l.sub(name)
	if err != nil {
		return err
	}
	defer sub.close()
	if err := c.dir(sub, fd, path); err != nil {
		return err
	}
	return copyAttributes(dst, name, from, name, st)
}

// copyFile copies the content of a regular file into a new one.
func copyFile(from, dst int, name string, st *unix.Stat_t) (err error) {
	src, err := unix.Openat(from, name, openFile, 0)
	if err != nil {
		return err
	}
	defer unix.Close(src)
	out, err := unix.Openat(dst, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := unix.Close(out); err == nil {
			err = cerr
		}
	}()
	if st.Size == 0 || unix.IoctlFileClone(out, src) == nil {
		return nil
	}
	return copyData(src, out, st.Size)
}

// copyData copies what is between the holes of a file.
func copyData(src, out int, size int64) error {
	for offset := int64(0); offset < size; {
		start, err := unix.Seek(src, offset, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // a hole to the end
		}
		end := size
		if err != nil { // no holes on this file system
			start = offset
		} else if end, err = unix.Seek(src, start, unix.SEEK_HOLE); err != nil {
			return err
		}
		for start < end {
			to := start
			n, err := unix.CopyFileRange(src, &start, out, &to, int(min(end-start, 1<<30)), 0)
			if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
				n, err = copyBytes(src, out, start, end)
				start += int64(n)
			}
			if err != nil {
				return err
			}
			if n == 0 {
				return io.ErrUnexpectedEOF
			}
		}
		offset = end
	}
	return unix.Ftruncate(out, size)
}

// copyBytes copies some bytes at start through this process.
func copyBytes(src, out int, start, end int64) (int, error) {
	buf := copyBuffers.Get().(*[256 << 10]byte)
	defer copyBuffers.Put(buf)
	n, err := unix.Pread(src, buf[:min(end-start, int64(len(buf)))], start)
	if err != nil || n == 0 {
		return 0, err
	}
	for done := 0; done < n; {
		m, err := unix.Pwrite(out, buf[done:n], start+int64(done))
		if err != nil {
			return done, err
		}
		done += m
	}
	return n, nil
}

// sortedNames lists an open directory in byte order.
func sortedNames(fd int) ([]string, error) {
	names, err := readNames(fd)
	slices.Sort(names)
	return names, err
}
