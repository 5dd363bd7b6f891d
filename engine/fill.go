package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"berth/store/diff"
	"berth/store/durable"
	"berth/store/remove"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"
)

// fillVolumes copies what the image has at a volume's mount point into the
// volume while that is empty, as docker does unless it is told not to (nocopy).
// chain is the key of the image's layers, "" if it has none.
func (cs *Containers) fillVolumes(ctx context.Context, rec *record, chain string) (err error) {
	if chain == "" {
		return nil
	}
	var image *os.File // opened when the first volume needs it
	defer func() {
		if image != nil {
			err = errors.Join(err, image.Close())
		}
	}()
	for i := range rec.Mounts {
		m := rec.mount(i)
		if m.Type != mount.TypeVolume || m.NoCopy {
			continue
		}
		v, err := cs.e.Volumes.Inspect(ctx, m.Name)
		if err != nil {
			return err
		}
		err = cs.e.Volumes.fill(ctx, v, m.Subpath, func(into string) error {
			if image == nil {
				var err error
				if image, err = cs.viewLayers(ctx, chain); err != nil {
					return err
				}
			}
			return copyTree(ctx, image, m.Destination, into)
		})
		if err != nil {
			return fmt.Errorf("copy %s of image %s to volume %s: %w", m.Destination, rec.imageName(), m.Name, err)
		}
	}
	return nil
}

// The directories in which the content of a volume is put together. Half of it
// must never look like a volume somebody has filled, whenever the engine dies: what
// is in filling is dropped, and what is in filled, which is complete and on disk,
// still goes into the volume.
const (
	fillingPrefix = ".filling-"
	filledPrefix  = ".filled-"
)

// fill puts what copy makes into a volume that is empty, or into the directory part of
// it if that is; copy gets a directory. What is not empty stays as it is.
func (vs *Volumes) fill(ctx context.Context, v volume.Volume, part string, copy func(into string) error) error {
	// Two containers that are made at once must not both fill it.
	defer vs.lockMount(v.Name)()
	stage, name, target := filepath.Dir(vs.dir(v.Name)), v.Name, v.Mountpoint
	if hasDevice(v) || part != "" {
		tree, err := vs.openPart(ctx, v, part)
		if err != nil || tree == nil {
			return err
		}
		defer tree.Close()
		// Its own file system is the only one from which entries can be moved into it.
		target = "/proc/self/fd/" + strconv.Itoa(int(tree.Fd()))
		stage, name = target+"/.", "volume"
		if err := finishFill(stage, name, target); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(target + "/.")
	if err != nil || len(entries) > 0 {
		return err
	}
	filling := filepath.Join(stage, fillingPrefix+name)
	if err := os.Mkdir(filling, 0o700); err != nil {
		if errors.Is(err, unix.EROFS) {
			return nil // nothing can be put there
		}
		return err
	}
	// A container that has the volume mounted may put a link in its place from here on.
	into, err := openStage(filling)
	if err == nil {
		err = errors.Join(copy(stagePath(into)), into.Close())
	}
	if errors.Is(err, errNothing) {
		return remove.All(filling)
	}
	if err != nil {
		return errors.Join(err, remove.All(filling))
	}
	return sealFill(stage, name, target)
}

// openPart opens a volume, or a directory in it that no link leads out of; nil if there
// is none, of which the start of the container tells.
func (vs *Volumes) openPart(ctx context.Context, v volume.Volume, part string) (*os.File, error) {
	tree, err := vs.tree(ctx, v)
	if err != nil || part == "" {
		return tree, err
	}
	defer tree.Close()
	fd, err := unix.Openat2(int(tree.Fd()), part, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	})
	switch err {
	case nil:
		return os.NewFile(uintptr(fd), part), nil
	case unix.ENOENT, unix.ENOTDIR, unix.EXDEV, unix.ELOOP:
		return nil, nil
	}
	return nil, &os.PathError{Op: "open directory of volume " + v.Name, Path: part, Err: err}
}

