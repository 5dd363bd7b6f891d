package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store/diff"
	"berth/store/gc"
)

// flight is the making of one layer: its blob is fetched, verified,
// decompressed, hashed and unpacked, all at the same time, and the layer is
// committed when those below it are. Whoever wants the same layer meanwhile
// joins; when nobody is left, the flight is called off.
//
// Lock order: flights.mu, then flight.mu, which is a leaf.
type flight struct {
	store   *Store
	key     string
	chainID digest.Digest
	parent  digest.Digest // chain ID of the layer below, "" for the lowest
	below   *flight       // of the layer below, nil if that is committed
	diffID  digest.Digest
	blob    ocispec.Descriptor
	source  Source
	staging *staging // the layer, if somebody began to unpack it before
	slots   slots

	ctx    context.Context
	cancel context.CancelFunc
	lease  *gc.Lease
	refs   int // guarded by flights.mu

	staged  chan struct{} // closed when upper is set, or the flight has ended
	upper   string
	done    chan struct{} // closed when err and culprit are set
	err     error
	culprit *flight // where err comes from: this flight or one below

	mu       sync.Mutex
	watchers map[*func(Progress)]bool
	last     Progress
}

// flights are those under way, by chain ID and blob: an image may come with
// another compression of a layer that is being made.
type flights struct {
	mu  sync.Mutex
	all map[string]*flight
}

// join takes part in the flight f is for, which is f itself if there is none
// yet. It returns nil if there is nothing left to do.
func (s *Store) join(ctx context.Context, f *flight) (_ *flight, mine bool) {
	// Held before they are looked for, so that they cannot be collected in
	// between.
	s.gc.HoldSnapshot(f.chainID.String())
	s.gc.HoldBlob(f.blob.Digest)
	f.key = f.chainID.String() + " " + f.blob.Digest.String()
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	if other := s.flights.all[f.key]; other != nil {
		other.refs++
		return other, false
	}
	if f.staging == nil && s.has(ctx, f.chainID, f.blob.Digest) {
		return nil, false
	}
	if s.flights.all == nil {
		s.flights.all = make(map[string]*flight)
	}
	s.flights.all[f.key] = f
	f.refs = 1
	if f.below != nil {
		f.below.refs++
	}
	f.lease = s.gc.Lease()
	// Whoever began may leave while others still want the layer.
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f.staged, f.done = make(chan struct{}), make(chan struct{})
	go f.run()
	return f, true
}

// has reports whether a layer is there, unpacked and as a blob.
func (s *Store) has(ctx context.Context, chainID, blob digest.Digest) bool {
	if _, err := s.snapshots.Stat(ctx, chainID.String()); err != nil {
		return false
	}
	_, err := s.content.Info(ctx, blob)
	return err == nil
}

// leave ends taking part. The last one to leave calls the flight off and
// waits until nothing is left of it.
func (f *flight) leave() {
	fl := &f.store.flights
	fl.mu.Lock()
	f.refs--
	last := f.refs == 0
	fl.mu.Unlock()
	if last {
		f.cancel()
		<-f.done
	}
}

// run makes the layer.
func (f *flight) run() {
	f.err = f.fly()
	if f.err != nil && f.culprit == nil {
		f.culprit = f
	}
	f.slots.give()
	fl := &f.store.flights
	fl.mu.Lock()
	delete(fl.all, f.key)
	fl.mu.Unlock()
	f.cancel()
	f.lease.Release()
	if f.upper == "" {
		close(f.staged)
	}
	// Before it is done: whoever waits for that wants nothing left of those
	// below either, if nobody else is on them.
	if f.below != nil {
		f.below.leave()
	}
	close(f.done)
}

