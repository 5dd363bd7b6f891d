package diff

import (
	"archive/tar"
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"berth/store/remove"
)

// applier fills one layer directory. What it has made is recorded in made,
// of which the index is written.
//
// The record, not the file system, answers what is at a path: the directory
// belongs to this process alone, so both agree, and most entries then need no
// system call to find out that nothing is in their way. Paths in the record
// are canonical, that is, free of symbolic links above the last component.
//
// Descriptors of parent directories come from tree and are valid until it is
// asked for another one.
type applier struct {
	tree    *tree
	small   smallFiles
	below   func() (*lowerDir, error) // the union of the layers below, once
	closers []func()
	made    *record
	lower   lowerPlace
	holes   int64
	hideAll bool // the root was marked opaque
	rootSet bool // an entry described the root

	maxRecord int64
}

func newApplier(ctx context.Context, dir string, opts ApplyOptions) (*applier, error) {
	t, err := openTree(dir)
	if err != nil {
		return nil, err
	}
	a := &applier{tree: t, made: newRecord(), closers: []func(){t.close}, maxRecord: cmp.Or(opts.record, maxRecord)}
	a.below = sync.OnceValues(func() (*lowerDir, error) {
		dirs := opts.Lower
		if opts.Below != nil {
			if dirs, err = opts.Below(ctx); err != nil {
				return nil, fmt.Errorf("the layers below: %w", err)
			}
		}
		l, err := openLower(dirs)
		if err == nil {
			a.closers = append(a.closers, l.close)
		}
		return l, err
	})
	// Nobody has described the root yet; finish does it if no entry has.
	a.set(Entry{Path: "/", Type: TypeDir})
	return a, nil
}

// close lets go of the directories; what was unpacked stays.
func (a *applier) close() {
	a.small.stop()
	a.lower.close()
	for _, c := range a.closers {
		c()
	}
}

// empty removes everything unpacked, after an error. The attributes that the
// root itself was given stay: whoever made it removes it.
func (a *applier) empty() error {
	a.small.stop()
	a.tree.forget()
	names, err := readNames(a.tree.root)
	for _, name := range names {
		if rerr := remove.At(a.tree.root, name); err == nil {
			err = rerr
		}
	}
	return err
}

// get returns what this layer has at a canonical path, nil if nothing; but not
// its digest, which may be under way.
func (a *applier) get(path string) *Entry {
	id, ok := a.made.look(path)
	if !ok {
		return nil
	}
	e := a.made.entry(id, path, false)
	return &e
}

// set records an entry in the place of the one with the same path, if any.
func (a *applier) set(e Entry) uint32 { return a.made.set(e) }

// clear removes what is in the way of an entry. It tells nothing of what was
// there; mkdir looks before.
func (a *applier) clear(parent int, path, name string) error {
	if a.get(path) == nil {
		return nil
	}
	if err := a.small.wait(); err != nil {
		return err
	}
	dir := a.get(path).IsDir()
	a.made.unset(path)
	if !dir {
		return unix.Unlinkat(parent, name, 0)
	}
	if err := remove.At(parent, name); err != nil {
		return err
	}
	if a.tree.folder != nil && Within(a.tree.path, path) {
		a.tree.forget()
	}
	return nil
}

// whiteout unpacks a deletion. It concerns the layers below only, so what
// this layer has at the same path stays; but a directory then stands alone.
func (a *applier) whiteout(dir, name string) error {
	if strings.HasPrefix(name, whiteoutMeta) && name != whiteoutOpaque {
		return nil // what aufs kept for itself
	}
	parent, dir, err := a.parent(dir)
	if err != nil {
		return err
	}
	// Which names an opaque root hides is known when all entries are.
	if name == whiteoutOpaque && dir == "/" {
		a.hideAll = true
		return nil
	}
	if name == whiteoutOpaque {
		e := a.get(dir)
		e.Opaque = true
		a.set(*e)
		return setOpaque(parent, ".")
	}
	name = strings.TrimPrefix(name, whiteoutPrefix)
	// ".wh..." would name the parent directory.
	if name == "" || name == "." || name == ".." {
		return refuse("a whiteout of nothing")
	}
	path := join(dir, name)
	if e := a.get(path); e != nil {
		if e.IsDir() {
			e.Opaque = true
			a.set(*e)
			return setOpaque(parent, name)
		}
		return nil
	}
	if err := makeWhiteout(parent, name); err != nil {
		return err
	}
	a.set(Entry{Path: path, Type: TypeWhiteout})
	return nil
}

// mkdir unpacks a directory. One that replaces something else must hide what
// the layers below have in a directory of that name, as it would if it had
// been made in a mounted overlay.
func (a *applier) mkdir(parent int, path, name string, hdr *tar.Header) error {
	e := entryOf(path, TypeDir, hdr)
	old := a.get(path)
	if old == nil || !old.IsDir() {
		e.Opaque = old != nil
		if err := a.clear(parent, path, name); err != nil {
			return err
		}
		if err := unix.Mkdirat(parent, name, 0o700); err != nil {
			return err
		}
		if e.Opaque {
			if err := setOpaque(parent, name); err != nil {
				return err
			}
		}
	} else {
		e.Opaque = old.Opaque
	}
	a.set(e)
	return a.attributes(parent, name, hdr, TypeDir)
}

