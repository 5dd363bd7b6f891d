package image

import (
	"context"
	"crypto/rand"
	"io"
	"sync"

	"berth/store/diff"
	"berth/store/gc"
)

// staging is a layer being unpacked into a snapshot that stands alone: it has
// no parent and no name yet. Layers of an image are staged side by side and
// committed in the order of their chain. Whoever starts one holds a lease.
type staging struct {
	store  *Store
	key    string
	upper  string
	cancel context.CancelFunc

	placed chan struct{} // closed when below is set
	place  sync.Once
	below  func(context.Context) ([]string, error)

	done chan struct{} // closed when res and err are set
	res  diff.Result
	err  error
}

// stage starts to unpack the layer that r reads, and closes r at the end.
// opts says how; what concerns the layers below is not in it. Turns, if not
// nil, is given back while waiting for those.
func (s *Store) stage(ctx context.Context, r io.ReadCloser, opts diff.ApplyOptions, turns slots) (*staging, error) {
	key := gc.UnpackPrefix + rand.Text()
	if _, err := s.snapshots.Prepare(ctx, key, ""); err != nil {
		r.Close()
		return nil, err
	}
	dirs, err := s.snapshots.Dirs(ctx, key)
	if err != nil {
		r.Close()
		return nil, s.dropSnapshot(ctx, key, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	g := &staging{store: s, key: key, upper: dirs.Upper, cancel: cancel, placed: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(g.done)
		// A read that waits for bytes to arrive ends with the context, too.
		// It is closed when this is done, also then: a file that is open takes
		// its room although it was removed.
		closed := sync.OnceFunc(func() { r.Close() })
		stop := context.AfterFunc(ctx, closed)
		opts.Index = dirs.Index
		opts.Below = func(ctx context.Context) ([]string, error) {
			if turns != nil {
				turns.give()
				defer turns.retake()
			}
			return g.wait(ctx)
		}
		g.res, g.err = diff.Apply(ctx, dirs.Upper, r, opts)
		stop()
		closed()
		if cerr := context.Cause(ctx); cerr != nil && g.err != nil {
			g.err = cerr
		}
	}()
	return g, nil
}

// wait is how an unpacking layer learns of those below it.
func (g *staging) wait(ctx context.Context) ([]string, error) {
	select {
	case <-g.placed:
		return g.below(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// on puts the layer on others. Only the first call counts.
func (g *staging) on(below func(context.Context) ([]string, error)) {
	g.place.Do(func() {
		g.below = below
		close(g.placed)
	})
}

// result waits until the layer is unpacked.
func (g *staging) result(ctx context.Context) (diff.Result, error) {
	select {
	case <-g.done:
		return g.res, g.err
	case <-ctx.Done():
		return diff.Result{}, context.Cause(ctx)
	}
}

// drop ends the unpacking and removes what there is of it because of an
// error, which it returns.
func (g *staging) drop(ctx context.Context, because error) error {
	g.cancel()
	<-g.done
	return g.store.dropSnapshot(ctx, g.key, because)
}

// dropSnapshot removes a snapshot because of an error, which it returns.
func (s *Store) dropSnapshot(ctx context.Context, key string, because error) error {
	// Also when ctx is what ended the work.
	if err := s.snapshots.Remove(context.WithoutCancel(ctx), key); err != nil {
		s.log.Warn("a broken snapshot stays until the next start", "snapshot", key, "error", err)
	}
	return because
}

// slots bounds how many layers one operation works on at a time. They are
// taken in the order of the chain, and given back while a layer waits for
// those below it, so the lowest one always comes forward.
type slots chan struct{}

func (s slots) give() { <-s }

// retake is take for who gave its turn back to wait; those who have one now
// end or give it back, too.
func (s slots) retake() { s <- struct{}{} }
