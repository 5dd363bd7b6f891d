package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/engine/events"
	"berth/engine/logs"

	"golang.org/x/sys/unix"
)

// text collects log entries.
type text struct{ out, err strings.Builder }

func (w *text) WriteEntry(e logs.Entry) error {
	if e.Stream == "stderr" {
		w.err.Write(e.Line)
	} else {
		w.out.Write(e.Line)
	}
	return nil
}

// log is what a container wrote, following it to its end.
func (r *rig) log(id string) string {
	r.t.Helper()
	var w text
	if err := r.Containers.Logs(r.ctx, id, LogsOptions{Follow: true, Stdout: true, Stderr: true, Tail: -1}, &w); err != nil {
		r.t.Fatal(err)
	}
	return w.out.String() + w.err.String()
}

// output runs a container to its end and returns what it wrote and its exit code.
func (r *rig) output(o CreateOptions) (string, int) {
	r.t.Helper()
	id := r.run(o)
	code := r.exit(id)
	return r.log(id), code
}

// client is the far end of an attached connection.
type client struct {
	t    testing.TB
	conn *os.File
	mu   sync.Mutex
	got  bytes.Buffer
	done chan struct{}
}

// pipe returns a client and the connection to give to the engine.
func (r *rig) pipe() (*client, *os.File) {
	r.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		r.t.Fatal(err)
	}
	c := &client{t: r.t, conn: os.NewFile(uintptr(fds[0]), "client"), done: make(chan struct{})}
	theirs := os.NewFile(uintptr(fds[1]), "server")
	go func() {
		defer close(c.done)
		buf := make([]byte, 4096)
		for {
			n, err := c.conn.Read(buf)
			c.mu.Lock()
			c.got.Write(buf[:n])
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	r.t.Cleanup(func() { c.conn.Close(); theirs.Close() })
	return c, theirs
}

func (c *client) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.String()
}

// end waits until the server closes the connection, and returns all it sent.
func (c *client) end() string {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(patience):
		c.t.Fatalf("the connection is still open; got %q", c.text())
	}
	return c.text()
}

// demux takes docker's frames apart.
func demux(t *testing.T, stream string) (out, err string) {
	t.Helper()
	for b := []byte(stream); len(b) > 0; {
		if len(b) < 8 {
			t.Fatalf("a cut frame: %q", b)
		}
		n := int(binary.BigEndian.Uint32(b[4:8]))
		if b[0] == 2 {
			err += string(b[8 : 8+n])
		} else {
			out += string(b[8 : 8+n])
		}
		b = b[8+n:]
	}
	return out, err
}

// actions are what the events of a subscription say of a container until it is
// removed or, with last, until that action.
func (r *rig) actions(sub *events.Subscription, id, last string) []string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	var got []string
	for {
		msg, err := sub.Next(ctx)
		if err != nil {
			r.t.Fatalf("events so far %v: %v", got, err)
		}
		if msg.Actor.ID != id {
			continue
		}
		got = append(got, string(msg.Action))
		if string(msg.Action) == last {
			return got
		}
	}
}
