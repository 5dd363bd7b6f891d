package feed

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	// LogEnd ends the part of one source; Err is nil when its log has no more.
	LogEnd struct {
		Stream, Source int
		Err            error
	}
)

// LogRequest says what to read.
type LogRequest struct {
	Stream  int
	Sources []logs.Source
	Tail    string // "all", or a number of lines of each
	Span    logs.Span
	Gate    *Gate // while it is shut nothing is sent, and soon nothing is read either
}

// options are what the engine is asked for.
func (r LogRequest) options(follow bool) client.ContainerLogsOptions {
	o := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Follow: follow && r.Span.Until.IsZero(), Timestamps: true, Tail: r.Tail}
	if !r.Span.Since.IsZero() {
		o.Since = r.Span.Since.Format(time.RFC3339Nano)
	}
	if !r.Span.Until.IsZero() {
		o.Until = r.Span.Until.Format(time.RFC3339Nano)
	}
	return o
}

// A batch is sent at most this often: often enough to look immediate, seldom
// enough that a flood leaves time for keys.
const batchEvery = 33 * time.Millisecond

// A stream that is this far ahead of the screen waits; the engine keeps the log.
const maxPending = 50_000

// OpenLogs is the command that follows the logs of containers until ctx ends.
// Several are merged by time: what is there already exactly, by reading all of
// them to their present end; what comes after that in the order of its times
// within each batch.
func (f *Feed) OpenLogs(ctx context.Context, r LogRequest) tea.Cmd {
	return func() tea.Msg {
		marks := make([]logs.Mark, len(r.Sources))
		if len(r.Sources) > 1 {
			var err error
			if marks, err = f.history(ctx, r); err != nil && ctx.Err() == nil {
				for i := range r.Sources {
					f.send(LogEnd{Stream: r.Stream, Source: i, Err: err})
				}
			}
			if err != nil {
				return nil
			}
		}
		f.readOn(ctx, r, marks)
		return nil
	}
}

// RejoinLog is the command that reads on in one source, after a mark.
func (f *Feed) RejoinLog(ctx context.Context, r LogRequest, source int, from logs.Mark) tea.Cmd {
	return func() tea.Msg {
		b, done := f.batches(ctx, r)
		err := f.readLog(ctx, r, source, from, func(l logs.Line) { b.add(ctx, l) })
		b.then(func() { f.ended(ctx, r, source, err) })
		b.close()
		<-done
		return nil
	}
}

// readOn follows all sources, each after its mark.
func (f *Feed) readOn(ctx context.Context, r LogRequest, marks []logs.Mark) {
	b, done := f.batches(ctx, r)
	var all sync.WaitGroup
	for i := range r.Sources {
		all.Add(1)
		f.Go(func() {
			defer all.Done()
			err := f.readLog(ctx, r, i, marks[i], func(l logs.Line) { b.add(ctx, l) })
			b.then(func() { f.ended(ctx, r, i, err) })
		})
	}
	all.Wait()
	b.close()
	<-done
}

// ended says that a source has no more lines, unless they were given up.
func (f *Feed) ended(ctx context.Context, r LogRequest, source int, err error) {
	if ctx.Err() == nil {
		f.send(LogEnd{Stream: r.Stream, Source: source, Err: err})
	}
}

// batches starts to hand lines over; done is closed when all were.
func (f *Feed) batches(ctx context.Context, r LogRequest) (b *batcher, done chan struct{}) {
	b = newBatcher(func(lines []logs.Line) {
		r.Gate.pass(ctx)
		if len(r.Sources) > 1 {
			sortByTime(lines)
		}
		if ctx.Err() == nil {
			f.send(LogLines{Stream: r.Stream, Lines: lines})
		}
	})
	done = make(chan struct{})
	f.Go(func() { defer close(done); b.run(ctx) })
	return b, done
}

// sortByTime orders lines; one without a time is the rest of a long line, and
// stays behind the line of its source that came before it.
func sortByTime(lines []logs.Line) {
	type keyed struct {
		key string
		logs.Line
	}
	last := map[int]string{}
	all := make([]keyed, len(lines))
	for i, l := range lines {
		if l.Time != "" {
			last[l.Source] = l.Time
		}
		all[i] = keyed{last[l.Source], l}
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	for i, k := range all {
		lines[i] = k.Line
	}
}

// readLog follows one source after a mark, from its opening to its end.
func (f *Feed) readLog(ctx context.Context, r LogRequest, source int, from logs.Mark, emit func(logs.Line)) error {
	o := r.options(true)
	if from.Time != "" {
		o.Since, o.Tail = from.Time, "all"
	}
	skip := from.Lines
	return f.streamLog(ctx, r.Sources[source].ID, o, func(l logs.Line) {
		if skip > 0 && l.Time == from.Time { // it was read already
			skip--
			return
		}
		l.Source = source
		emit(l)
	})
}

// streamLog reads a log. The container is asked about first, since only its
// configuration tells whether the stream is framed.
func (f *Feed) streamLog(ctx context.Context, id string, o client.ContainerLogsOptions, emit func(logs.Line)) error {
	info, err := f.c.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return fmt.Errorf("inspecting container %s: %w", id, err)
	}
	body, err := f.c.ContainerLogs(ctx, id, o)
	if err != nil {
		return fmt.Errorf("reading the log of container %s: %w", id, err)
	}
	defer body.Close()
	return logs.Read(body, info.Container.Config == nil || !info.Container.Config.Tty, emit)
}

// batcher collects lines between a reader and the screen. Its lock is a leaf.
type batcher struct {
	mu      sync.Mutex
	pending []logs.Line
	after   []func()      // what is to be done once they are delivered
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

// then does something once all lines added until now are delivered.
func (b *batcher) then(do func()) {
	b.mu.Lock()
	b.after = append(b.after, do)
	b.mu.Unlock()
	poke(b.wake)
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
		lines, after := b.pending, b.after
		b.pending, b.after = nil, nil
		b.mu.Unlock()
		poke(b.room)
		if len(lines) > 0 {
			b.deliver(lines)
		}
		for _, do := range after {
			do()
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
