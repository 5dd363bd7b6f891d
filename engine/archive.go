package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// StatPath describes a path of a container's file system. Links on the way are
// followed inside the container, one at the end only if the path ends with a slash
// or is a directory's contents; LinkTarget says where it leads. The error is of kind NotFound if there
// is nothing.
func (cs *Containers) StatPath(ctx context.Context, ref, name string) (container.PathStat, error) {
	at, err := cs.openAt(ctx, ref, name, false)
	if err != nil {
		return container.PathStat{}, err
	}
	defer at.close()
	return statPath(at, ref, name)
}

func statPath(in place, ref, name string) (container.PathStat, error) {
	flags := uint64(unix.O_PATH | unix.O_CLOEXEC)
	if !follows(name) {
		flags |= unix.O_NOFOLLOW
	} else {
		flags |= unix.O_DIRECTORY
	}
	fd, err := in.open(flags)
	if err != nil {
		return container.PathStat{}, missingPath(ref, name, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return container.PathStat{}, fmt.Errorf("look at %s of container %s: %w", name, ref, err)
	}
	base := path.Base(path.Clean("/" + name))
	if contents(name) {
		base = "."
	}
	out := container.PathStat{Name: base, Size: st.Size, Mode: fileMode(st.Mode), Mtime: time.Unix(st.Mtim.Sec, st.Mtim.Nsec)}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		out.LinkTarget = linkTarget(in)
	}
	return out, nil
}

// follows tells whether a path names what a link at its end leads to.
func follows(name string) bool {
	return strings.HasSuffix(name, "/") || contents(name)
}

// contents tells whether a path names what is in a directory: "dir/.", and for docker "." and "dir/./" as well.
func contents(name string) bool { return path.Base(name) == "." }

// missingPath is docker's error for a path that is not there.
func missingPath(ref, name string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return kind(errdefs.ErrNotFound, "Could not find the file %s in container %s", name, ref)
	case errors.Is(err, unix.ELOOP):
		return kind(errdefs.ErrInvalidArgument, "too many links in the path %s of container %s", name, ref)
	}
	return fmt.Errorf("look at %s of container %s: %w", name, ref, err)
}

// linkTarget is where a link leads inside the container; one that leads nowhere
// is shown as it is written.
func linkTarget(in place) string {
	proc := func(fd int) (string, error) { return os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)) }
	if fd, err := in.open(unix.O_PATH | unix.O_CLOEXEC); err == nil {
		defer unix.Close(fd)
		base, berr := proc(int(in.root.Fd()))
		full, ferr := proc(fd)
		if rest, ok := strings.CutPrefix(full, strings.TrimSuffix(base, "/")); ok && berr == nil && ferr == nil {
			return path.Join(in.prefix, "/", rest)
		}
	}
	up := in
	up.path = path.Dir(in.path)
	dir, err := up.open(unix.O_PATH | unix.O_CLOEXEC)
	if err != nil {
		return ""
	}
	defer unix.Close(dir)
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, path.Base(in.path), buf)
	if err != nil {
		return ""
	}
	if target := string(buf[:n]); path.IsAbs(target) {
		return path.Clean(target)
	}
	return path.Join(in.prefix, path.Dir(in.path), string(buf[:n]))
}

// fileMode is a mode of stat(2) in Go's terms, which the Engine API uses.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		m |= fs.ModeDir
	case unix.S_IFLNK:
		m |= fs.ModeSymlink
	case unix.S_IFBLK:
		m |= fs.ModeDevice
	case unix.S_IFCHR:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFIFO:
		m |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		m |= fs.ModeSocket
	}
	for bit, set := range map[uint32]fs.FileMode{unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky} {
		if mode&bit != 0 {
			m |= set
		}
	}
	return m
}
