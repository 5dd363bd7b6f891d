package diff

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// TarOptions tune WriteTar.
type TarOptions struct {
	// Layer writes overlay's whiteouts and opaque directories in the form of
	// image layers; for the upper directory of a container. Without it the
	// tree is taken as it is; for a mounted root.
	Layer bool
	// Root also writes the root itself, as "./".
	Root bool
	// Prefix stands before every name that WriteTarFrom writes, and ends with a
	// slash; the root is called so instead of "./".
	Prefix string
	// Name is what WriteTarPath calls a file instead of its own name.
	Name string
	// Mounted also writes what is in mount points inside the tree.
	Mounted bool
	// Omit, if set, tells which paths ("/dev/console") are left out, with all
	// that is below them.
	Omit func(path string) bool
	// Totals, if set, become what Apply would find in the archive of a layer.
	Totals *Totals
}

// Totals tell how much a layer holds.
type Totals struct {
	Size    int64 // bytes of regular files
	Entries int   // with the root
}

// WriteTar writes the directory dir as a tar stream. The same tree always
// gives the same bytes: entries are sorted, times are whole seconds, names of
// owners are left out. Sockets are left out as well, and mount points inside
// the tree are written empty unless Mounted is set.
//
// The tree may change meanwhile: what vanishes is left out, a file that
// shrinks is padded with zeros. No link in it is followed.
func WriteTar(ctx context.Context, w io.Writer, dir string, opts TarOptions) error {
	fd, err := unix.Open(dir, openDir, 0)
	if err != nil {
		return fmt.Errorf("archive %s: %w", dir, err)
	}
	f := os.NewFile(uintptr(fd), dir)
	defer f.Close()
	return WriteTarFrom(ctx, w, f, opts)
}

// WriteTarFrom is WriteTar for an open directory, such as the root descriptor
// of a running container.
func WriteTarFrom(ctx context.Context, w io.Writer, dir *os.File, opts TarOptions) error {
	t := &tarWalk{ctx: ctx, w: tar.NewWriter(w), opts: opts, links: make(map[inode]string)}
	fd := int(dir.Fd())
	if err := unix.Fstat(fd, &t.root); err != nil {
		return fmt.Errorf("archive %s: %w", dir.Name(), err)
	}
	err := error(nil)
	if opts.Root {
		err = t.header(cmp.Or(opts.Prefix, "./"), fd, ".", &t.root, nil)
	}
	if err == nil {
		t.totals = Totals{Entries: 1} // the root is one, described or not
		err = t.dir(opts.Prefix, fd)
	}
	if err == nil {
		err = t.w.Close()
	}
	if opts.Totals != nil {
		*opts.Totals = t.totals
	}
	if err != nil {
		return fmt.Errorf("archive %s: %w", dir.Name(), err)
	}
	return nil
}

// WriteTarPath writes one file or directory of the tree below root, with all
// that is in it, under its own name; of "/", what is in the root. Links on the
// way to it lead nowhere but below root, and it is not followed itself.
func WriteTarPath(ctx context.Context, w io.Writer, root *os.File, path string, opts TarOptions) error {
	dir, name := split(path)
	if name == "" {
		return WriteTarFrom(ctx, w, root, opts)
	}
	fd, err := unix.Openat2(int(root.Fd()), at(dir), &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return fmt.Errorf("archive %s: %w", path, pathError(err))
	}
	defer unix.Close(fd)
	t := &tarWalk{ctx: ctx, w: tar.NewWriter(w), opts: opts, links: make(map[inode]string)}
	var st unix.Stat_t
	switch err = errors.Join(unix.Fstat(fd, &t.root), vanished(unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW))); {
	case err == nil && opts.Name != "" && typeOf(&st) == TypeRegular:
		err = t.file(opts.Name, fd, name, &st)
	case err == nil:
		err = t.entry("", fd, name)
	}
	if err == nil {
		err = t.w.Close()
	}
	if errors.Is(err, errVanished) {
		err = errdefs.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("archive %s: %w", path, err)
	}
	return nil
}

// pathError gives the kernel's errors about a path that somebody asked for
// their kind.
func pathError(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%w: %w", err, errdefs.ErrNotFound)
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV):
		return fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
	}
	return err
}

type inode struct{ dev, ino uint64 }

// tarWalk writes one archive.
type tarWalk struct {
	ctx    context.Context
	w      *tar.Writer
	opts   TarOptions
	root   unix.Stat_t
	links  map[inode]string // first name of files with several
	totals Totals
}

// dir writes what is in an open directory called path ("" is the root, others
// end with a slash).
func (t *tarWalk) dir(path string, fd int) error {
	names, err := readNames(fd)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed since it was opened
	}
	if err != nil {
		return err
	}
	slices.Sort(names)
	if t.opts.Layer && path != "" && isOpaque(fd) {
		if err := t.marker(path + whiteoutOpaque); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		if t.opts.Omit != nil && t.opts.Omit("/"+path+name) {
			continue
		}
		if err := t.entry(path, fd, name); err != nil && !errors.Is(err, errVanished) {
			return inTree("/"+path+name, err)
		}
	}
	return nil
}

