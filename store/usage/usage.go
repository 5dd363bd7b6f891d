// Package usage tells what trees take that others made, and perhaps still change. A
// container may make directories in each other until no path is long enough to name
// the last and no process has a descriptor for each: so they are walked by
// descriptors, and by few.
package usage

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	openDir = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

	// maxOpen is how many levels are open at once. What is above a deeper one is
	// closed while the walk is below it, and opened again as its "..".
	maxOpen = 128
)

// Usage is what a tree takes, files with several names counted once.
type Usage struct {
	Inodes  int64 // the directory itself among them
	Disk    int64 // bytes allocated, those of directories too
	Content int64 // bytes in all that is no directory, holes included
}

// Of adds up a directory and all that is below it. Links are not followed. What
// cannot be read is told of and the rest counted; what vanishes meanwhile, or is moved
// away from under the walk, does not count.
func Of(ctx context.Context, dir string) (Usage, error) {
	c := counter{ctx: ctx, seen: make(map[inode]bool), buf: make([]byte, 32<<10)}
	fd, err := unix.Open(dir, openDir&^unix.O_NOFOLLOW, 0)
	if err == nil {
		c.enter(fd, true)
		for len(c.levels) > 0 {
			c.step()
		}
		err = c.err
	}
	if err != nil {
		err = fmt.Errorf("add up %s: %w", dir, err)
	}
	return c.Usage, err
}

type inode struct{ dev, ino uint64 }

// counter is one walk.
type counter struct {
	Usage
	ctx  context.Context
	seen map[inode]bool // of the files with several names
	err  error          // the first
	buf  []byte

	levels []level // from the top to where the walk is
}

// level is a directory that the walk is in.
type level struct {
	fd   int // -1 while it is closed
	id   inode
	dirs []string // those in it that are still to be walked
}

func (c *counter) count(st *unix.Stat_t) {
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	if st.Nlink > 1 && !isDir {
		id := inode{st.Dev, st.Ino}
		if c.seen[id] {
			return
		}
		c.seen[id] = true
	}
	c.Inodes++
	c.Disk += st.Blocks * 512
	if !isDir {
		c.Content += st.Size
	}
}

// fail keeps the first error that is not that something vanished.
func (c *counter) fail(name string, err error) {
	if err != nil && c.err == nil && !errors.Is(err, unix.ENOENT) {
		c.err = fmt.Errorf("%q: %w", name, err)
	}
}

// enter counts what an open directory holds, and makes it where the walk is.
func (c *counter) enter(fd int, root bool) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	if err != nil {
		c.fail(".", err)
		unix.Close(fd)
		return
	}
	if root {
		c.count(&st)
	}
	if n := len(c.levels); n >= maxOpen {
		unix.Close(c.levels[n-1].fd)
		c.levels[n-1].fd = -1
	}
	c.levels = append(c.levels, level{fd, inode{st.Dev, st.Ino}, c.inside(fd)})
}

// step goes into the next directory, or back from one where there is none.
func (c *counter) step() {
	at := &c.levels[len(c.levels)-1]
	if err := c.ctx.Err(); err != nil {
		c.err, at.dirs = err, nil
	}
	if len(at.dirs) == 0 {
		c.leave()
		return
	}
	name := at.dirs[0]
	at.dirs = at.dirs[1:]
	fd, err := unix.Openat(at.fd, name, openDir, 0)
	switch err {
	case nil:
		c.enter(fd, false)
	case unix.ENOTDIR, unix.ELOOP: // no directory any more
	default:
		c.fail(name, err)
	}
}

// leave goes back to the directory above. If this one was moved out of that, it goes
// to the lowest that is still open.
func (c *counter) leave() {
	n := len(c.levels) - 1
	at := c.levels[n]
	c.levels = c.levels[:n]
	if n > 0 && c.levels[n-1].fd < 0 {
		above := &c.levels[n-1]
		fd, err := unix.Openat(at.fd, "..", openDir, 0)
		var st unix.Stat_t
		if err == nil {
			err = unix.Fstat(fd, &st)
		}
		above.fd = fd
		if err != nil || above.id != (inode{st.Dev, st.Ino}) {
			c.fail("..", err)
			unix.Close(fd)
			above.fd = -1
		}
		for c.levels[len(c.levels)-1].fd < 0 {
			c.levels = c.levels[:len(c.levels)-1]
		}
	}
	unix.Close(at.fd)
}

// inside counts what a directory holds, and returns the names of the directories.
func (c *counter) inside(fd int) (dirs []string) {
	var names []string
	for {
		n, err := unix.ReadDirent(fd, c.buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			c.fail(".", err)
			return dirs
		}
		_, _, names = unix.ParseDirent(c.buf[:n], -1, names[:0])
		for _, name := range names {
			var st unix.Stat_t
			if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				c.fail(name, err)
				continue
			}
			c.count(&st)
			if st.Mode&unix.S_IFMT == unix.S_IFDIR {
				dirs = append(dirs, name)
			}
		}
	}
}
