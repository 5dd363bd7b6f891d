package rootfs

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// openat2 is a variable for the tests of what happens without it.
var openat2 = unix.Openat2

// walk is open for a kernel, or a seccomp filter around us, without openat2. It
// takes one component at a time, never lets the kernel follow a link, and goes up
// by returning to the descriptor that it came from, so that a directory moved
// meanwhile leads nowhere it has not been.
func walk(root *os.File, name string) (int, error) {
	w := walker{root: int(root.Fd())}
	defer func() { w.up(0) }()
	parts := strings.Split(name, "/")
	for links := 0; len(parts) > 0; {
		part := parts[0]
		parts = parts[1:]
		target, err := w.step(part)
		if err != nil {
			return -1, err
		}
		if target == "" {
			continue
		}
		if links++; links > maxLinks {
			return -1, unix.ELOOP
		}
		if target[0] == '/' {
			w.up(0)
		}
		parts = append(strings.Split(target, "/"), parts...)
	}
	return unix.FcntlInt(uintptr(w.at()), unix.F_DUPFD_CLOEXEC, 3)
}

// walker is where a walk is: below root through the files in path.
type walker struct {
	root int
	path []int
}

func (w *walker) at() int {
	if len(w.path) == 0 {
		return w.root
	}
	return w.path[len(w.path)-1]
}

// up goes back to where path had n files.
func (w *walker) up(n int) {
	for _, fd := range w.path[n:] {
		unix.Close(fd)
	}
	w.path = w.path[:n]
}

// step takes one component. It does not go into a symbolic link, but returns
// where that leads.
func (w *walker) step(part string) (target string, err error) {
	if part == ".." || part == "" || part == "." {
		var st unix.Stat_t
		if err := unix.Fstat(w.at(), &st); err != nil {
			return "", err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return "", unix.ENOTDIR
		}
		if part == ".." && len(w.path) > 0 {
			w.up(len(w.path) - 1)
		}
		return "", nil
	}
	fd, err := unix.Openat(w.at(), part, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		target, err = w.readLink(fd)
		unix.Close(fd)
		return target, err
	}
	if err != nil {
		unix.Close(fd)
		return "", err
	}
	w.path = append(w.path, fd)
	return "", nil
}

// readLink reads a link, unless it is a magic one: those of proc lead to files
// and not along the path that they show. Only the ones in its root (inode 1),
// such as self, are ordinary.
func (w *walker) readLink(fd int) (string, error) {
	var fs unix.Statfs_t
	var st unix.Stat_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return "", err
	}
	if err := unix.Fstat(w.at(), &st); err != nil {
		return "", err
	}
	if int64(fs.Type) == unix.PROC_SUPER_MAGIC && st.Ino != 1 {
		return "", unix.ELOOP
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	return string(buf[:max(n, 0)]), err
}