// errVanished tells that a file went away before its header was written.
var errVanished = errors.New("vanished")

func vanished(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errVanished
	}
	return err
}

// marker writes an empty file that stands for a deletion.
func (t *tarWalk) marker(name string) error {
	if !strings.HasSuffix(name, "/"+whiteoutOpaque) {
		t.totals.Entries++
	}
	return t.w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, ModTime: time.Unix(0, 0), Format: tar.FormatPAX})
}

// entry writes one name of an open directory, and what is below it.
func (t *tarWalk) entry(path string, fd int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return vanished(err)
	}
	if err := checkDepth("/"+path+name, 0); err != nil {
		return err
	}
	if t.opts.Layer {
		if isWhiteout(&st) {
			return t.marker(path + whiteoutPrefix + name)
		}
		if strings.HasPrefix(name, whiteoutPrefix) {
			return fmt.Errorf("a layer cannot hold a file of this name, it would mean a deletion: %w", errdefs.ErrInvalidArgument)
		}
		if strings.Count(path, "/") >= maxDepth {
			return refuse("a layer cannot hold what is more than %d directories deep", maxDepth)
		}
	}
	switch typeOf(&st) {
	case 0:
		return nil
	case TypeDir:
		return t.directory(path+name+"/", fd, name, &st)
	case TypeRegular:
		return t.file(path+name, fd, name, &st)
	}
	return t.header(path+name, fd, name, &st, nil)
}

func (t *tarWalk) directory(path string, fd int, name string, st *unix.Stat_t) error {
	sub, err := unix.Openat(fd, name, openDir, 0)
	if err != nil {
		return vanished(err)
	}
	defer unix.Close(sub)
	if err := t.header(path, fd, name, st, nil); err != nil {
		return err
	}
	if st.Dev != t.root.Dev && !t.opts.Mounted {
		return nil // something is mounted here
	}
	return t.dir(path, sub)
}

// file writes a regular file, or a hard link if the same file was written
// under another name.
func (t *tarWalk) file(path string, fd int, name string, st *unix.Stat_t) error {
	id := inode{st.Dev, st.Ino}
	if st.Nlink > 1 {
		if first, ok := t.links[id]; ok {
			return t.header(path, fd, name, st, func(h *tar.Header) { h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0 })
		}
	}
	src, err := unix.Openat(fd, name, openFile, 0)
	if err != nil {
		return vanished(err)
	}
	defer unix.Close(src)
	// What was opened need not be what was looked at before.
	var now unix.Stat_t
	if err := unix.Fstat(src, &now); err != nil {
		return err
	}
	if now.Mode&unix.S_IFMT != unix.S_IFREG {
		return errVanished
	}
	attrs, err := fileXattrs(src)
	if err != nil {
		return err
	}
	if err := t.write(path, fd, name, &now, attrs, nil); err != nil {
		return err
	}
	if st.Nlink > 1 {
		t.links[id] = path
	}
	n, err := io.CopyN(t.w, fdReader(src), now.Size)
	if err == io.EOF {
		_, err = io.CopyN(t.w, zeroReader{}, now.Size-n)
	}
	return err
}

// zeroReader pads a file that became shorter than its header says.
type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// header writes the header of a file as stat tells it; edit may change it.
func (t *tarWalk) header(path string, fd int, name string, st *unix.Stat_t, edit func(*tar.Header)) error {
	attrs, err := listXattrs(fd, name)
	if err != nil {
		return vanished(err)
	}
	return t.write(path, fd, name, st, attrs, edit)
}

// write is header for who knows the extended attributes.
func (t *tarWalk) write(path string, fd int, name string, st *unix.Stat_t, attrs map[string]string, edit func(*tar.Header)) error {
	h := &tar.Header{
		Name: path, Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid),
		// Fractions would cost a PAX record for every file; docker and
		// BuildKit drop them, too.
		ModTime: time.Unix(st.Mtim.Sec, 0), Format: tar.FormatPAX,
	}
	switch typeOf(st) {
	case TypeDir:
		h.Typeflag = tar.TypeDir
	case TypeRegular:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
	case TypeSymlink:
		link, err := readlink(fd, name)
		if err != nil {
			return vanished(err)
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, link
	case TypeFifo:
		h.Typeflag = tar.TypeFifo
	case TypeChar, TypeBlock:
		h.Typeflag = tar.TypeBlock
		if typeOf(st) == TypeChar {
			h.Typeflag = tar.TypeChar
		}
		h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	}
	for key, value := range attrs {
		if h.PAXRecords == nil {
			h.PAXRecords = make(map[string]string)
		}
		h.PAXRecords[paxXattr+key] = value
	}
	if edit != nil {
		edit(h)
	}
	t.totals.Entries++
	t.totals.Size += h.Size
	return t.w.WriteHeader(h)
}
