package diff

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
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

// Changes iterates over how an upper directory differs from the layers below
// it (topmost first), in the order of ComparePaths. It reads the upper
// directory and what has the same names below, nothing else, and holds the
// names of the directories that it is in, no more. A deleted directory is one
// change; what it held is not listed.
//
// The upper directory may be in use: what vanishes during the walk is left
// out, and no link in it is followed.
func (c *Comparer) Changes(ctx context.Context, upper string, lower []string) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		w := &changeWalk{ctx: ctx, files: c, yield: yield}
		if err := w.run(upper, lower); err != nil && !errors.Is(err, errStopped) {
			yield(Change{}, fmt.Errorf("list changes in %s: %w", upper, err))
		}
	}
}

// errStopped ends a walk that nobody looks at any more.
var errStopped = errors.New("stopped")

type changeWalk struct {
	ctx   context.Context
	files *Comparer
	yield func(Change, error) bool
	// above are the directories on the way to where the walk is that have not
	// been told of: each is a change only if something in it is.
	above []Change
	open  int // directories
}

func (w *changeWalk) run(upper string, lower []string) error {
	l, err := openLower(lower)
	if err != nil {
		return err
	}
	defer l.close()
	fd, err := unix.Open(upper, openDir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return w.root(fd, l)
}

// add tells of a change, and before it of the directories that it is in.
func (w *changeWalk) add(path string, kind Kind, st *unix.Stat_t, link string) error {
	for _, c := range append(w.above, changeOf(path, kind, st, link)) {
		if !w.yield(c, nil) {
			return errStopped
		}
	}
	w.above = w.above[:0]
	return nil
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
			if err := w.add("/", Metadata, &st, ""); err != nil {
				return err
			}
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
		path := join(path, name)
		switch err = checkDepth(path, w.open); {
		case err != nil:
		case hidden[name]:
			err = w.gone(path, name, lower)
		default:
			err = w.entry(path, name, fd, lower)
		}
		// What is not there any more is no change.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return inTree(path, err)
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
	return w.add(path, Deleted, &old, linkOf(from, name, &old))
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
		return w.add(path, Added, &st, link)
	}
	kind, err := w.files.compare(w.ctx, fd, name, &st, from, &old)
	if err != nil || kind == Unchanged {
		return err
	}
	return w.add(path, kind, &st, link)
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
	open := 1 + len(below.fds)
	w.open += open
	defer func() { w.open -= open }()

	kind := Added
	switch {
	case from >= 0 && isDir(old):
		same, err := sameAttributes(fd, name, st, from, name, old)
		if err != nil {
			return err
		}
		if same {
			// Told of when something in it turns out to have changed. Without,
			// it was copied up for a change that was undone.
			depth := len(w.above)
			w.above = append(w.above, changeOf(path, Modified, st, ""))
			err := w.dir(path, sub, below, isOpaque(sub))
			w.above = w.above[:min(depth, len(w.above))]
			return err
		}
		kind = Metadata
	case from >= 0:
		kind = Modified // a file became a directory
	}
	if err := w.add(path, kind, st, ""); err != nil {
		return err
	}
	return w.dir(path, sub, below, isOpaque(sub))
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
