package diff

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/store/remove"
)

// ExtractOptions tune Extract.
type ExtractOptions struct {
	// KeepKind refuses to put a directory in the place of something else, or the
	// other way round.
	KeepKind bool
	// Owner, if set, is the user and group that everything gets, instead of those
	// that the archive names.
	Owner *[2]int
	// Root gives the directory itself the owner, mode and attributes of the
	// archive's entry for it, which otherwise is only where things go. Such an
	// archive is all of a tree: what is above it is refused, even in "/", where
	// ../f otherwise means /f.
	Root bool
}

// Extract unpacks a tar stream, which may be compressed, into the directory dir
// of the tree below root, over what is there. Unlike Apply it writes to a tree
// that others may be changing: each entry goes through a descriptor of its
// directory that was looked up below root, so that no link, and no change of
// the tree meanwhile, leads out of it. What was extracted before an error stays.
//
// Errors are of kind InvalidArgument if the stream is at fault, NotFound if dir
// does not exist, and FailedPrecondition if it is no directory.
func Extract(ctx context.Context, root *os.File, dir string, r io.Reader, opts ExtractOptions) error {
	fd, err := openBelow(int(root.Fd()), dir)
	if err != nil {
		if errors.Is(err, unix.ENOTDIR) {
			err = fmt.Errorf("%w: %w", err, errdefs.ErrFailedPrecondition)
		} else {
			err = pathError(err)
		}
		return fmt.Errorf("extract into %s: %w", dir, err)
	}
	defer unix.Close(fd)
	stream, _, err := Decompress(r)
	if err != nil {
		return fmt.Errorf("extract into %s: %w", dir, err)
	}
	defer stream.Close()
	x := &extraction{root: int(root.Fd()), dir: dir, opts: opts}
	tr := tar.NewReader(stream)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		hdr, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("extract into %s: %w", dir, streamError(err))
		}
		if err := x.entry(hdr, contextReader{ctx, tr}); err != nil {
			return fmt.Errorf("extract %s into %s: %w", shorten(hdr.Name), dir, err)
		}
	}
	return x.times()
}

// extraction is one run of Extract.
type extraction struct {
	root  int
	dir   string
	opts  ExtractOptions
	holes int64
	dirs  []*tar.Header // whose times are set last, since what is put into them changes them
}