func (f *flight) fly() error {
	s := f.store
	defer s.flushing()()
	blob, err := f.openBlob()
	if err == nil {
		if _, serr := s.snapshots.Stat(f.ctx, f.chainID.String()); serr != nil {
			err = f.unpack(blob)
		} else {
			blob.Close()
			if f.staging != nil {
				f.staging.drop(f.ctx, nil)
			}
		}
		// The blob counts as much as the layer: save and push send it.
		if err != nil {
			f.cancel()
		}
		if berr := blob.wait(); berr != nil && (err == nil || !errors.Is(berr, context.Canceled)) {
			err = berr
		}
	} else if f.staging != nil {
		err = f.staging.drop(f.ctx, err)
	}
	if err == nil {
		f.report(Progress{Stage: LayerDone, Current: f.blob.Size, Total: f.blob.Size})
	}
	return err
}

// unpack stages the layer and commits it on those below.
func (f *flight) unpack(blob *incoming) (err error) {
	s := f.store
	g := f.staging
	if g == nil {
		r := &countingReader{ReadCloser: blob, report: func(n int64) {
			if blob.complete() {
				f.report(Progress{Stage: LayerUnpacking, Current: n, Total: f.blob.Size})
			}
		}}
		if g, err = s.stage(f.ctx, r, diff.ApplyOptions{Digested: blob.fresh}, f.slots); err != nil {
			return err
		}
	} else {
		blob.Close()
	}
	g.on(f.dirsBelow)
	res, err := g.result(f.ctx)
	if err == nil && res.DiffID == "" { // not compressed
		res.DiffID = f.blob.Digest
	}
	if err == nil && res.DiffID != f.diffID {
		err = fmt.Errorf("the layer's content has the digest %s, the image config says %s: %w", res.DiffID, f.diffID, errdefs.ErrInvalidArgument)
	}
	if err == nil {
		// Nothing is made of a blob that has not turned out right. An unpacked
		// layer that does not fit it is its fault: that error tells more.
		err = blob.wait()
	}
	if err != nil {
		return g.drop(f.ctx, err)
	}
	f.upper = g.upper
	close(f.staged)
	if f.below != nil {
		select {
		case <-f.below.done:
			if f.culprit = f.below.culprit; f.below.err != nil {
				return g.drop(f.ctx, f.below.err)
			}
		case <-f.ctx.Done():
			return g.drop(f.ctx, f.ctx.Err())
		}
	}
	return s.commitLayer(f.ctx, f.parent, f.chainID, g.key, res)
}

// dirsBelow are the layers below, topmost first, once they are unpacked.
func (f *flight) dirsBelow(ctx context.Context) ([]string, error) {
	if f.below == nil {
		return f.store.dirsOf(ctx, f.parent)
	}
	select {
	case <-f.below.staged:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.below.upper == "" {
		<-f.below.done
		if f.below.err != nil {
			f.culprit = f.below.culprit
			return nil, f.below.err
		}
		return f.store.dirsOf(ctx, f.parent) // it was there already
	}
	lower, err := f.below.dirsBelow(ctx)
	return append([]string{f.below.upper}, lower...), err
}

// dirsOf are the directories of a committed layer and those below it, topmost
// first.
func (s *Store) dirsOf(ctx context.Context, chainID digest.Digest) ([]string, error) {
	if chainID == "" {
		return nil, nil
	}
	dirs, err := s.snapshots.Dirs(ctx, chainID.String())
	return append([]string{dirs.Upper}, dirs.Lower...), err
}

// watch calls fn with what the flight reports, until the returned function is
// called.
func (f *flight) watch(fn func(Progress)) (stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers == nil {
		f.watchers = make(map[*func(Progress)]bool)
	}
	f.watchers[&fn] = true
	fn(f.last)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, &fn)
	}
}

func (f *flight) report(p Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.Stage < f.last.Stage {
		return // a reader was slower than what it reads
	}
	f.last = p
	for fn := range f.watchers {
		(*fn)(p)
	}
}

// countingReader tells how much was read.
type countingReader struct {
	io.ReadCloser
	n      int64
	report func(int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	c.report(c.n)
	return n, err
}
