package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// Root reads files of a container's root filesystem. Symbolic links, absolute
// ones too, are followed inside it and never lead out of it.
type Root interface {
	// ReadFile returns a regular file's content, at most maxFile of it.
	// The error is fs.ErrNotExist when there is none.
	ReadFile(name string) ([]byte, error)
}

const (
	maxFile  = 8 << 20 // bytes that a user database may have
	maxLinks = 40      // as the kernel (ELOOP)
)

// Mounted is a mounted root filesystem by a descriptor of its top directory.
type Mounted struct{ Dir *os.File }

// ReadFile implements Root.
func (m Mounted) ReadFile(name string) ([]byte, error) {
	// NONBLOCK and NOCTTY: the path may name a FIFO or a terminal that the container has put there.
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := unix.Openat2(int(m.Dir.Fd()), strings.TrimPrefix(name, "/"), &how)
	if err != nil {
		return nil, &fs.PathError{Op: "openat2", Path: name, Err: err}
	}
	return readRegular(os.NewFile(uintptr(fd), name))
}

// Layers is a root filesystem that is not mounted: the directories of an
// overlay, topmost first. It is for a container that does not run, so nobody
// changes them meanwhile.
type Layers []string

// ReadFile implements Root.
func (l Layers) ReadFile(name string) ([]byte, error) {
	rest := strings.Split(name, "/")
	var done []string // resolved components, none of them a link
	// Path resolution as the kernel does it (path_resolution(7)), with the container's root as
	// the top: ".." there stays there, and absolute links begin there.
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = done[:max(0, len(done)-1)]
			continue
		}
		file, info, err := l.lstat(append(done[:len(done):len(done)], part))
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = append(done, part)
			continue
		}
		if links++; links > maxLinks {
			return nil, &fs.PathError{Op: "open", Path: name, Err: unix.ELOOP}
		}
		target, err := os.Readlink(file)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(target, "/") {
			done = nil
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	file, _, err := l.lstat(done)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	return readRegular(f)
}

// lstat finds the topmost entry that overlayfs would show at the path.
// A layer counts as long as everything above the entry is a directory there.
func (l Layers) lstat(path []string) (string, fs.FileInfo, error) {
	// Component by component, keeping the layers in which the path so far is a directory.
	layers := l
	for i := 0; ; i++ {
		sub := filepath.Join(path[:i]...)
		var dirs Layers
		for _, layer := range layers {
			file := filepath.Join(layer, sub)
			info, err := os.Lstat(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return "", nil, err
			}
			if isWhiteout(info) {
				break // removed here: what is below does not count
			}
			if i == len(path) {
				return file, info, nil
			}
			if !info.IsDir() {
				break // a file hides the directories below
			}
			dirs = append(dirs, layer)
			if isOpaque(file) {
				break
			}
		}
		if len(dirs) == 0 {
			return "", nil, fs.ErrNotExist
		}
		layers = dirs
	}
}

// isWhiteout knows overlayfs' mark for "removed": a character device 0/0.
func isWhiteout(info fs.FileInfo) bool {
	if info.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Rdev == 0
}

// isOpaque knows its mark for "nothing below counts".
func isOpaque(dir string) bool {
	var value [1]byte
	for _, attr := range []string{"trusted.overlay.opaque", "user.overlay.opaque"} {
		if n, err := unix.Lgetxattr(dir, attr, value[:]); err == nil && n == 1 && value[0] == 'y' {
			return true
		}
	}
	return false
}

// readRegular reads f and closes it. Only regular files have an end for sure.
func readRegular(f *os.File) ([]byte, error) {
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: %w", f.Name(), errdefs.ErrInvalidArgument)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes: %w", f.Name(), maxFile, errdefs.ErrInvalidArgument)
	}
	return b, err
}
