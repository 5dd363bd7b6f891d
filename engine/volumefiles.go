package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"berth/store/diff"
	"berth/store/remove"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"
)

// Looking into volumes, and making them from others and from archives. A volume may
// be in use meanwhile: every path is looked up below the volume's root, and no link
// leads out of it.

// hold finds a volume and keeps it from being removed until release is called.
func (vs *Volumes) hold(name string) (v volume.Volume, release func(), err error) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v, ok := vs.byID[name]
	if !ok {
		return v, nil, kind(errdefs.ErrNotFound, "get %s: no such volume", name)
	}
	h := &volumeHold{vs: vs, names: []string{name}}
	vs.held[name]++
	return v, h.release, nil
}

// openHeld opens the root directory of a volume, and keeps the volume.
func (vs *Volumes) openHeld(ctx context.Context, name string) (root *os.File, release func(), err error) {
	v, unhold, err := vs.hold(name)
	if err != nil {
		return nil, nil, err
	}
	tree, err := vs.open(ctx, v)
	if err == nil {
		defer tree.Close()
		root, err = openIn(tree, "/", unix.O_RDONLY|unix.O_DIRECTORY)
	}
	if err != nil {
		unhold()
		return nil, nil, fmt.Errorf("open volume %s: %w", name, err)
	}
	return root, func() { root.Close(); unhold() }, nil
}

