package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"berth/engine/logs"
	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
	"golang.org/x/sys/unix"
)

// maxQueued bounds the clients that wait for one container's start; each
// holds a descriptor.
const maxQueued = 64

// queuedAttach is a client that attached before the start.
type queuedAttach struct {
	opts shim.AttachOptions
	conn *os.File // our duplicate
}

// Attach connects a client's socket to the streams of a container. On a
// running one the shim serves it from then on; otherwise it waits for the next
// start, from whose first byte on it will get everything. Attach returns as
// soon as that is arranged.
func (cs *Containers) Attach(ctx context.Context, ref string, opts AttachOptions) error {
	c, err := cs.get(ref)
	if err != nil {
		return err
	}
	if _, err := shim.ParseDetachKeys(opts.DetachKeys); err != nil {
		return kind(errdefs.ErrInvalidArgument, "Invalid detach keys (%s) provided", opts.DetachKeys)
	}
	rec := c.snapshot()
	// docker refuses it; the client would see nothing and could not tell why.
	if rec.State.Paused {
		return kind(errdefs.ErrConflict, "container %s is paused, unpause the container before attach", c.id)
	}
	q := queuedAttach{conn: opts.Conn, opts: shim.AttachOptions{
		Stdin: opts.Stdin && rec.Config.OpenStdin, Stdout: opts.Stdout, Stderr: opts.Stderr,
		DetachKeys: opts.DetachKeys, Mux: opts.Mux && !rec.Config.Tty, Pending: opts.Pending,
	}}
	if opts.Accept == nil {
		opts.Accept = func() (*os.File, []byte, error) { return opts.Conn, opts.Pending, nil }
	}
	// Told before the client can go on: be there anything to hear or not, its start comes after it.
	accept := func() (*os.File, []byte, error) {
		cs.emit(rec, events.ActionAttach)
		return opts.Accept()
	}
	// With Logs the past comes first, so the connection is needed at once.
	if !opts.Logs && opts.Stream {
		if queued, err := c.queue(&q, accept); queued || err != nil {
			return err
		}
	}
	if q.conn, q.opts.Pending, err = accept(); err != nil {
		return err
	}
	if opts.Logs {
		if err := cs.replay(ctx, c, q); err != nil {
			return err
		}
	}
	if !opts.Stream {
		return nil
	}
	for {
		c.mu.Lock()
		r := c.run
		c.mu.Unlock()
		if r == nil {
			if queued, err := c.queue(&q, nil); queued || err != nil {
				return err
			}
			continue // it was started in between
		}
		err := cs.serve(c, r.Client, q)
		if !errdefs.IsUnavailable(err) && !errdefs.IsNotFound(err) {
			return err
		}
		// Its shim is gone: the client gets the next run.
		select {
		case <-r.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// queue lets a client wait for the next start. It does nothing (false) if the
// container runs. accept, if not nil, gives the connection; it is called under
// the lock, for nothing may reach the connection before its end.
func (c *ctr) queue(q *queuedAttach, accept func() (*os.File, []byte, error)) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropVanished()
	switch {
	case c.gone || c.removing:
		return false, kind(errdefs.ErrConflict, "container %s is marked for removal and cannot be attached to", c.id)
	case c.run != nil:
		return false, nil
	case len(c.attaches) >= maxQueued:
		return false, fmt.Errorf("attach to container %s: %d clients wait for its start already: %w", c.id, maxQueued, errdefs.ErrResourceExhausted)
	}
	if accept != nil {
		var err error
		if q.conn, q.opts.Pending, err = accept(); err != nil {
			return false, err
		}
	}
	fd, err := duplicate(q.conn)
	if err != nil {
		return false, fmt.Errorf("keep the connection of a client: %w", err)
	}
	c.attaches = append(c.attaches, queuedAttach{opts: q.opts, conn: os.NewFile(uintptr(fd), "attach")})
	return true, nil
}

// duplicate duplicates a descriptor without touching its mode.
func duplicate(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	cerr := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3) })
	return fd, errors.Join(cerr, err)
}

// serve hands a client's connection to the shim.
func (cs *Containers) serve(c *ctr, client *shim.Client, q queuedAttach) error {
	q.opts.Ended = func(end shim.End) {
		if end == shim.EndDetached {
			cs.emit(c.snapshot(), events.ActionDetach)
		}
	}
	if err := client.Attach(q.opts, q.conn); err != nil {
		return fmt.Errorf("attach to container %s: %w", c.id, err)
	}
	return nil
}

// serveQueue hands the waiting clients to the shim.
func (cs *Containers) serveQueue(c *ctr, client *shim.Client, queue []queuedAttach) {
	for _, q := range queue {
		if err := cs.serve(c, client, q); err != nil {
			cs.e.log.Warn("a client that waited for the start is gone", "id", c.id, "err", err)
		}
		q.conn.Close()
	}
}

// dropVanished closes those of the waiting clients that have hung up. The
// container's lock is held.
func (c *ctr) dropVanished() {
	c.attaches = slices.DeleteFunc(c.attaches, func(q queuedAttach) bool {
		// One that only closed its sending side still wants the output.
		fds := []unix.PollFd{{Fd: int32(q.conn.Fd())}}
		n, err := unix.Poll(fds, 0)
		gone := err == nil && n > 0 && fds[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
		if gone {
			q.conn.Close()
		}
		return gone
	})
}

// dropAttaches closes the clients that wait for a start that will not come.
func (c *ctr) dropAttaches() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.attaches {
		q.conn.Close()
	}
	c.attaches = nil
}

func (cs *Containers) dropAttaches() {
	for _, c := range cs.all() {
		c.dropAttaches()
	}
}

// replay writes what the log holds to a client before its stream begins.
func (cs *Containers) replay(ctx context.Context, c *ctr, q queuedAttach) error {
	w := &frameWriter{w: q.conn, mux: q.opts.Mux}
	return logs.Read(ctx, cs.logPath(c.snapshot()), logs.Options{Stdout: q.opts.Stdout, Stderr: q.opts.Stderr, Tail: -1}, nil, w.WriteEntry)
}

// frameWriter writes log entries as docker's multiplexed stream, or raw.
type frameWriter struct {
	w   io.Writer
	mux bool
	buf []byte
}

// WriteEntry implements LogWriter.
func (f *frameWriter) WriteEntry(e logs.Entry) error {
	f.buf = f.buf[:0]
	if f.mux {
		stream := byte(1)
		if e.Stream == "stderr" {
			stream = 2
		}
		f.buf = append(f.buf, stream, 0, 0, 0)
		f.buf = binary.BigEndian.AppendUint32(f.buf, uint32(len(e.Line)))
	}
	f.buf = append(f.buf, e.Line...)
	_, err := f.w.Write(f.buf)
	return err
}
