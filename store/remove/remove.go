// Package remove removes trees that others made: os.RemoveAll holds a descriptor
// for each level, so that a container which makes directories in each other takes
// all there are, from the whole process, and cannot be removed itself.
package remove

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	openDir = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

	// maxDepth is how many levels are open at once. What is deeper is moved up.
	maxDepth = 128
)

// All removes what is at path, and all below it if that is a directory; nothing
// there is no error. Links are not followed. What cannot be removed stays, with
// the directories above it, and is told of; the rest goes.
func All(path string) error {
	path = filepath.Clean(path)
	parent, err := unix.Open(filepath.Dir(path), openDir&^unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err == nil {
		defer unix.Close(parent)
		err = At(parent, filepath.Base(path))
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// At is All for a name in an open directory.
func At(parent int, name string) error {
	r := remover{top: -1, buf: make([]byte, 32<<10)}
	r.name(parent, name, 0)
	return r.err
}

// remover removes one tree.
type remover struct {
	top  int // the directory that all is in
	next int // for the name of what is moved there
	done int // removed or moved
	err  error
	buf  []byte
}

// name removes a name, the depth of which is how many directories of the tree are
// above it.
func (r *remover) name(parent int, name string, depth int) {
	// Most names are files. For a directory Linux says EISDIR, POSIX EPERM.
	err := unix.Unlinkat(parent, name, 0)
	if err == unix.EISDIR || err == unix.EPERM {
		if depth == maxDepth {
			r.count(name, r.moveUp(parent, name))
			return
		}
		err = r.dir(parent, name, depth, err)
	}
	r.count(name, err)
}

// count counts what was done. Of what went wrong the first is told: what is above it
// cannot be removed for that.
func (r *remover) count(name string, err error) {
	switch {
	case err == nil:
		r.done++
	case err != unix.ENOENT && r.err == nil:
		r.err = fmt.Errorf("%q: %w", name, err)
	}
}

// dir removes a directory, or tells why that is not the file that it was taken for.
func (r *remover) dir(parent int, name string, depth int, notFile error) error {
	fd, err := unix.Openat(parent, name, openDir, 0)
	if err == unix.ENOTDIR || err == unix.ELOOP {
		return notFile
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if depth == 0 {
		r.top = fd
	}
	for {
		before := r.done
		if err := r.inside(fd, depth+1); err != nil {
			return err
		}
		err := unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
		// More has come here from below, or the kernel had skipped some.
		if err != unix.ENOTEMPTY && err != unix.EEXIST || r.done == before {
			return err
		}
		if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
			return err
		}
	}
}

// inside removes what is in a directory, as far as one reading of it tells.
func (r *remover) inside(fd, depth int) error {
	var names []string
	for {
		n, err := unix.ReadDirent(fd, r.buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return err
		}
		_, _, names = unix.ParseDirent(r.buf[:n], -1, names[:0])
		for _, name := range names {
			r.name(fd, name, depth)
		}
	}
}

// moveUp moves a directory to the top, under a name that is free there or that of
// an empty directory.
func (r *remover) moveUp(parent int, name string) error {
	for {
		r.next++
		err := unix.Renameat(parent, name, r.top, strconv.Itoa(r.next))
		if err != unix.ENOTEMPTY && err != unix.EEXIST && err != unix.ENOTDIR {
			return err
		}
		if err == unix.ENOTDIR {
			// Which of the two is no directory?
			var st unix.Stat_t
			if err := unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				return err
			}
			if st.Mode&unix.S_IFMT != unix.S_IFDIR {
				return unix.EPERM // a file that may not be removed
			}
		}
	}
}
