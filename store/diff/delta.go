package diff

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Delta writes into the empty directory dst the layer that turns the union of
// some layers, topmost first, into the plain tree: hard links to what was
// added or changed, directories on the way, and whiteouts. The tree is a copy
// of that union (CopyUnion) that was complete at a time and has been worked
// on since; a file is not read again if it cannot have been touched.
func Delta(ctx context.Context, tree string, layers []string, complete time.Time, dst string) error {
	l, err := openLower(layers)
	if err != nil {
		return fmt.Errorf("find changes of a tree: %w", err)
	}
	defer l.close()
	var fds [2]int
	for i, dir := range []string{tree, dst} {
		if fds[i], err = unix.Open(dir, openDir, 0); err != nil {
			return fmt.Errorf("find changes of a tree: open %s: %w", dir, err)
		}
		defer unix.Close(fds[i])
	}
	d := &delta{ctx: ctx, complete: complete}
	at := &deltaDir{d: d, path: "/", tree: fds[0], fd: fds[1]}
	if err := d.compare(l, at); err != nil {
		return fmt.Errorf("find changes of a tree: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fds[0], &st); err != nil {
		return fmt.Errorf("find changes of a tree: %w", err)
	}
	return copyAttributes(fds[1], ".", fds[0], ".", &st)
}

// clockTick is how far the clock of file systems may be behind.
const clockTick = 20 * time.Millisecond

type delta struct {
	ctx      context.Context
	complete time.Time
}

// deltaDir is a directory of the tree and its counterpart, which is made when
// the first change in it is found.
type deltaDir struct {
	d      *delta
	parent *deltaDir
	name   string
	path   string
	tree   int
	st     unix.Stat_t
	fd     int // of the counterpart; below 0 until it is made
}

// open makes the counterpart.
func (at *deltaDir) open() (int, error) {
	if at.fd >= 0 {
		return at.fd, nil
	}
	above, err := at.parent.open()
	if err != nil {
		return -1, err
	}
	if err := unix.Mkdirat(above, at.name, 0o700); err != nil {
		return -1, err
	}
	at.fd, err = unix.Openat(above, at.name, openDir, 0)
	return at.fd, err
}

// close gives the counterpart, if it was made, the directory's attributes.
func (at *deltaDir) close() error {
	if at.fd < 0 {
		return nil
	}
	unix.Close(at.fd)
	return copyAttributes(at.parent.fd, at.name, at.parent.tree, at.name, &at.st)
}

// compare looks through a directory of the tree and of the union.
func (d *delta) compare(l *lowerDir, at *deltaDir) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	names, err := sortedNames(at.tree)
	if err != nil {
		return err
	}
	gone, err := l.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		delete(gone, name)
		path := join(at.path, name)
		err := checkDepth(path, 0)
		if err == nil {
			err = d.entry(l, at, name)
		}
		if err != nil {
			return inTree(path, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(gone)) {
		fd, err := at.open()
		if err == nil {
			err = makeWhiteout(fd, name)
		}
		if err != nil {
			return inTree(join(at.path, name), err)
		}
	}
	return nil
}

// entry finds out what became of one name.
func (d *delta) entry(l *lowerDir, at *deltaDir, name string) error {
	var st unix.Stat_t
	err := unix.Fstatat(at.tree, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	from, old, err := l.stat(name)
	if err != nil {
		return err
	}
	if isDir(&st) {
		return d.dir(l, at, name, &st, from, &old)
	}
	if from >= 0 {
		same, err := d.same(at.tree, from, name, &st, &old)
		if same || err != nil {
			return err
		}
	}
	fd, err := at.open()
	if err != nil {
		return err
	}
	return unix.Linkat(at.tree, name, fd, name, 0)
}

// dir goes into a directory. One that is new, or stands where something else
// was, hides whatever is below it.
func (d *delta) dir(l *lowerDir, at *deltaDir, name string, st *unix.Stat_t, from int, old *unix.Stat_t) (err error) {
	tree, err := unix.Openat(at.tree, name, openDir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	sub := &deltaDir{d: d, parent: at, name: name, path: join(at.path, name), tree: tree, st: *st, fd: -1}
	defer func() {
		if cerr := sub.close(); err == nil {
			err = cerr
		}
	}()
	below := &lowerDir{}
	known := from >= 0 && isDir(old)
	if known {
		if below, err = l.sub(name); err != nil {
			return err
		}
		defer below.close()
	}
	same := known
	if known {
		if same, err = sameCopy(at.tree, from, name, st, old); err != nil {
			return err
		}
	}
	if !same {
		fd, err := sub.open()
		if err != nil {
			return err
		}
		if from >= 0 && !known {
			if err := setOpaque(fd, "."); err != nil {
				return err
			}
		}
	}
	return d.compare(below, sub)
}

// same tells whether a file is still as it was copied.
func (d *delta) same(tree, from int, name string, st, old *unix.Stat_t) (bool, error) {
	if st.Mode&unix.S_IFMT != old.Mode&unix.S_IFMT || st.Size != old.Size || st.Rdev != old.Rdev {
		return false, nil
	}
	if same, err := sameCopy(tree, from, name, st, old); !same || err != nil {
		return false, err
	}
	// Nobody can set the time of the last change.
	if time.Unix(st.Ctim.Sec, st.Ctim.Nsec).Before(d.complete.Add(-clockTick)) {
		return true, nil
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		a, err := readlink(tree, name)
		if err != nil {
			return false, err
		}
		b, err := readlink(from, name)
		return a == b, err
	case unix.S_IFREG:
		a, err := fileDigest(d.ctx, tree, name)
		if err != nil {
			return false, err
		}
		b, err := fileDigest(d.ctx, from, name)
		return a == b, err
	}
	return true, nil
}

// sameCopy compares what copyAttributes copies.
func sameCopy(tree, from int, name string, st, old *unix.Stat_t) (bool, error) {
	if st.Mode != old.Mode || st.Uid != old.Uid || st.Gid != old.Gid || st.Mtim != old.Mtim {
		return false, nil
	}
	a, err := listXattrs(tree, name)
	if err != nil {
		return false, err
	}
	b, err := listXattrs(from, name)
	return maps.Equal(a, b), err
}
