// Package gc collects what nothing refers to: blobs and committed snapshots.
//
// What is kept is what the roots name (a function given by whoever knows the
// images), what those depend on (a snapshot keeps its ancestors; an active
// snapshot or a view, say of a container, keeps them too), and what a lease
// protects.
//
// Whoever is about to write holds a lease from before the first blob or
// snapshot until the record that refers to them is stored:
//
//	lease := collector.Lease()
//	defer lease.Release()
//	… write blobs, unpack snapshots, store the image record …
//
// Everything that is created, or found present and reused, while any lease is
// held is spared until no lease is held at all; if a collection did spare
// something, whoever releases the last lease has it made up for (see Spared).
// Leases live in memory: after a crash there are none, and what was half done
// is garbage.
//
// Lock order: Collector.collecting before Collector.mu. Hold and Lease take
// only mu, which is a leaf, so they may be called with the locks of content
// and snapshot held. Release may collect, so it may not.
package gc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
)

// UnpackPrefix begins the keys of active snapshots that layers are unpacked
// into. Unlike other active snapshots they are nobody's, unless leased.
const UnpackPrefix = "unpack-"

// BuildPrefix begins the keys of the snapshots of builds, active ones too: they
// live by the roots alone, unless leased.
const BuildPrefix = "build-"

// nobodys tells whether an active snapshot of that key lives by roots and leases alone.
func nobodys(key string) bool {
	return strings.HasPrefix(key, UnpackPrefix) || strings.HasPrefix(key, BuildPrefix)
}

// Roots are what must be kept for its own sake.
type Roots struct {
	Blobs     map[digest.Digest]bool
	Snapshots map[string]bool
}

// Removed is what a collection took away, in that order.
type Removed struct {
	Snapshots []string // children before parents
	Blobs     []digest.Digest
	Bytes     int64 // of blobs, and disk usage of snapshots
}

// Collector knows the leases. Make one with New.
type Collector struct {
	collecting sync.Mutex // one collection at a time

	mu     sync.Mutex
	leases int
	young  map[string]bool // digests and snapshot names created or used under a lease
	doomed map[string]bool // being removed: no longer to be reused
	idle   *sync.Cond      // doomed has become empty
	spared bool            // something, by a collection, for a lease alone
	again  func()          // see Spared
}

// New returns a collector without leases.
func New() *Collector {
	c := &Collector{young: make(map[string]bool), doomed: make(map[string]bool)}
	c.idle = sync.NewCond(&c.mu)
	return c
}

// Spared has again called, which is to collect, when the last lease ends after a
// collection has spared something for it. It is called by whoever releases that
// lease, and must be set before there is one.
func (c *Collector) Spared(again func()) { c.again = again }

// Lease is the promise that what is made meanwhile will be referred to.
type Lease struct {
	c    *Collector
	once sync.Once
}

// Lease protects whatever is created or reused until it is released.
func (c *Collector) Lease() *Lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leases++
	return &Lease{c: c}
}

// Release ends the protection. Further calls do nothing.
func (l *Lease) Release() {
	l.once.Do(func() {
		if l.c.release() && l.c.again != nil {
			l.c.again()
		}
	})
}

// release ends one lease, and tells whether it was the last and something is to be
// collected now.
func (c *Collector) release() (again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leases--; c.leases > 0 {
		return false
	}
	clear(c.young)
	again, c.spared = c.spared, false
	return again
}

// HoldBlob tells that a blob is about to be created or was found present. If
// it is being removed just now, HoldBlob waits until it is gone. The content
// store calls it; so does who reuses a blob without writing it.
func (c *Collector) HoldBlob(dgst digest.Digest) { c.hold(dgst.String()) }

// HoldSnapshot is HoldBlob for a committed snapshot.
func (c *Collector) HoldSnapshot(name string) { c.hold(name) }

func (c *Collector) hold(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.doomed[id] {
		c.idle.Wait()
	}
	if c.leases > 0 {
		c.young[id] = true
	}
}