// openStage opens a directory of which a container may change the name: a link is
// not followed.
func openStage(name string) (*os.File, error) {
	return os.OpenFile(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// stagePath leads to an open directory, whatever has its name by now. It is no link itself.
func stagePath(dir *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/." }

// sealFill makes durable what has been put together, and then the volume's content.
func sealFill(stage, name, target string) error {
	filling, filled := filepath.Join(stage, fillingPrefix+name), filepath.Join(stage, filledPrefix+name)
	if err := syncTree(filling); err != nil {
		return errors.Join(err, remove.All(filling))
	}
	if err := os.Rename(filling, filled); err != nil {
		return errors.Join(err, remove.All(filling))
	}
	return finishFill(stage, name, target)
}

// finishFill moves complete content into the volume, entry by entry, so that a
// container which has the volume mounted already sees it; and drops what is not complete.
// Begun again after a crash it goes on where it was.
func finishFill(stage, name, target string) error {
	if err := remove.All(filepath.Join(stage, fillingPrefix+name)); err != nil && !errors.Is(err, unix.EROFS) {
		return err
	}
	filled := filepath.Join(stage, filledPrefix+name)
	// In a volume with a file system of its own containers may have put something else
	// here: a link is not followed, and a FIFO not waited for.
	dir, err := openStage(filled)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	var st unix.Stat_t // before entries leave it, for its times
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return &os.PathError{Op: "stat", Path: filled, Err: err}
	}
	for _, e := range names {
		err := unix.Renameat2(int(dir.Fd()), e, unix.AT_FDCWD, target+"/"+e, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EEXIST) {
			continue // a container made one of that name meanwhile, and keeps it
		}
		if err != nil {
			return &os.LinkError{Op: "rename", Old: e, New: target, Err: err}
		}
	}
	if err := likeDir(dir, target+"/.", &st); err != nil {
		return err
	}
	if err := durable.SyncDir(target + "/."); err != nil {
		return err
	}
	return remove.All(filled)
}

// likeDir gives a directory the owner, the mode, the times and the extended attributes
// of another, of which st has told the most.
func likeDir(from *os.File, to string, st *unix.Stat_t) error {
	names := make([]byte, 64<<10)
	n, err := unix.Flistxattr(int(from.Fd()), names)
	if err != nil && !errors.Is(err, unix.ENOTSUP) {
		return &os.PathError{Op: "listxattr", Path: from.Name(), Err: err}
	}
	value := make([]byte, 64<<10)
	for _, name := range slices.DeleteFunc(strings.Split(string(names[:max(n, 0)]), "\x00"), func(s string) bool { return s == "" }) {
		n, err := unix.Fgetxattr(int(from.Fd()), name, value)
		if err == nil {
			err = unix.Setxattr(to, name, value[:n], 0)
		}
		if err != nil && !errors.Is(err, unix.ENOTSUP) {
			return &os.PathError{Op: "copy attribute " + name, Path: to, Err: err}
		}
	}
	if err := os.Chown(to, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if err := unix.Chmod(to, st.Mode&0o7777); err != nil {
		return &os.PathError{Op: "chmod", Path: to, Err: err}
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, to, times, 0); err != nil {
		return &os.PathError{Op: "utimensat", Path: to, Err: err}
	}
	return nil
}

// syncTree makes durable what is below dir: the whole file system, which is what
// syncing thousands of files one by one would come to.
func syncTree(dir string) error {
	f, err := openStage(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return &os.PathError{Op: "syncfs", Path: dir, Err: err}
	}
	return nil
}

// staged is how the names of what is beside the volumes begin.
var staged = []string{fillingPrefix, filledPrefix, importPrefix}

// finishFills completes at Open what a crash interrupted. One volume's trouble must
// not keep the engine from the others.
func (vs *Volumes) finishFills() error {
	stage := filepath.Join(vs.e.cfg.Root, "volumes")
	entries, err := os.ReadDir(stage)
	if err != nil {
		return err
	}
	for _, e := range entries {
		i := slices.IndexFunc(staged, func(prefix string) bool { return strings.HasPrefix(e.Name(), prefix) })
		if i < 0 {
			vs.dropEmpty(e.Name())
			continue
		}
		name := strings.TrimPrefix(e.Name(), staged[i])
		target := filepath.Join(vs.dir(name), "_data")
		v, err := vs.e.volumeRecords.Get(name)
		if err == nil {
			_, err = os.Stat(target)
		}
		if errdefs.IsNotFound(err) || errors.Is(err, os.ErrNotExist) {
			// It was not made yet, or was removed meanwhile.
			err = remove.All(filepath.Join(stage, e.Name()))
		} else if err == nil && staged[i] == importPrefix {
			err = finishImport(v, filepath.Join(stage, e.Name()), target)
		} else if err == nil {
			err = finishFill(stage, name, target)
		}
		if err != nil {
			vs.e.log.Error("completing the content of a volume", "volume", name, "err", err)
		}
	}
	return nil
}

// dropEmpty removes the directory of a volume whose record was not written any more.
// What holds something stays, whatever became of its record.
func (vs *Volumes) dropEmpty(name string) {
	if _, err := vs.e.volumeRecords.Get(name); errdefs.IsNotFound(err) {
		// Each fails when something is in it.
		os.Remove(filepath.Join(vs.dir(name), "_data"))
		os.Remove(vs.dir(name))
	}
}

// errNothing tells that there is nothing to fill a volume with.
var errNothing = errors.New("nothing to copy")

// copyTree copies a directory of an image, with its own owner and mode, to the
// directory dst. What is missing or no directory is errNothing.
func copyTree(ctx context.Context, root *os.File, name, dst string) (err error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := unix.Openat2(int(root.Fd()), strings.TrimPrefix(name, "/"), &how)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return errNothing
	}
	if err != nil {
		return &os.PathError{Op: "openat2", Path: name, Err: err}
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	return diff.CopyTree(ctx, dir, dst)
}
