package gc_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	ccontent "github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"berth/store/content"
	"berth/store/gc"
	"berth/store/meta"
	"berth/store/snapshot"
)

// world is a store with a collector and roots that a test sets.
type world struct {
	t     *testing.T
	c     *gc.Collector
	blobs *content.Store
	snaps *snapshot.Overlay
	mu    sync.Mutex
	roots gc.Roots
}

func newWorld(t *testing.T) *world {
	t.Helper()
	root := t.TempDir()
	db, err := meta.Open(filepath.Join(root, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &world{t: t, c: gc.New(), roots: gc.Roots{Blobs: map[digest.Digest]bool{}, Snapshots: map[string]bool{}}}
	if w.blobs, err = content.Open(root, db, content.Options{Hold: w.c.HoldBlob}); err != nil {
		t.Fatal(err)
	}
	if w.snaps, err = snapshot.Open(root, db, snapshot.Options{Hold: w.c.HoldSnapshot}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) blob(data string) digest.Digest {
	w.t.Helper()
	dgst := digest.FromString(data)
	err := ccontent.WriteBlob(context.Background(), w.blobs, data, bytes.NewReader([]byte(data)), ocispec.Descriptor{Digest: dgst, Size: int64(len(data))})
	if err != nil {
		w.t.Error(err)
	}
	return dgst
}

func (w *world) layer(name, parent string) {
	w.t.Helper()
	ctx := context.Background()
	if _, err := w.snaps.Prepare(ctx, gc.UnpackPrefix+name, parent); err != nil {
		w.t.Error(err)
		return
	}
	if err := w.snaps.Commit(ctx, name, gc.UnpackPrefix+name); err != nil {
		w.t.Error(err)
	}
}

func (w *world) keep(fn func(gc.Roots)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn(w.roots)
}

func (w *world) collect() gc.Removed {
	w.t.Helper()
	removed, err := w.c.Collect(context.Background(), w.blobs, w.snaps, func() (gc.Roots, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		r := gc.Roots{Blobs: map[digest.Digest]bool{}, Snapshots: map[string]bool{}}
		for k := range w.roots.Blobs {
			r.Blobs[k] = true
		}
		for k := range w.roots.Snapshots {
			r.Snapshots[k] = true
		}
		return r, nil
	})
	if err != nil {
		w.t.Error(err)
	}
	return removed
}

func TestCollectKeepsWhatRootsNeed(t *testing.T) {
	w := newWorld(t)
	kept, dropped := w.blob("kept"), w.blob("dropped")
	w.layer("base", "")
	w.layer("child", "base")
	w.layer("other", "base")
	w.layer("other2", "other")
	w.layer("container-image", "")
	if _, err := w.snaps.Prepare(t.Context(), "container", "container-image"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.snaps.Prepare(t.Context(), gc.UnpackPrefix+"crashed", "base"); err != nil {
		t.Fatal(err)
	}
	w.keep(func(r gc.Roots) { r.Blobs[kept], r.Snapshots["child"] = true, true })
	removed := w.collect()
	if !slices.Equal(removed.Blobs, []digest.Digest{dropped}) || removed.Bytes < int64(len("dropped")) {
		t.Errorf("blobs: %v, %d bytes", removed.Blobs, removed.Bytes)
	}
	want := []string{"other2", "other", gc.UnpackPrefix + "crashed"}
	slices.Sort(want)
	got := slices.Clone(removed.Snapshots)
	slices.Sort(got)
	if !slices.Equal(got, want) || slices.Index(removed.Snapshots, "other2") > slices.Index(removed.Snapshots, "other") {
		t.Errorf("snapshots: %v", removed.Snapshots)
	}
	if again := w.collect(); len(again.Blobs)+len(again.Snapshots) != 0 {
		t.Errorf("a second collection removes %+v", again)
	}
}

func TestLeaseProtectsWhatIsMadeAndReused(t *testing.T) {
	w := newWorld(t)
	before := w.blob("from before")
	w.layer("layer from before", "")
	unused := w.blob("unused")
	lease := w.c.Lease()
	made := w.blob("made")
	w.blob("from before") // found present
	w.layer("on top", "layer from before")
	if _, err := w.snaps.Prepare(t.Context(), gc.UnpackPrefix+"running", ""); err != nil {
		t.Fatal(err)
	}
	if r := w.collect(); !slices.Equal(r.Blobs, []digest.Digest{unused}) || len(r.Snapshots) != 0 {
		t.Errorf("under a lease: %+v", r)
	}
	second := w.c.Lease()
	lease.Release()
	lease.Release() // counts once
	if r := w.collect(); len(r.Blobs)+len(r.Snapshots) != 0 {
		t.Errorf("under the second of two leases: %+v", r)
	}
	second.Release()
	if r := w.collect(); len(r.Blobs) != 2 || !slices.Contains(r.Blobs, made) || !slices.Contains(r.Blobs, before) || len(r.Snapshots) != 3 {
		t.Errorf("without a lease: %+v", r)
	}
}

// TestCollectGoesOnWithTheRest has a layer that the disk does not let go of.
func TestCollectGoesOnWithTheRest(t *testing.T) {
	w := newWorld(t)
	w.blob("dropped")
	w.layer("stuck", "")
	w.layer("other", "")
	dirs, err := w.snaps.Dirs(t.Context(), "stuck")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(dirs.Upper, dirs.Upper, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dirs.Upper, unix.MNT_DETACH)
	removed, err := w.c.Collect(t.Context(), w.blobs, w.snaps, func() (gc.Roots, error) { return w.roots, nil })
	if err == nil || !slices.Equal(removed.Snapshots, []string{"other"}) || len(removed.Blobs) != 1 {
		t.Errorf("%+v, %v", removed, err)
	}
}

// TestTheLastLeaseCollectsWhatWasSpared has operations that end without a record while
// others go on: what a collection had to leave goes with the last of them.
func TestTheLastLeaseCollectsWhatWasSpared(t *testing.T) {
	for name, leave := range map[string]func(w *world){
		"blob":   func(w *world) { w.blob("of nobody") },
		"layer":  func(w *world) { w.layer("of nobody", "") },
		"unpack": func(w *world) { w.snaps.Prepare(t.Context(), gc.UnpackPrefix+"running", "") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var made []gc.Removed
			w.c.Spared(func() { made = append(made, w.collect()) })
			first, second := w.c.Lease(), w.c.Lease()
			leave(w)
			first.Release()
			if r := w.collect(); len(r.Blobs)+len(r.Snapshots) != 0 {
				t.Errorf("under a lease: %+v", r)
			}
			second.Release()
			if len(made) != 1 || len(made[0].Blobs)+len(made[0].Snapshots) != 1 {
				t.Errorf("the last lease: %+v", made)
			}
			// Nothing is owed to anybody now.
			w.c.Lease().Release()
			w.collect()
			if len(made) != 1 {
				t.Errorf("without need: %+v", made[1:])
			}
		})
	}
}

// TestCollectBesideWriters has writers that store images under leases while
// garbage is collected: nothing they refer to may go.
func TestCollectBesideWriters(t *testing.T) {
	w := newWorld(t)
	w.c.Spared(func() { w.collect() })
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 25 {
				func() {
					lease := w.c.Lease()
					defer lease.Release()
					// Shared between workers and rounds, so often found present.
					shared := w.blob(fmt.Sprint("shared", i%3))
					own := w.blob(fmt.Sprint("own", worker, i))
					layer := fmt.Sprintf("layer-%d-%d", worker, i)
					w.layer(layer, "")
					w.keep(func(r gc.Roots) { r.Blobs[shared], r.Blobs[own], r.Snapshots[layer] = true, true, true })
					lease.Release()
					for _, d := range []digest.Digest{shared, own} {
						if _, err := w.blobs.Info(context.Background(), d); err != nil {
							t.Errorf("a blob that is referred to: %v", err)
						}
					}
					if _, err := w.snaps.Stat(context.Background(), layer); err != nil {
						t.Error(err)
					}
					w.keep(func(r gc.Roots) { delete(r.Blobs, own); delete(r.Snapshots, layer) })
				}()
			}
		})
	}
	stop := make(chan struct{})
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.collect()
			}
		}
	})
	wg.Wait()
	close(stop)
	collector.Wait()
	w.keep(func(r gc.Roots) { clear(r.Blobs) })
	w.collect()
	left := 0
	if err := w.blobs.Walk(t.Context(), func(ccontent.Info) error { left++; return nil }); err != nil || left != 0 {
		t.Errorf("%d blobs are left, %v", left, err)
	}
	err := w.snaps.Walk(t.Context(), func(_ context.Context, i snapshots.Info) error { return fmt.Errorf("left: %s", i.Name) })
	if err != nil && !errdefs.IsNotFound(err) {
		t.Error(err)
	}
}