// doom reports whether id may be removed, and if so keeps others from
// reusing it until done is called.
func (c *Collector) doom(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young[id] {
		c.spared = true
		return false
	}
	c.doomed[id] = true
	return true
}

func (c *Collector) done(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.doomed, id)
	c.idle.Broadcast()
}

// Collect removes what neither roots nor leases keep. The roots are asked
// for after the leases are known, so a record stored under a lease that ends
// meanwhile is seen.
func (c *Collector) Collect(ctx context.Context, cs content.Store, sn snapshots.Snapshotter, roots func() (Roots, error)) (Removed, error) {
	// A lease held now stays counted until the end, so that nothing young at
	// this moment is forgotten between the question and the removal.
	guard := c.Lease()
	defer guard.Release() // without the lock below, as it may collect
	c.collecting.Lock()
	defer c.collecting.Unlock()

	var out Removed
	r, err := roots()
	if err != nil {
		return out, fmt.Errorf("collect garbage: %w", err)
	}
	// What a failing disk does not give back keeps nothing else.
	if err := errors.Join(c.snapshots(ctx, sn, r.Snapshots, &out), c.blobs(ctx, cs, r.Blobs, &out)); err != nil {
		return out, fmt.Errorf("collect garbage: %w", err)
	}
	return out, nil
}

func (c *Collector) snapshots(ctx context.Context, sn snapshots.Snapshotter, roots map[string]bool, out *Removed) error {
	all := make(map[string]snapshots.Info)
	err := sn.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		all[info.Name] = info
		return nil
	})
	if err != nil {
		return err
	}
	live := make(map[string]bool)
	for name, info := range all {
		if !roots[name] && (info.Kind == snapshots.KindCommitted || nobodys(name)) {
			continue
		}
		for name != "" && !live[name] {
			live[name] = true
			name = all[name].Parent
		}
	}
	var dead []string
	for name, info := range all {
		// An unpack under way belongs to the lease of who does it.
		if !live[name] && (info.Kind == snapshots.KindCommitted || !c.othersLease()) {
			dead = append(dead, name)
		}
	}
	depth := func(name string) (n int) {
		for ; name != ""; name = all[name].Parent {
			n++
		}
		return n
	}
	slices.SortFunc(dead, func(a, b string) int {
		if d := depth(b) - depth(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, name := range dead {
		err = errors.Join(err, c.snapshot(ctx, sn, name, out))
	}
	return err
}

func (c *Collector) snapshot(ctx context.Context, sn snapshots.Snapshotter, name string, out *Removed) error {
	if !c.doom(name) {
		return nil
	}
	defer c.done(name)
	usage, err := sn.Usage(ctx, name)
	if err == nil {
		err = sn.Remove(ctx, name)
	}
	switch {
	case errdefs.IsNotFound(err), errdefs.IsFailedPrecondition(err):
		return nil // gone meanwhile, or spared because of a young child
	case err != nil:
		return err
	}
	out.Snapshots = append(out.Snapshots, name)
	out.Bytes += usage.Size
	return nil
}

func (c *Collector) blobs(ctx context.Context, cs content.Store, roots map[digest.Digest]bool, out *Removed) error {
	var dead []content.Info
	err := cs.Walk(ctx, func(info content.Info) error {
		if !roots[info.Digest] {
			dead = append(dead, info)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, info := range dead {
		if !c.doom(info.Digest.String()) {
			continue
		}
		derr := cs.Delete(ctx, info.Digest)
		c.done(info.Digest.String())
		switch {
		case derr == nil:
			out.Blobs = append(out.Blobs, info.Digest)
			out.Bytes += info.Size
		case !errdefs.IsNotFound(derr):
			err = errors.Join(err, derr)
		}
	}
	return err
}

// othersLease reports whether a lease beside the collection's own is held, for which
// something is spared then.
func (c *Collector) othersLease() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	others := c.leases > 1
	c.spared = c.spared || others
	return others
}