// openIn opens a path below root; no link leads out of it.
func openIn(root *os.File, name string, flags uint64) (*os.File, error) {
	relative := strings.TrimPrefix(path.Clean("/"+name), "/")
	if relative == "" {
		relative = "."
	}
	fd, err := unix.Openat2(int(root.Fd()), relative, &unix.OpenHow{
		Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// File opens a regular file of a volume and returns its size in bytes.
func (vs *Volumes) File(ctx context.Context, name, file string) (io.ReadCloser, int64, error) {
	root, release, err := vs.openHeld(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	defer release() // an open file outlives its volume
	return openRegular(int(root.Fd()), file, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

// Entries yields what is directly in a directory of a volume, by name, or the file
// that the path names.
func (vs *Volumes) Entries(ctx context.Context, name, dir string) (iter.Seq2[diff.Entry, error], error) {
	root, release, err := vs.openHeld(ctx, name)
	if err != nil {
		return nil, err
	}
	defer release()
	dir = path.Clean("/" + dir)
	missing := func(err error) error {
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			return kind(errdefs.ErrNotFound, "no %s in volume %s", dir, name)
		}
		return fmt.Errorf("open %s of volume %s: %w", dir, name, err)
	}
	at, err := openIn(root, dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOTDIR) && dir != "/" {
		up, err := openIn(root, path.Dir(dir), unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return nil, missing(err)
		}
		return listDir(ctx, up, path.Dir(dir), []string{path.Base(dir)}), nil
	}
	if err != nil {
		return nil, missing(err)
	}
	names, err := at.Readdirnames(-1)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s of volume %s: %w", dir, name, err), at.Close())
	}
	slices.Sort(names)
	return listDir(ctx, at, dir, names), nil
}

// listDir describes names of an open directory, which it closes. What is gone by
// then is left out.
func listDir(ctx context.Context, dir *os.File, at string, names []string) iter.Seq2[diff.Entry, error] {
	return func(yield func(diff.Entry, error) bool) {
		defer dir.Close()
		for _, name := range names {
			var st unix.Stat_t
			err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
			if errors.Is(err, unix.ENOENT) {
				continue
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(diff.Entry{}, fmt.Errorf("look at %s: %w", path.Join(at, name), err))
				return
			}
			if !yield(entryAt(dir, at, name, &st), nil) {
				return
			}
		}
	}
}

// entryAt is a name of an open directory as an entry.
func entryAt(dir *os.File, at, name string, st *unix.Stat_t) diff.Entry {
	types := map[uint32]diff.Type{
		unix.S_IFREG: diff.TypeRegular, unix.S_IFDIR: diff.TypeDir, unix.S_IFLNK: diff.TypeSymlink,
		unix.S_IFCHR: diff.TypeChar, unix.S_IFBLK: diff.TypeBlock, unix.S_IFIFO: diff.TypeFifo, unix.S_IFSOCK: diff.TypeFifo,
	}
	e := diff.Entry{
		Path: path.Join(at, name), Type: types[st.Mode&unix.S_IFMT], Mode: st.Mode & 0o7777,
		UID: int(st.Uid), GID: int(st.Gid), ModTime: time.Unix(st.Mtim.Sec, st.Mtim.Nsec).UTC(),
	}
	switch e.Type {
	case diff.TypeRegular:
		e.Size = st.Size
	case diff.TypeSymlink:
		buf := make([]byte, unix.PathMax)
		if n, err := unix.Readlinkat(int(dir.Fd()), name, buf); err == nil {
			e.Link = string(buf[:n])
		}
	}
	return e
}

// Export writes what a volume holds as a tar stream, the root directory as "./".
func (vs *Volumes) Export(ctx context.Context, name string, begin func() io.Writer) error {
	root, release, err := vs.openHeld(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	if err := diff.WriteTarFrom(ctx, begin(), root, diff.TarOptions{Root: true, Mounted: true}); err != nil {
		return fmt.Errorf("export volume %s: %w", name, err)
	}
	return nil
}

// Clone makes a volume with what another holds now. It is an ordinary local volume,
// also if the other is a file system of its own.
func (vs *Volumes) Clone(ctx context.Context, from, to string) (volume.Volume, error) {
	root, release, err := vs.openHeld(ctx, from)
	if err != nil {
		return volume.Volume{}, err
	}
	defer release()
	of, _ := vs.get(from)
	labels := map[string]string{}
	for k, v := range of.Labels {
		if k != anonymousLabel { // it has a name now
			labels[k] = v
		}
	}
	return vs.createFrom(to, labels, func(into string) error { return diff.CopyTree(ctx, root, into) })
}

// Import unpacks a tar stream, which may be compressed, into a volume. One that is not
// there is made, and is whole or does not exist. Into one that holds something, or that
// a running container uses, only force unpacks, over what is there (see importOver).
func (vs *Volumes) Import(ctx context.Context, name string, r io.Reader, force bool) (volume.Volume, error) {
	v, release, err := vs.hold(name)
	if errdefs.IsNotFound(err) {
		return vs.createFrom(name, nil, func(into string) error { return extractInto(ctx, into, r) })
	}
	if err != nil {
		return v, err
	}
	defer release()
	if users := vs.runningUsers(name); len(users) > 0 && !force {
		return v, kind(errdefs.ErrConflict, "volume %s is in use by running containers - [%s]: stop them, or use --force to unpack all the same", name, strings.Join(users, ", "))
	}
	filled := false
	err = vs.fill(ctx, v, "", func(into string) error {
		filled = true
		return extractInto(ctx, into, r)
	})
	if err != nil || filled {
		return v, wrapImport(name, err)
	}
	if !force {
		return v, kind(errdefs.ErrConflict, "volume %s is not empty: use --force to unpack over what it holds", name)
	}
	return v, wrapImport(name, vs.importOver(ctx, v, r))
}

func wrapImport(name string, err error) error {
	if err != nil {
		return fmt.Errorf("import into volume %s: %w", name, err)
	}
	return nil
}

// extractInto unpacks a stream into an empty directory. The directory may be within
// reach of a container, which must not make it another one meanwhile.
func extractInto(ctx context.Context, dir string, r io.Reader) error {
	root, err := os.OpenFile(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Chmod(0o755); err != nil { // unless the archive says otherwise
		return err
	}
	return diff.Extract(ctx, root, "/", r, diff.ExtractOptions{Root: true})
}

// createFrom makes a volume with what copy puts into a directory. Whenever the engine
// dies the volume is there with all of it, or it is not there.
func (vs *Volumes) createFrom(name string, labels map[string]string, copy func(into string) error) (volume.Volume, error) {
	if err := (volumeRequest{}).check(name); err != nil {
		return volume.Volume{}, err
	}
	defer vs.lockMount(name)()
	taken := func() error { return kind(errdefs.ErrConflict, "a volume called %s exists already", name) }
	if _, ok := vs.get(name); ok {
		return volume.Volume{}, taken()
	}
	stage := filepath.Dir(vs.dir(name))
	filling, filled := filepath.Join(stage, fillingPrefix+name), filepath.Join(stage, filledPrefix+name)
	if err := os.Mkdir(filling, 0o700); err != nil {
		return volume.Volume{}, err
	}
	if err := copy(filling); err != nil {
		return volume.Volume{}, errors.Join(fmt.Errorf("fill volume %s: %w", name, err), remove.All(filling))
	}
	if err := errors.Join(syncTree(filling), os.Rename(filling, filled)); err != nil {
		return volume.Volume{}, errors.Join(err, remove.All(filling))
	}
	v, isNew, err := vs.createHeld(name, labels)
	if err == nil && !isNew { // by somebody who did not fill it
		err = taken()
	}
	if err != nil {
		return v, errors.Join(err, remove.All(filled))
	}
	defer (&volumeHold{vs: vs, names: []string{name}}).release()
	return v, finishFill(stage, name, v.Mountpoint)
}

// createHeld makes a volume and keeps it from being removed.
func (vs *Volumes) createHeld(name string, labels map[string]string) (v volume.Volume, isNew bool, err error) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v, isNew, err = vs.create(name, volumeRequest{labels: labels})
	if err == nil && isNew {
		vs.held[name]++
	}
	return v, isNew, err
}

// runningUsers are the running containers that use a volume.
func (vs *Volumes) runningUsers(name string) []string {
	var running []string
	for _, id := range vs.users()[name] {
		if c, err := vs.e.Containers.get(id); err == nil {
			if _, _, err := c.running(); err == nil {
				running = append(running, id)
			}
		}
	}
	return running
}
