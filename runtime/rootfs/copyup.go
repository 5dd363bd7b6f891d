package rootfs

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// copyUp fills a new file system with what the directory that it will cover
// holds (mount option tmpcopyup).
func copyUp(from, to *os.File) error {
	src, err := reopen(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := reopen(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	if err := copyDir(src, dst); err != nil {
		return fmt.Errorf("copy up %s: %w", from.Name(), err)
	}
	return nil
}

// reopen turns an O_PATH descriptor of a directory into one that can be listed.
func reopen(f *os.File) (*os.File, error) {
	fd, err := unix.Openat(int(f.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func copyDir(src, dst *os.File) error {
	names, err := src.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := copyEntry(src, dst, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return copyAttributes(src, dst, ".")
}

func copyEntry(src, dst *os.File, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(src.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	to := int(dst.Fd())
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if err := unix.Mkdirat(to, name, 0o700); err != nil {
			return err
		}
		return openBoth(src, dst, name, unix.O_RDONLY|unix.O_DIRECTORY, unix.O_RDONLY|unix.O_DIRECTORY, copyDir)
	case unix.S_IFREG:
		// Not waiting for a fifo that has been put there meanwhile.
		err := openBoth(src, dst, name, unix.O_RDONLY|unix.O_NONBLOCK, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, func(a, b *os.File) error {
			if file, err := isType(a, unix.S_IFREG); err != nil || !file {
				return errors.Join(err, unix.ESTALE)
			}
			_, err := io.Copy(b, a)
			return err
		})
		if err != nil {
			return err
		}
	case unix.S_IFLNK:
		target, err := readlink(src, name)
		if err != nil {
			return err
		}
		if err := unix.Symlinkat(target, to, name); err != nil {
			return err
		}
		return unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
	default:
		if err := unix.Mknodat(to, name, st.Mode, int(st.Rdev)); err != nil {
			return err
		}
	}
	if err := unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	return unix.Fchmodat(to, name, st.Mode&0o7777, 0)
}

func openBoth(src, dst *os.File, name string, srcFlags, dstFlags int, f func(a, b *os.File) error) error {
	a, err := unix.Openat(int(src.Fd()), name, srcFlags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	af := os.NewFile(uintptr(a), name)
	defer af.Close()
	b, err := unix.Openat(int(dst.Fd()), name, dstFlags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	bf := os.NewFile(uintptr(b), name)
	if err := f(af, bf); err != nil {
		bf.Close()
		return err
	}
	return bf.Close()
}

func copyAttributes(src, dst *os.File, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(src.Fd()), name, &st, 0); err != nil {
		return err
	}
	if err := unix.Fchownat(int(dst.Fd()), name, int(st.Uid), int(st.Gid), 0); err != nil {
		return err
	}
	return unix.Fchmodat(int(dst.Fd()), name, st.Mode&0o7777, 0)
}
