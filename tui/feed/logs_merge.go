package feed

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"

	"berth/tui/logs"
)

// waiting is how many lines of each source wait to be merged.
const waiting = 256

// merged calls emit with what the logs of the sources hold now, all lines by
// their times, and returns where each of them ended. It stops at an error of emit.
func (f *Feed) merged(ctx context.Context, r LogRequest, emit func(logs.Line) error) ([]logs.Mark, error) {
	g, ctx := errgroup.WithContext(ctx)
	queues := make([]chan logs.Line, len(r.Sources))
	for i := range r.Sources {
		queues[i] = make(chan logs.Line, waiting)
		g.Go(func() error {
			defer close(queues[i])
			return f.streamLog(ctx, r.Sources[i].ID, r.options(false), func(l logs.Line) {
				l.Source = i
				select {
				case queues[i] <- l:
				case <-ctx.Done():
				}
			})
		})
	}
	marks := make([]logs.Mark, len(r.Sources))
	g.Go(func() error { return merge(queues, marks, emit) })
	err := g.Wait()
	return marks, err
}

// merge empties the queues, the oldest line first, and notes where each ended.
func merge(queues []chan logs.Line, marks []logs.Mark, emit func(logs.Line) error) error {
	heads := make([]logs.Line, len(queues))
	open := make([]bool, len(queues))
	times := make([]string, len(queues)) // of the heads; the rest of a cut line has that of its beginning
	advance := func(i int) {
		if heads[i], open[i] = <-queues[i]; open[i] && heads[i].Time != "" {
			times[i] = heads[i].Time
		}
	}
	for i := range queues {
		advance(i)
	}
	for {
		next := -1
		for i := range queues {
			if open[i] && (next < 0 || strings.Compare(times[i], times[next]) < 0) {
				next = i
			}
		}
		if next < 0 {
			return nil
		}
		l := heads[next]
		switch {
		case l.Time == "":
		case l.Time == marks[next].Time:
			marks[next].Lines++
		default:
			marks[next] = logs.Mark{Time: l.Time, Lines: 1}
		}
		if err := emit(l); err != nil {
			return err
		}
		advance(next)
	}
}

// history hands over what the logs hold now, merged.
func (f *Feed) history(ctx context.Context, r LogRequest) ([]logs.Mark, error) {
	b, done := f.batches(ctx, r)
	marks, err := f.merged(ctx, r, func(l logs.Line) error {
		b.add(ctx, l)
		return ctx.Err()
	})
	b.close()
	<-done
	return marks, err
}

// CopyLogs calls write with every line that the logs hold now, merged by time.
func (f *Feed) CopyLogs(ctx context.Context, r LogRequest, write func(logs.Line) error) error {
	r.Tail = "all"
	_, err := f.merged(ctx, r, write)
	return err
}
