package server

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"berth/shim/jsonlog"
	"berth/shim/wire"
)

const (
	// queueBound is how much output waits for a client before the process has to;
	// docker's is a megabyte.
	queueBound = 1 << 20
	// blockSize is the most that is written to a client at once.
	blockSize = 64 << 10
	// stall is how long a client may take for one step after the process ended.
	stall = 10 * time.Second
)

// client is a connection attached to a process.
type client struct {
	proc  *process
	opts  wire.Attach
	f     *os.File
	ended func(wire.End)
	done  chan struct{} // closed when the connection is

	mu     sync.Mutex
	cond   sync.Cond // something changed: queue, size, lifted, closing or over
	queue  []*block
	size   int // bytes in the queue, and of the block that is being written
	lifted bool
	last   bool     // nothing more will be queued
	over   wire.End // why it ended, 0 while it lives
}

// block is a piece of a queue. A queue of one piece would leave behind, as it grows for a
// client that does not read, several times of what it holds.
type block struct {
	n    int
	data [blockSize]byte
}

var blocks = sync.Pool{New: func() any { return new(block) }}

// newClient makes a client of the connection fd, which it takes over. ended is told how
// it ended.
func newClient(p *process, opts wire.Attach, fd int, ended func(wire.End)) (*client, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("take over connection: %w", err)
	}
	c := &client{proc: p, opts: opts, f: os.NewFile(uintptr(fd), "client"), ended: ended, done: make(chan struct{})}
	c.cond.L = &c.mu
	return c, nil
}

// run serves the connection. The client is attached to the process's output already.
func (c *client) run() {
	go c.copyIn()
	go func() {
		c.copyOut()
		c.proc.out.detach(c)
		c.mu.Lock()
		if c.over == 0 {
			c.over = wire.EndExited
		}
		end := c.over
		c.mu.Unlock()
		c.close()
		c.ended(end)
		close(c.done)
	}()
}

// end ends the attachment from the client's side.
func (c *client) end(why wire.End) {
	c.mu.Lock()
	if c.over == 0 {
		c.over = why
	}
	c.cond.Broadcast()
	c.mu.Unlock()
	c.f.SetDeadline(time.Unix(1, 0)) // wakes whoever blocks on the connection
}

// finish ends it once everything queued was written.
func (c *client) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = true
	if c.over == 0 {
		c.f.SetWriteDeadline(time.Now().Add(stall))
	}
	c.cond.Broadcast()
}

// lift lets the queue grow over its bound.
func (c *client) lift() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lifted = true
	c.cond.Broadcast()
}

// enqueue adds output of stream s and tells whether the queue is full.
func (c *client) enqueue(s jsonlog.Stream, p []byte) bool {
	if s == jsonlog.Stdout && !c.opts.Stdout || s == jsonlog.Stderr && !c.opts.Stderr {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != 0 {
		return false
	}
	if c.opts.Mux {
		header := [8]byte{0: byte(s)}
		binary.BigEndian.PutUint32(header[4:], uint32(len(p)))
		c.put(header[:])
	}
	c.put(p)
	c.cond.Broadcast()
	return c.full()
}

// put adds to the end of the queue. c.mu is held.
func (c *client) put(p []byte) {
	c.size += len(p)
	for len(p) > 0 {
		if n := len(c.queue); n == 0 || c.queue[n-1].n == blockSize {
			b := blocks.Get().(*block)
			b.n = 0
			c.queue = append(c.queue, b)
		}
		b := c.queue[len(c.queue)-1]
		n := copy(b.data[b.n:], p)
		b.n += n
		p = p[n:]
	}
}

// full tells whether the process has to wait for the client. c.mu is held.
func (c *client) full() bool { return c.size > queueBound && !c.lifted }

// waitRoom blocks while the queue is full and the client lives.
func (c *client) waitRoom() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.full() && c.over == 0 {
		c.cond.Wait()
	}
}

// copyOut writes the queue to the connection until the last of it, or until the client
// is gone.
func (c *client) copyOut() {
	for {
		c.mu.Lock()
		for len(c.queue) == 0 && !c.last && c.over == 0 {
			c.cond.Wait()
		}
		if c.over != 0 || len(c.queue) == 0 {
			c.mu.Unlock()
			return
		}
		b, last := c.queue[0], c.last
		c.queue = slices.Delete(c.queue, 0, 1)
		c.mu.Unlock()
		if last {
			c.f.SetWriteDeadline(time.Now().Add(stall))
		}
		if _, err := c.f.Write(b.data[:b.n]); err != nil {
			c.end(wire.EndGone)
			return
		}
		c.mu.Lock()
		c.size -= b.n
		c.cond.Broadcast()
		c.mu.Unlock()
		blocks.Put(b)
	}
}

// copyIn gives what the client sends to the process, and notices when the client goes
// away.
func (c *client) copyIn() {
	match := matcher{keys: c.opts.DetachKeys}
	buf := make([]byte, 4<<10)
	in := c.opts.Pending
	c.opts.Pending = nil
	for {
		if c.opts.Stdin && len(in) > 0 {
			detached := false
			if c.proc.tty {
				in, detached = match.filter(in)
			}
			if c.proc.stdin != nil && len(in) > 0 {
				// An error means that the process closed its stdin; the rest of the
				// input goes nowhere, as on a pipe.
				c.proc.stdin.Write(in)
			}
			if detached {
				c.end(wire.EndDetached)
				return
			}
		}
		n, err := c.f.Read(buf)
		if n <= 0 || err != nil {
			break
		}
		in = buf[:n]
	}
	if c.opts.Stdin && !c.proc.tty && c.proc.closeStdinAtEOF && c.proc.stdin != nil {
		c.proc.stdin.Close()
	}
	if c.waitHangup() {
		c.end(wire.EndGone)
	}
}

// waitHangup blocks until the client, who has closed its sending side, has closed the
// other too. It returns false if the attachment ended before.
func (c *client) waitHangup() bool {
	raw, err := c.f.SyscallConn()
	if err != nil {
		return false
	}
	return raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, 0)
		return n > 0 || err != nil && err != unix.EINTR
	}) == nil
}

// close closes the connection such that the client reads all that was written and then
// its end: closing a unix socket with unread input would give it ECONNRESET instead.
func (c *client) close() {
	raw, err := c.f.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) {
			unix.Shutdown(int(fd), unix.SHUT_RDWR)
			scratch := make([]byte, 4<<10)
			for range queueBound / len(scratch) {
				if n, err := unix.Read(int(fd), scratch); n <= 0 || err != nil {
					return
				}
			}
		})
	}
	c.f.Close()
}
