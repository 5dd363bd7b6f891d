package diff

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead through, as in
// path_resolution(7).
const maxLinks = 40

// tree is a layer directory being filled. Only this process writes to it, so
// what was found to be a directory stays one until the applier replaces it.
type tree struct {
	top  *folder
	root int // descriptor of top

	// The directory used last, if any: entries come grouped by directory.
	path   string
	folder *folder
}

func openTree(dir string) (*tree, error) {
	fd, err := unix.Open(dir, openDir, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return &tree{top: newFolder(fd), root: fd}, nil
}

func (t *tree) close() {
	t.forget()
	t.top.release()
}

// forget drops the remembered directory, after something was removed.
func (t *tree) forget() {
	if t.folder != nil {
		t.folder.release()
	}
	t.path, t.folder = "", nil
}

// at is how the path of a directory is called from the root descriptor.
func at(path string) string {
	if path == "/" {
		return "."
	}
	return path[1:]
}

// open returns the descriptor of a directory whose path has no links; it is
// valid until the next call.
func (t *tree) open(path string) (int, error) {
	if path == "/" {
		return t.root, nil
	}
	if path == t.path {
		return t.folder.fd, nil
	}
	from, rest := t.root, at(path)
	if t.folder != nil && Within(path, t.path) { // of a long path only what is new
		from, rest = t.folder.fd, path[len(t.path)+1:]
	}
	fd, err := unix.Openat2(from, rest, &unix.OpenHow{
		Flags:   openDir,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		// Linux before 5.6, or a seccomp filter that is as old.
		fd, err = t.descend(path)
	}
	if err != nil {
		return -1, err
	}
	t.forget()
	t.path, t.folder = path, newFolder(fd)
	return fd, nil
}

// of returns the directory that has a descriptor from open.
func (t *tree) of(fd int) *folder {
	if fd == t.root {
		return t.top
	}
	return t.folder
}

// descend is openat2 without openat2: it opens one directory after the other.
func (t *tree) descend(path string) (int, error) {
	fd := t.root
	for name := range strings.SplitSeq(at(path), "/") {
		next, err := unix.Openat(fd, name, openDir, 0)
		if fd != t.root {
			unix.Close(fd)
		}
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}

// parent returns the directory that an entry goes into, and its path once
// symbolic links are resolved within the layer. Directories that are missing
// are made.
func (a *applier) parent(dir string) (fd int, path string, err error) {
	fd, err = a.tree.open(dir)
	if err == nil {
		return fd, dir, nil
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.ENOTDIR) {
		return -1, "", err
	}
	if path, err = a.resolve(dir); err != nil {
		return -1, "", err
	}
	fd, err = a.tree.open(path)
	return fd, path, err
}

// resolve walks a directory's path by what is recorded of this layer and,
// where that has nothing, by the layers below. A link that leads above the
// root, or to nothing, is refused: only a tar made to escape has it.
func (a *applier) resolve(dir string) (string, error) {
	rest := strings.Split(strings.Trim(dir, "/"), "/")
	fromLink := 0 // how many of rest are a link's
	links := 0
	path := "/"
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		ofLink := fromLink > 0
		if ofLink {
			fromLink--
		}
		switch name {
		case "", ".":
			continue
		case "..":
			if path == "/" {
				return "", refuse("a symbolic link leads out of the layer")
			}
			path, _ = split(path)
			continue
		}
		next := join(path, name)
		target, err := a.step(next, name, ofLink)
		if err != nil {
			return "", err
		}
		if target == "" {
			path = next
			continue
		}
		if links++; links > maxLinks {
			return "", refuse("too many symbolic links")
		}
		// The target's components are walked like the others, so links in
		// them are resolved by the same rules.
		names := strings.Split(target, "/")
		if strings.HasPrefix(target, "/") {
			path = "/"
		}
		rest = append(names, rest...)
		fromLink += len(names)
	}
	return path, nil
}

// step makes sure that path is a directory of this layer. If it is a symbolic
// link its target is returned.
func (a *applier) step(path, name string, ofLink bool) (target string, err error) {
	e := a.get(path)
	// What this layer has decides; only where it has nothing, the layers below.
	switch {
	case e == nil:
	case e.Type == TypeDir:
		return "", nil
	case e.Type == TypeSymlink:
		return e.Link, nil
	case e.Type == TypeWhiteout:
	default:
		return "", refuse("%s is not a directory", path)
	}
	if e == nil {
		target, done, err := a.stepLower(path)
		if done || err != nil {
			return target, err
		}
	}
	if ofLink {
		return "", refuse("a symbolic link leads to nothing (%s)", path)
	}
	dir, _ := split(path)
	fd, err := a.tree.open(dir)
	if err != nil {
		return "", err
	}
	// Over a whiteout of this layer the new directory must not show what was
	// deleted.
	made := Entry{Path: path, Type: TypeDir, Mode: 0o755, Opaque: e != nil}
	if err := a.clear(fd, path, name); err != nil {
		return "", err
	}
	if err := unix.Mkdirat(fd, name, 0o755); err != nil {
		return "", err
	}
	if err := unix.Fchmodat(fd, name, 0o755, 0); err != nil {
		return "", err
	}
	if made.Opaque {
		if err := setOpaque(fd, name); err != nil {
			return "", err
		}
	}
	a.set(made)
	return "", nil
}

// stepLower takes a step of a path that this layer says nothing of by the
// layers below: a directory there is copied up without its content, a link is
// followed. It reports whether the layers below decided.
func (a *applier) stepLower(path string) (target string, done bool, err error) {
	l, err := a.below()
	if err != nil {
		return "", false, err
	}
	from, base, st, err := a.lower.stat(l, path)
	if err != nil || from < 0 {
		return "", false, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		target, err = readlink(from, base)
		return target, true, err
	case unix.S_IFDIR:
		dir, name := split(path)
		fd, err := a.tree.open(dir)
		if err != nil {
			return "", false, err
		}
		if err := unix.Mkdirat(fd, name, 0o700); err != nil {
			return "", false, err
		}
		if err := copyAttributes(fd, name, from, base, &st); err != nil {
			return "", false, err
		}
		a.set(statEntry(path, TypeDir, &st))
		return "", true, nil
	}
	return "", false, nil // a file, which the directory hides
}

// copyUp copies a regular file from the layers below into this one, so that
// it can be linked to. It reports whether there is one.
func (a *applier) copyUp(path string) (bool, error) {
	l, err := a.below()
	if err != nil {
		return false, err
	}
	from, base, st, closeDir, err := l.walk(path)
	defer closeDir()
	if err != nil || from < 0 || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false, err
	}
	dir, name := split(path)
	parent, dir, err := a.parent(dir)
	if err != nil {
		return false, err
	}
	src, err := unix.Openat(from, base, openFile, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(src)
	e := statEntry(join(dir, name), TypeRegular, &st)
	if e.Digest, err = writeFile(parent, name, fdReader(src)); err != nil {
		return false, err
	}
	if err := copyAttributes(parent, name, from, base, &st); err != nil {
		return false, err
	}
	a.set(e)
	return true, nil
}

func readlink(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}
