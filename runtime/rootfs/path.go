package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks bounds the dangling symbolic links followed while making a path.
const maxLinks = 40

// open opens (O_PATH) name as the container will see it: absolute paths and
// symbolic links, wherever they lead, stay below root. openat2 does it in one
// step, so nobody can exchange a component in between (CVE-2021-30465); walk does
// where there is none, or a seccomp filter that does not know it.
func open(root *os.File, name string) (*os.File, error) {
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	for range 128 {
		fd, err := openat2(int(root.Fd()), name, &how)
		// EAGAIN: something was renamed meanwhile and the kernel cannot tell
		// whether the walk stayed inside.
		if err == unix.EAGAIN || err == unix.EINTR {
			continue
		}
		if err == unix.ENOSYS || err == unix.EPERM {
			fd, err = walk(root, name)
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
		return os.NewFile(uintptr(fd), name), nil
	}
	return nil, &os.PathError{Op: "open", Path: name, Err: unix.EAGAIN}
}

// OpenIn opens (O_PATH) a name below the directory root as open does.
func OpenIn(root, name string) (*os.File, error) {
	dir, err := os.OpenFile(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return open(dir, name)
}

// makeDir opens the directory name below root and makes what is missing of it.
func makeDir(root *os.File, name string, mode uint32) (*os.File, error) {
	return make_(root, name, maxLinks, func(parent *os.File, base string) error {
		return unix.Mkdirat(int(parent.Fd()), base, mode)
	}, mode)
}

// makeFile opens (O_PATH) the file name below root; if it is missing, an empty
// one is made, with its directories.
func makeFile(root *os.File, name string) (*os.File, error) {
	return make_(root, name, maxLinks, emptyFile, 0o755)
}

func emptyFile(dir *os.File, base string) error {
	fd, err := unix.Openat(int(dir.Fd()), base, unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func make_(root *os.File, name string, links int, create func(*os.File, string) error, mode uint32) (*os.File, error) {
	name = path.Clean("/" + name)
	f, err := open(root, name)
	if !errors.Is(err, unix.ENOENT) {
		return f, err
	}
	parent, err := make_(root, path.Dir(name), links, func(p *os.File, base string) error {
		return unix.Mkdirat(int(p.Fd()), base, mode)
	}, mode)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	base := path.Base(name)
	err = create(parent, base)
	if err == unix.EEXIST {
		// Either it came into being just now, or it is a link to nowhere, whose
		// target is then made.
		if links == 0 {
			return nil, &os.PathError{Op: "make", Path: name, Err: unix.ELOOP}
		}
		if target, lerr := readlink(parent, base); lerr == nil {
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(name), target)
			}
			return make_(root, target, links-1, create, mode)
		}
	} else if err != nil {
		return nil, &os.PathError{Op: "make", Path: name, Err: err}
	}
	return openHere(parent, name)
}

// openHere opens (O_PATH) the last part of name in dir, which must not be a link.
func openHere(dir *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), path.Base(name), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	link, err := isType(f, unix.S_IFLNK)
	if err == nil && link {
		err = &os.PathError{Op: "open", Path: name, Err: unix.ELOOP}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func readlink(dir *os.File, base string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), base, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// isType tells whether f is of a file type (unix.S_IFDIR and so on).
func isType(f *os.File, format uint32) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false, fmt.Errorf("stat %s: %w", f.Name(), err)
	}
	return st.Mode&unix.S_IFMT == format, nil
}

// onFS tells whether f lies on a file system with the magic number.
func onFS(f *os.File, magic int64) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return false, fmt.Errorf("stat the file system of %s: %w", f.Name(), err)
	}
	return int64(st.Type) == magic, nil
}

// below tells whether name is dir or below it; both are clean.
func below(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

// MakeDir makes a directory of the container, with those above it, unless it is
// there.
func (r *Rootfs) MakeDir(name string) error {
	f, err := makeDir(r.root, name, 0o755)
	if err != nil {
		return err
	}
	return f.Close()
}
