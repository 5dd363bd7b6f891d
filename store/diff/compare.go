package diff

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Comparer tells whether the content of a file was changed, or only its
// mode, owner, attributes or time. It reads both files, up to the first
// difference, where nothing cheaper decides; and it remembers what it found,
// so that whoever looks at a running database twice a second reads it once:
//
//   - a file that has not changed since (ctime) gets the same answer;
//   - of one that has, the place where it differed last time is read first.
//     Any difference is proof enough.
//
// The zero value is ready. It is safe for concurrent use.
type Comparer struct {
	// Shallow takes another time for other content and reads nothing, for who
	// wants to know which paths differ, not how.
	Shallow bool

	mu    sync.Mutex
	known map[inode]verdict
}

// verdict is what a comparison found: the same content, or a difference in
// the chunk that begins at an offset.
type verdict struct {
	ctime, lower unix.Timespec // ctime is zero if the file was fresh then
	same         bool
	at           int64
}

const (
	// rememberFrom is the size of files whose comparison is worth remembering.
	rememberFrom = 64 << 10
	// maxKnown bounds what is remembered: about 5 MB. Beyond it all is forgotten.
	maxKnown = 50_000
	// compareChunk is how much of two files is compared at a time.
	compareChunk = 128 << 10
	// originXattr is overlay's mark on what it copied up: a handle of the
	// file below.
	originXattr = "trusted.overlay.origin"
)

// compare compares two files of the same name that are no directories, or of
// which only the lower is.
func (c *Comparer) compare(ctx context.Context, fd int, name string, st *unix.Stat_t, from int, old *unix.Stat_t) (Kind, error) {
	format := st.Mode & unix.S_IFMT
	if format != old.Mode&unix.S_IFMT {
		return Modified, nil
	}
	sameTime := st.Mtim == old.Mtim
	switch format {
	case unix.S_IFREG:
		if st.Size != old.Size {
			return Modified, nil
		}
		same, err := c.sameContent(ctx, fd, name, st, from, old)
		if err != nil || !same {
			return Modified, err
		}
	case unix.S_IFLNK:
		if linkOf(fd, name, st) != linkOf(from, name, old) {
			return Modified, nil
		}
	}
	same, err := sameAttributes(fd, name, st, from, name, old)
	if err != nil || same && sameTime {
		return Unchanged, err
	}
	return Metadata, nil
}

// sameContent compares the content of two regular files of one size.
func (c *Comparer) sameContent(ctx context.Context, fd int, name string, st *unix.Stat_t, from int, old *unix.Stat_t) (bool, error) {
	switch {
	case st.Size == 0 || st.Dev == old.Dev && st.Ino == old.Ino:
		return true, nil
	case st.Mtim != old.Mtim:
		if c.Shallow {
			return false, nil
		}
	// Overlay copies a file up with its time and leaves a mark on it: the same
	// time then means that nobody has written to it since. Without the mark
	// the file was put in the other's place, and a time can be given to any.
	case c.Shallow || copiedUp(fd, name):
		return true, nil
	}
	if st.Size < rememberFrom {
		_, same, err := c.read(ctx, fd, name, from, st.Size, 0)
		return same, err
	}
	id := inode{st.Dev, st.Ino}
	v, ok := c.recall(id)
	if ok && v.ctime == st.Ctim && v.lower == old.Ctim {
		return v.same, nil
	}
	settled := time.Since(time.Unix(st.Ctim.Unix())) > tick
	at, same, err := c.read(ctx, fd, name, from, st.Size, v.at)
	if err == nil {
		v = verdict{lower: old.Ctim, same: same, at: at}
		if settled {
			v.ctime = st.Ctim
		}
		c.remember(id, v)
	}
	return same, err
}

func (c *Comparer) recall(id inode) (verdict, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.known[id]
	return v, ok
}

func (c *Comparer) remember(id inode, v verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxKnown {
		c.known = make(map[inode]verdict)
	}
	c.known[id] = v
}

// tick is how long two changes of a file may be apart and have the same time: before
// Linux 6.13 that is the time of the last timer interrupt. What was changed only just
// now is looked at again.
const tick = 20 * time.Millisecond

// copiedUp tells whether overlay made a file as a copy of the one below.
func copiedUp(fd int, name string) bool {
	var handle [256]byte
	_, err := unix.Lgetxattr(procPath(fd, name), originXattr, handle[:])
	return err == nil || errors.Is(err, unix.ERANGE)
}

// comparePair are the buffers of a comparison.
type comparePair [2][compareChunk]byte

var comparePairs = sync.Pool{New: func() any { return new(comparePair) }}

// read compares two files of one size up to the first difference, and returns
// the offset of the chunk that has it. The chunk at first is looked at before
// all others.
func (c *Comparer) read(ctx context.Context, fd int, name string, from int, size, first int64) (at int64, same bool, err error) {
	a, err := unix.Openat(fd, name, openFile, 0)
	if err != nil {
		return 0, false, err
	}
	defer unix.Close(a)
	b, err := unix.Openat(from, name, openFile, 0)
	if err != nil {
		return 0, false, err
	}
	defer unix.Close(b)
	pair := comparePairs.Get().(*comparePair)
	defer comparePairs.Put(pair)
	if first > 0 && first < size {
		if same, err := pair.equalAt(a, b, first); err != nil || !same {
			return first, false, err
		}
	}
	for at := int64(0); at < size; at += compareChunk {
		if err := ctx.Err(); err != nil {
			return 0, false, err
		}
		if same, err := pair.equalAt(a, b, at); err != nil || !same {
			return at, false, err
		}
	}
	return 0, true, nil
}

// equalAt compares one chunk of two open files.
func (p *comparePair) equalAt(a, b int, at int64) (bool, error) {
	n, err := readAt(a, p[0][:], at)
	if err != nil {
		return false, err
	}
	m, err := readAt(b, p[1][:], at)
	if err != nil {
		return false, err
	}
	return bytes.Equal(p[0][:n], p[1][:m]), nil
}

// readAt reads up to the end of the file or of the buffer.
func readAt(fd int, b []byte, at int64) (n int, err error) {
	for n < len(b) {
		m, err := unix.Pread(fd, b[n:], at+int64(n))
		if err != nil {
			return n, err
		}
		if m == 0 {
			break
		}
		n += m
	}
	return n, nil
}
