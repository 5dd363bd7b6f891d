package feed

import (
	"context"
	"fmt"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/logs"
)

// Messages of a log stream. Stream is the number given to OpenLogs, so that
// what a stream sent before it was given up can be told apart.
type (
	// LogLines is a batch of lines.
	LogLines struct {
		Stream int
		Lines  []logs.Line
	}
	// LogEnd ends a stream; Err is nil when the container's log has no more.
	LogEnd struct {
		Stream int
		Err    error
	}
)

// A batch is sent at most this often: often enough to look immediate, seldom
// enough that a flood leaves time for keys.
const batchEvery = 33 * time.Millisecond

// A stream that is this far ahead of the screen waits; the engine keeps the log.
const maxPending = 50_000

// OpenLogs is the command that follows the log of a container until ctx ends.
// tail is "all" or a number of lines. While the gate is shut nothing is sent,
// and soon nothing is read either.
func (f *Feed) OpenLogs(ctx context.Context, id string, stream int, tail string, gate *Gate) tea.Cmd {
	return func() tea.Msg {
		err := f.readLogs(ctx, id, stream, tail, gate)
		if ctx.Err() != nil {
			return nil
		}
		return LogEnd{Stream: stream, Err: err}
	}
}

// readLogs is one stream from its opening to its end. The container is asked
// about first, since only its configuration tells whether the stream is framed.
func (f *Feed) readLogs(ctx context.Context, id string, stream int, tail string, gate *Gate) error {
	info, err := f.c.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return fmt.Errorf("inspecting container %s: %w", id, err)
	}
	body, err := f.c.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Follow: true, Timestamps: true, Tail: tail})
	if err != nil {
		return fmt.Errorf("reading the log of container %s: %w", id, err)
	}
	defer body.Close()
	b := newBatcher(func(lines []logs.Line) {
		gate.pass(ctx)
		if ctx.Err() == nil {
			f.send(LogLines{Stream: stream, Lines: lines})
		}
	})
	done := make(chan struct{})
	f.Go(func() { defer close(done); b.run(ctx) })
	mux := info.Container.Config == nil || !info.Container.Config.Tty
	err = logs.Read(body, mux, func(l logs.Line) { b.add(ctx, l) })
	b.close()
	<-done
	return err
}

// batcher collects lines between a reader and the screen. Its lock is a leaf.
type batcher struct {
	mu      sync.Mutex
	pending []logs.Line
	wake    chan struct{} // something is pending
	room    chan struct{} // something was taken
	ended   chan struct{}
	deliver func([]logs.Line)
}

// newBatcher delivers batches to a function, which may block.
func newBatcher(deliver func([]logs.Line)) *batcher {
	return &batcher{wake: make(chan struct{}, 1), room: make(chan struct{}, 1), ended: make(chan struct{}), deliver: deliver}
}

// add appends a line, and waits while too many are pending.
func (b *batcher) add(ctx context.Context, l logs.Line) {
	b.mu.Lock()
	b.pending = append(b.pending, l)
	full := len(b.pending) >= maxPending
	b.mu.Unlock()
	poke(b.wake)
	if full {
		select {
		case <-b.room:
		case <-ctx.Done():
		}
	}
}

// close says that no line comes any more; run delivers the rest and returns.
func (b *batcher) close() { close(b.ended) }

// run delivers until the stream has ended and all of it is delivered.
func (b *batcher) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		ended := false
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-b.ended:
			ended = true
		}
		b.mu.Lock()
		lines := b.pending
		b.pending = nil
		b.mu.Unlock()
		poke(b.room)
		if len(lines) > 0 {
			b.deliver(lines)
		}
		if ended {
			return
		}
		timer.Reset(batchEvery)
		select {
		case <-timer.C:
		case <-b.ended:
		case <-ctx.Done():
			return
		}
	}
}

// poke fills a channel of size one; a poke that is pending already is enough.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