// symlink unpacks a symbolic link. Its target is the container's business and
// may be anything; it matters when something is unpacked through the link.
func (a *applier) symlink(parent int, path, name string, hdr *tar.Header) error {
	if hdr.Linkname == "" || len(hdr.Linkname) > maxPath || strings.IndexByte(hdr.Linkname, 0) >= 0 {
		return refuse("bad target of a symbolic link")
	}
	if err := unix.Symlinkat(hdr.Linkname, parent, name); err != nil {
		return err
	}
	e := entryOf(path, TypeSymlink, hdr)
	e.Link, e.Mode = hdr.Linkname, 0o777
	a.set(e)
	return a.attributes(parent, name, hdr, TypeSymlink)
}

// node unpacks a device or FIFO. It is made, with the owner and mode the tar
// gives, but never opened.
func (a *applier) node(parent int, path, name string, hdr *tar.Header) error {
	e := entryOf(path, TypeFifo, hdr)
	format := uint32(unix.S_IFIFO)
	if hdr.Typeflag != tar.TypeFifo {
		if hdr.Devmajor < 0 || hdr.Devmajor > 0xfff || hdr.Devminor < 0 || hdr.Devminor > 0xfffff {
			return refuse("bad device number %d:%d", hdr.Devmajor, hdr.Devminor)
		}
		e.Device = unix.Mkdev(uint32(hdr.Devmajor), uint32(hdr.Devminor))
		e.Type, format = TypeBlock, unix.S_IFBLK
		if hdr.Typeflag == tar.TypeChar {
			e.Type, format = TypeChar, unix.S_IFCHR
			// Overlay would delete what is below, unnoticed by the index.
			if e.Device == 0 || e.Device == spareWhiteout {
				return refuse("a character device %d:%d would be taken for a whiteout", hdr.Devmajor, hdr.Devminor)
			}
		}
	}
	if err := unix.Mknodat(parent, name, format|0o600, int(e.Device)); err != nil {
		return err
	}
	a.set(e)
	return a.attributes(parent, name, hdr, e.Type)
}

// hardlink unpacks a further name of a file of this layer or of one below.
func (a *applier) hardlink(parent int, path, name string, hdr *tar.Header) error {
	if err := a.small.wait(); err != nil { // the target may be under way
		return err
	}
	to, err := cleanName(hdr.Linkname)
	if err != nil {
		return fmt.Errorf("target of the hard link: %w", err)
	}
	dir, base := split(to)
	if to == "/" {
		return refuse("a hard link to the root")
	}
	if dir, err = a.resolve(dir); err != nil {
		return fmt.Errorf("target of the hard link: %w", err)
	}
	to = join(dir, base)
	if to == path {
		if a.get(path) != nil {
			return nil // to itself
		}
		return refuse("a hard link to itself")
	}
	if a.get(to) == nil {
		if ok, err := a.copyUp(to); err != nil {
			return fmt.Errorf("copy up the target of the hard link: %w", err)
		} else if !ok {
			return refuse("hard link to %s, which does not exist", to)
		}
	}
	id, _ := a.made.look(to)
	e := a.made.entry(id, to, true)
	if e.IsDir() || e.Type == TypeWhiteout || Within(to, path) {
		return refuse("hard link to %s, which is not a file", to)
	}
	// Opening the target may have moved the remembered directory.
	if err := a.relink(path, name, to); err != nil {
		return err
	}
	if e.Type == TypeRegular {
		if e.Link == "" {
			e.Link = to
		}
		e.Size = 0
	}
	e.Path = path
	a.set(e)
	return nil
}

// relink makes path a further name of the file at to; both are canonical.
func (a *applier) relink(path, name, to string) error {
	dir, _ := split(path)
	fd, err := a.tree.open(dir)
	if err != nil {
		return err
	}
	if err := a.clear(fd, path, name); err != nil {
		return err
	}
	if fd, err = a.tree.open(dir); err != nil {
		return err
	}
	// Without AT_SYMLINK_FOLLOW a symbolic link itself gets the new name.
	return unix.Linkat(a.tree.root, at(to), fd, name, 0)
}

// isSparse tells files that are longer than what the archive holds of them.
func isSparse(hdr *tar.Header) bool {
	sparse := hdr.Typeflag == tar.TypeGNUSparse
	for key := range hdr.PAXRecords {
		sparse = sparse || strings.HasPrefix(key, "GNU.sparse.")
	}
	return sparse
}

// file unpacks a regular file. The tar reader expands the holes of sparse
// files to zeros, which become holes again.
func (a *applier) file(parent int, path, name string, hdr *tar.Header, content io.Reader) (err error) {
	if isSparse(hdr) {
		if a.holes += hdr.Size; hdr.Size > maxHoles || a.holes > maxHoles {
			return refuse("more than %d bytes in sparse files", int64(maxHoles))
		}
	}
	e := entryOf(path, TypeRegular, hdr)
	e.Size = hdr.Size
	if err := checkOwner(hdr); err != nil {
		return err
	}
	if hdr.Size <= smallFile {
		e.Digest = noDigest
		return a.small.add(a.made.sum(a.set(e)), a.tree.of(parent), name, hdr, content)
	}
	// Nobody else gets at the directory, so the file may have its mode at once;
	// but setuid is for its owner.
	fd, err := createFile(parent, name, e.Mode&0o777)
	if err != nil {
		return err
	}
	defer closeFile(fd, &err)
	if e.Digest, err = writeContent(fd, content); err != nil {
		return err
	}
	a.set(e)
	return describe(fd, hdr, hdr.Uid, hdr.Gid)
}
