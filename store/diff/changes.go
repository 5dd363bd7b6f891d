package diff

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is how a path differs from the layers below.
type Kind string

// The kinds of changes. Metadata means mode, owner, extended attributes or
// the time of a file, with the same content. A directory is Modified when it
// stands in the list only because something in it changed.
const (
	Unchanged Kind = ""
	Added     Kind = "added"
	Modified  Kind = "modified"
	Metadata  Kind = "metadata"
	Deleted   Kind = "deleted"
)

// Change is one path that differs. Of a deleted path the other fields
// describe what was there.
type Change struct {
	Path     string
	Kind     Kind
	Mode     fs.FileMode
	UID, GID int
	Size     int64
	ModTime  time.Time
	Link     string // target of a symbolic link
}

// Changes lists how an upper directory differs from the layers below it
// (topmost first), in the order of ComparePaths. It reads the upper directory
// and what has the same names below, nothing else. A deleted directory is one
// change; what it held is not listed.
//
// The upper directory may be in use: what vanishes during the walk is left
// out, and no link in it is followed.
func Changes(ctx context.Context, upper string, lower []string) ([]Change, error) {
	return new(Comparer).Changes(ctx, upper, lower)
}

// Changes is the function of that name for who asks again and again.
func (c *Comparer) Changes(ctx context.Context, upper string, lower []string) ([]Change, error) {
	l, err := openLower(lower)
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	defer l.close()
	fd, err := unix.Open(upper, openDir, 0)
	if err != nil {
		return nil, fmt.Errorf("list changes in %s: %w", upper, err)
	}
	defer unix.Close(fd)
	w := &changeWalk{ctx: ctx, files: c}
	if err := w.root(fd, l); err != nil {
		return nil, fmt.Errorf("list changes in %s: %w", upper, err)
	}
	return w.list, nil
}

type changeWalk struct {
	ctx   context.Context
	files *Comparer
	list  []Change
}

func (w *changeWalk) add(path string, kind Kind, st *unix.Stat_t, link string) {
	w.list = append(w.list, changeOf(path, kind, st, link))
}

// changeOf describes a file as a change.
func changeOf(path string, kind Kind, st *unix.Stat_t, link string) Change {
	e := Entry{Mode: st.Mode & 0o7777, Type: typeOf(st)}
	c := Change{
		Path: path, Kind: kind, Mode: e.FileMode(), UID: int(st.Uid), GID: int(st.Gid),
		ModTime: time.Unix(st.Mtim.Sec, st.Mtim.Nsec), Link: link,
	}
	switch e.Type {
	case TypeRegular:
		c.Size = st.Size
	case 0:
		c.Mode |= fs.ModeSocket
	}
	return c
}

// typeOf is the entry type of a file, 0 for a socket, which layers cannot hold.
func typeOf(st *unix.Stat_t) Type {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return TypeRegular
	case unix.S_IFDIR:
		return TypeDir
	case unix.S_IFLNK:
		return TypeSymlink
	case unix.S_IFCHR:
		return TypeChar
	case unix.S_IFBLK:
		return TypeBlock
	case unix.S_IFIFO:
		return TypeFifo
	}
	return 0
}

// root compares the roots themselves, then what is in them.
func (w *changeWalk) root(fd int, lower *lowerDir) error {
	var st, old unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	// The snapshotter gave the upper root the attributes of the layer below.
	if len(lower.fds) > 0 {
		if err := unix.Fstat(lower.fds[0], &old); err != nil {
			return err
		}
		same, err := sameAttributes(fd, ".", &st, lower.fds[0], ".", &old)
		if err != nil {
			return err
		}
		if !same {
			w.add("/", Metadata, &st, "")
		}
	}
	return w.dir("/", fd, lower, false)
}

// dir lists the changes inside one directory. With opaque set, what is below
// and not in the upper directory is deleted.
func (w *changeWalk) dir(path string, fd int, lower *lowerDir, opaque bool) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	names, err := readNames(fd)
	if err != nil {
		return err
	}
	hidden := map[string]bool{}
	if opaque {
		below, err := lower.names()
		if err != nil {
			return err
		}
		for _, name := range names {
			delete(below, name)
		}
		for name := range below {
			hidden[name] = true
			names = append(names, name)
		}
	}
	slices.SortFunc(names, ComparePaths)
	for _, name := range names {
		if hidden[name] {
			err = w.gone(join(path, name), name, lower)
		} else {
			err = w.entry(join(path, name), name, fd, lower)
		}
		// What is not there any more is no change.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", join(path, name), err)
		}
	}
	return nil
}

// gone reports a name of the layers below as deleted, if it is there.
func (w *changeWalk) gone(path, name string, lower *lowerDir) error {
	from, old, err := lower.stat(name)
	if err != nil || from < 0 {
		return err
	}
	w.add(path, Deleted, &old, linkOf(from, name, &old))
	return nil
}

// linkOf is the target of a symbolic link, "" for anything else.
func linkOf(fd int, name string, st *unix.Stat_t) string {
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return ""
	}
	link, err := readlink(fd, name)
	if err != nil {
		return "" // vanished: the caller's next look finds out
	}
	return link
}

// entry reports how one name of the upper directory differs.
func (w *changeWalk) entry(path, name string, fd int, lower *lowerDir) error {
	var st unix.Stat_t
	if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if isWhiteout(&st) {
		return w.gone(path, name, lower)
	}
	from, old, err := lower.stat(name)
	if err != nil {
		return err
	}
	if isDir(&st) {
		return w.directory(path, name, fd, &st, lower, from, &old)
	}
	link := linkOf(fd, name, &st)
	if from < 0 {
		w.add(path, Added, &st, link)
		return nil
	}
	kind, err := w.files.compare(w.ctx, fd, name, &st, from, &old)
	if err == nil && kind != Unchanged {
		w.add(path, kind, &st, link)
	}
	return err
}

// directory reports a directory of the upper layer and what is in it.
func (w *changeWalk) directory(path, name string, fd int, st *unix.Stat_t, lower *lowerDir, from int, old *unix.Stat_t) error {
	sub, err := unix.Openat(fd, name, openDir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(sub)
	below, err := lower.sub(name)
	if err != nil {
		return err
	}
	defer below.close()

	kind := Added
	switch {
	case from >= 0 && isDir(old):
		same, err := sameAttributes(fd, name, st, from, name, old)
		if err != nil {
			return err
		}
		kind = Metadata
		if same {
			kind = Modified // if anything in it turns out to be
		}
	case from >= 0:
		kind = Modified // a file became a directory
	}
	// The directory comes before what is in it, so it is listed first and
	// taken back if nothing in it turns out to have changed.
	mine := len(w.list)
	w.add(path, kind, st, "")
	if err := w.dir(path, sub, below, isOpaque(sub)); err != nil {
		return err
	}
	if kind == Modified && from >= 0 && isDir(old) && len(w.list) == mine+1 {
		w.list = w.list[:mine] // copied up for a change that was undone
	}
	return nil
}

// sameAttributes compares mode, owner and extended attributes.
func sameAttributes(fd int, name string, st *unix.Stat_t, from int, base string, old *unix.Stat_t) (bool, error) {
	if st.Mode != old.Mode || st.Uid != old.Uid || st.Gid != old.Gid || st.Rdev != old.Rdev {
		return false, nil
	}
	a, err := listXattrs(fd, name)
	if err != nil {
		return false, err
	}
	b, err := listXattrs(from, base)
	if err != nil {
		return false, err
	}
	if len(a) != len(b) {
		return false, nil
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false, nil
		}
	}
	return true, nil
}