// openBelow opens a directory of the tree below root.
func openBelow(root int, dir string) (int, error) {
	return unix.Openat2(root, at(path.Clean("/"+dir)), &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// parent opens the directory that an entry goes into, making what is missing.
func (x *extraction) parent(dir string) (int, error) {
	full := path.Join("/", x.dir, dir)
	fd, err := openBelow(x.root, full)
	if !errors.Is(err, unix.ENOENT) || full == "/" {
		return fd, err
	}
	up, name := path.Split(full)
	above, err := openBelow(x.root, up)
	if errors.Is(err, unix.ENOENT) {
		above, err = x.parent(path.Dir(dir))
	}
	if err != nil {
		return -1, err
	}
	defer unix.Close(above)
	if err := unix.Mkdirat(above, name, 0o755); err != nil && err != unix.EEXIST {
		return -1, err
	}
	return openBelow(x.root, full)
}

// entry makes one entry.
func (x *extraction) entry(hdr *tar.Header, r io.Reader) error {
	if hdr.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := x.name(hdr.Name)
	if err != nil {
		return err
	}
	if err := checkOwner(hdr); err != nil {
		return err
	}
	if name == "." {
		return x.itself(hdr)
	}
	up, base := path.Split(name)
	parent, err := x.parent(up)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	if err := x.makeRoom(parent, base, hdr); err != nil {
		return err
	}
	switch hdr.Typeflag {
	case tar.TypeDir:
		x.dirs = append(x.dirs, hdr)
		if err := unix.Mkdirat(parent, base, 0o700); err != nil && err != unix.EEXIST {
			return err
		}
		return x.directory(parent, base, hdr)
	case tar.TypeReg:
		return x.file(parent, base, hdr, r)
	case tar.TypeSymlink:
		if err := unix.Symlinkat(hdr.Linkname, parent, base); err != nil {
			return err
		}
		return x.owner(parent, base, hdr)
	case tar.TypeLink:
		return x.link(parent, base, hdr)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return x.node(parent, base, hdr)
	}
	return refuse("entries of type %q cannot be extracted", hdr.Typeflag)
}

// itself takes the entry of the directory that is extracted into.
func (x *extraction) itself(hdr *tar.Header) error {
	if hdr.Typeflag != tar.TypeDir {
		return refuse("it would replace the directory")
	}
	x.dirs = append(x.dirs, hdr)
	if !x.opts.Root {
		return nil
	}
	at, err := openBelow(x.root, x.dir)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	return x.directory(at, ".", hdr)
}

// name is an entry's path relative to the directory that is extracted into.
func (x *extraction) name(name string) (string, error) {
	clean := path.Clean(name)
	if !x.opts.Root && path.Clean("/"+x.dir) == "/" {
		clean = path.Clean("/" + name) // there is nothing above the root
	}
	if strings.HasPrefix(clean, "../") || clean == ".." {
		return "", refuse("it is outside")
	}
	if len(clean) > maxPath || strings.ContainsRune(clean, 0) {
		return "", refuse("bad name")
	}
	return path.Clean(strings.TrimPrefix(clean, "/")), nil
}

// makeRoom removes what is in the place of an entry; a directory stays for a directory.
func (x *extraction) makeRoom(parent int, base string, hdr *tar.Header) error {
	var st unix.Stat_t
	err := unix.Fstatat(parent, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	is, wanted := isDir(&st), hdr.Typeflag == tar.TypeDir
	switch {
	case is && wanted:
		return nil
	case x.opts.KeepKind && is:
		return refuse("cannot overwrite directory %q with non-directory %q", path.Join(x.dir, hdr.Name), path.Join(x.dir, path.Dir(hdr.Name)))
	case x.opts.KeepKind && wanted:
		return refuse("cannot overwrite non-directory %q with directory %q", path.Join(x.dir, hdr.Name), path.Join(x.dir, path.Dir(hdr.Name)))
	}
	return remove.At(parent, base)
}

// node makes a device or a pipe.
func (x *extraction) node(parent int, base string, hdr *tar.Header) error {
	kind := map[byte]uint32{tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO}[hdr.Typeflag]
	if err := unix.Mknodat(parent, base, kind|0o600, int(unix.Mkdev(uint32(hdr.Devmajor), uint32(hdr.Devminor)))); err != nil {
		return err
	}
	if err := x.owner(parent, base, hdr); err != nil {
		return err
	}
	return chmodNode(parent, base, uint32(hdr.Mode)&0o7777)
}

// link makes a hard link to a file that is below the directory, too.
func (x *extraction) link(parent int, base string, hdr *tar.Header) error {
	target, err := x.name(hdr.Linkname)
	if err != nil {
		return fmt.Errorf("hard link to %s: %w", shorten(hdr.Linkname), err)
	}
	up, name := path.Split(target)
	from, err := openBelow(x.root, path.Join("/", x.dir, up))
	if err == nil {
		err = unix.Linkat(from, name, parent, base, 0)
		unix.Close(from)
	}
	if errors.Is(err, fs.ErrNotExist) { // a fault of the archive, not of where it is unpacked to
		return refuse("hard link to %s: there is no such file", shorten(hdr.Linkname))
	}
	if err != nil {
		return fmt.Errorf("hard link to %s: %w", shorten(hdr.Linkname), pathError(err))
	}
	return nil
}

// ids are the owner of an entry.
func (x *extraction) ids(hdr *tar.Header) (uid, gid int) {
	if x.opts.Owner != nil {
		return x.opts.Owner[0], x.opts.Owner[1]
	}
	return hdr.Uid, hdr.Gid
}

// owner sets the owner and times of what is neither file nor directory. No call
// here follows a link.
func (x *extraction) owner(parent int, base string, hdr *tar.Header) error {
	uid, gid := x.ids(hdr)
	if err := unix.Fchownat(parent, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set owner: %w", err)
	}
	ts := timespec(hdr.ModTime)
	return unix.UtimesNanoAt(parent, base, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

// chmodNode sets the mode of what must not be opened. A descriptor of the name
// alone is not followed either, even where the name is a link by now.
func chmodNode(parent int, base string, mode uint32) error {
	fd, err := unix.Openat(parent, base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode); err != nil {
		return fmt.Errorf("set mode: %w", err)
	}
	return nil
}

// file makes a regular file. It is nobody else's until it has its owner.
func (x *extraction) file(parent int, base string, hdr *tar.Header, r io.Reader) (err error) {
	if isSparse(hdr) {
		if x.holes += hdr.Size; hdr.Size > maxHoles || x.holes > maxHoles {
			return refuse("more than %d bytes in sparse files", int64(maxHoles))
		}
	}
	fd, err := createFile(parent, base, 0o600)
	if err != nil {
		return err
	}
	defer closeFile(fd, &err)
	if _, err := writeContent(fd, r); err != nil {
		return err
	}
	uid, gid := x.ids(hdr)
	return describe(fd, hdr, uid, gid)
}

// directory sets the attributes of one, by a descriptor: the tree's owner may have
// put a link in its place.
func (x *extraction) directory(parent int, base string, hdr *tar.Header) error {
	fd, err := unix.Openat(parent, base, openDir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	uid, gid := x.ids(hdr)
	return describe(fd, hdr, uid, gid)
}

// times sets those of the directories. One that is gone meanwhile is not missed.
func (x *extraction) times() error {
	for _, hdr := range x.dirs {
		name, err := x.name(hdr.Name)
		if err != nil {
			return err
		}
		fd, err := openBelow(x.root, path.Join("/", x.dir, name))
		if err != nil {
			continue
		}
		err = setTimes(fd, hdr)
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}
