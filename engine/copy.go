package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"berth/engine/spec"
	"berth/runtime/mount"
	"berth/store/diff"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	mounttypes "github.com/moby/moby/api/types/mount"
	"golang.org/x/sys/unix"
)

// place is a path of a container's file system: below root, which is the
// container's, or that of a volume which would be mounted at prefix.
type place struct {
	root   *os.File
	path   string // clean, absolute below root
	prefix string // where root is in the container, "" for its own
	file   string // what is at prefix if it is no directory but a file mounted by itself: its name in root
	done   func()
}

func (p place) close() {
	p.root.Close()
	if p.done != nil {
		p.done()
	}
}

// open opens the path; no link leads out of root.
func (p place) open(flags uint64) (int, error) {
	return unix.Openat2(int(p.root.Fd()), "."+p.path, &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
}

// openAt opens the file system that a path is in: as a running container sees it,
// else the layers, or the volume that would be mounted there. Until the place is
// closed a container that does not run cannot be started.
func (cs *Containers) openAt(ctx context.Context, ref, name string, write bool) (place, error) {
	c, err := cs.get(ref)
	if err != nil {
		return place{}, err
	}
	p := place{path: path.Clean("/" + name)}
	if r, _, err := c.running(); err == nil {
		p.root, err = r.RootFD()
		return p, err
	}
	c.op.Lock()
	if r, _, err := c.running(); err == nil { // started meanwhile
		c.op.Unlock()
		p.root, err = r.RootFD()
		return p, err
	}
	if err := cs.openStopped(ctx, c.snapshot(), &p, write); err != nil {
		c.op.Unlock()
		return p, err
	}
	p.path = path.Join("/", p.file, strings.TrimPrefix(p.path, p.prefix))
	p.done = c.op.Unlock
	return p, nil
}

// openStopped opens what the path p of a container that does not run is in. The caller
// holds its op: the layers must not be mounted twice for writing.
func (cs *Containers) openStopped(ctx context.Context, rec record, p *place, write bool) (err error) {
	var in container.MountPoint
	var at int
	for i, m := range rec.Mounts {
		// What a tmpfs holds is gone, and what is below it in the image shows.
		if m.Type != mounttypes.TypeTmpfs && diff.Within(p.path, m.Destination) && len(m.Destination) > len(in.Destination) {
			in, at = m, i
		}
	}
	switch {
	case in.Destination != "" && write && !in.RW:
		return kind(errdefs.ErrPermissionDenied, "mounted volume is marked read-only")
	case in.Destination != "":
		p.prefix = in.Destination
		p.root, p.file, err = cs.openStoppedMount(ctx, &rec, at)
		return err
	case !write:
		p.root, err = cs.viewLayers(ctx, snapshotKey(rec.ID))
		return err
	case rec.HostConfig.ReadonlyRootfs:
		return kind(errdefs.ErrPermissionDenied, "container rootfs is marked read-only")
	}
	p.root, err = cs.mountLayers(ctx, rec.ID)
	return err
}

// mountLayers mounts the file system of a container that does not run for writing, in nobody's mount table. It must
// not be started until the file is closed.
func (cs *Containers) mountLayers(ctx context.Context, id string) (*os.File, error) {
	ms, err := cs.e.snapshots.Mounts(ctx, snapshotKey(id))
	if err == nil && len(ms) != 1 {
		err = fmt.Errorf("%d mounts: %w", len(ms), errdefs.ErrNotImplemented)
	}
	if err != nil {
		return nil, fmt.Errorf("find the layers of container %s: %w", id, err)
	}
	root, err := mount.Mount{Type: ms[0].Type, Source: ms[0].Source, Options: ms[0].Options}.Tree()
	if err != nil {
		return nil, fmt.Errorf("mount the layers of container %s: %w", id, err)
	}
	return root, nil
}

// openSource opens what is mounted from the host: a directory, or that of a file,
// which cannot be a root, and the file's name in it.
func openSource(source string) (root *os.File, file string, err error) {
	source, err = filepath.EvalSymlinks(source)
	if err != nil {
		return nil, "", fmt.Errorf("look for what is mounted: %w", err)
	}
	if st, err := os.Stat(source); err == nil && !st.IsDir() {
		source, file = filepath.Split(source)
	}
	root, err = mount.OpenTree(source)
	return root, file, err
}

// CopyOut writes a file or directory of a container as a tar stream, volumes
// included. describe is told what it is and gives the writer. The entries are
// called as the last part of the path; of "dir/." as what is in dir.
func (cs *Containers) CopyOut(ctx context.Context, ref, name string, describe func(container.PathStat) (io.Writer, error)) error {
	in, err := cs.openAt(ctx, ref, name, false)
	if err != nil {
		return err
	}
	defer in.close()
	stat, err := statPath(in, ref, name)
	if err != nil {
		return err
	}
	w, err := describe(stat)
	if err != nil {
		return err
	}
	if err := copyOut(ctx, w, in, name); err != nil {
		return fmt.Errorf("copy %s out of container %s: %w", name, ref, err)
	}
	cs.tell(ref, events.ActionArchivePath)
	return nil
}

func copyOut(ctx context.Context, w io.Writer, in place, name string) error {
	opts := diff.TarOptions{Mounted: true}
	if !follows(name) && in.path != "/" {
		if in.file != "" {
			opts.Name = path.Base(in.prefix)
		}
		return diff.WriteTarPath(ctx, w, in.root, in.path, opts)
	}
	fd, err := in.open(unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC)
	if err != nil {
		return err
	}
	dir := os.NewFile(uintptr(fd), in.path)
	defer dir.Close()
	opts.Root = true
	opts.Prefix = "./"
	if base := path.Base(path.Clean("/" + name)); !contents(name) {
		opts.Prefix = strings.TrimSuffix(base, "/") + "/" // what a link leads to, by the link's name
	}
	return diff.WriteTarFrom(ctx, w, dir, opts)
}

// CopyInOptions tune CopyIn.
type CopyInOptions struct {
	KeepKind bool // no directory takes the place of something else, or the other way round
	ToUser   bool // everything gets the container's user as its owner
}

// CopyIn unpacks a tar stream into a directory of a container. The error is of kind
// NotFound if there is none, InvalidArgument if the stream is at fault or dir is
// no directory, PermissionDenied where the file system is read-only.
func (cs *Containers) CopyIn(ctx context.Context, ref, dir string, r io.Reader, opts CopyInOptions) error {
	in, err := cs.openAt(ctx, ref, dir, true)
	if err != nil {
		return err
	}
	defer in.close()
	x := diff.ExtractOptions{KeepKind: opts.KeepKind}
	if opts.ToUser {
		if x.Owner, err = cs.owner(ctx, ref); err != nil {
			return err
		}
	}
	err = diff.Extract(ctx, in.root, in.path, r, x)
	switch {
	case errdefs.IsFailedPrecondition(err):
		return kind(errdefs.ErrInvalidArgument, "extraction point is not a directory")
	case errdefs.IsNotFound(err):
		return kind(errdefs.ErrNotFound, "Could not find the file %s in container %s", dir, ref)
	case errors.Is(err, unix.EROFS):
		return kind(errdefs.ErrPermissionDenied, "container rootfs is marked read-only")
	case err != nil:
		return fmt.Errorf("copy into container %s: %w", ref, err)
	}
	cs.tell(ref, events.ActionExtractToDir)
	return nil
}

// owner is the user and group that a container runs as.
func (cs *Containers) owner(ctx context.Context, ref string) (*[2]int, error) {
	c, err := cs.get(ref)
	if err != nil {
		return nil, err
	}
	rec := c.snapshot()
	dirs, err := cs.e.snapshots.Dirs(ctx, snapshotKey(rec.ID))
	if err != nil {
		return nil, fmt.Errorf("find the layers of container %s: %w", rec.ID, err)
	}
	user, _, err := spec.LookupUser(append(spec.Layers{dirs.Upper}, dirs.Lower...), rec.Config.User, nil)
	if err != nil {
		return nil, err
	}
	return &[2]int{int(user.UID), int(user.GID)}, nil
}
