// Package snapshot keeps file system layers and the writable layers of
// containers. Overlay implements containerd's snapshots.Snapshotter, whose
// documentation tells the life of a snapshot (Prepare, Commit, View, Remove).
//
// On disk each snapshot has a directory that keeps its name through Commit:
//
//	snapshots/<d>/fs      the layer, in overlay's terms: whiteouts are
//	                      character devices 0:0, opaque directories carry
//	                      trusted.overlay.opaque
//	snapshots/<d>/work    overlay's work directory (active snapshots)
//	snapshots/<d>/index   the index of the layer, if whoever filled fs
//	                      wrote one (package diff)
//
// What key or name belongs to which directory, parent and kind is in the meta
// database, written last; a directory without a record is removed at Open.
//
// Dirs tells where the parts of a snapshot are, for those who look into the
// layers (diff, browsing) or fill one without mounting it (unpacking).
//
// Lock order: Overlay.mu is a leaf. Records are served from memory; the
// database holds the same and is changed first.
package snapshot

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"berth/store/meta"
	"berth/store/remove"
)

// Snapshotter is containerd's interface and the way to the directories.
type Snapshotter interface {
	snapshots.Snapshotter
	// Dirs returns where the snapshot's own layer and its ancestors are. Of an
	// active snapshot that holds a copy of its ancestors, Upper is all there is.
	Dirs(ctx context.Context, key string) (Dirs, error)
	// Delta is Dirs for who wants to know what an active snapshot changed:
	// Upper is its layer also if it holds a copy. Done must be called after use.
	Delta(ctx context.Context, key string) (_ Dirs, done func(), err error)
	// PrepareWith is Prepare for who has more to record: also runs in the
	// transaction that records the snapshot, and its error undoes it.
	PrepareWith(ctx context.Context, key, parent string, also func(*meta.Tx) error) error
	// Forget is a Remove that leaves the files to the caller, who removes them
	// with files, if not now then later; the next Open does it otherwise. also
	// runs in the transaction that removes the record.
	Forget(ctx context.Context, key string, also func(*meta.Tx) error) (files func() error, err error)
	// Replace gives a committed snapshot the files of an active one, which ends.
	Replace(ctx context.Context, name, key string) error
	// Strays lists directories that no record is of, and may remove them.
	Strays(remove bool) ([]string, error)
}

// Dirs are the places of a snapshot on disk.
type Dirs struct {
	Upper string   // the snapshot's own layer
	Work  string   // overlayfs's own directory beside Upper; only active snapshots have one
	Lower []string // the layers of its ancestors, topmost first
	Index string   // file for the index of Upper (package diff); may not exist
}

// Overlay is a Snapshotter on overlayfs. Make one with Open.
type Overlay struct {
	root    string
	db      *meta.DB
	records meta.Bucket[record]
	hold    func(name string)

	mu   sync.RWMutex
	all  map[string]*record // by key or name; records are replaced, never changed
	kids map[string]int     // number of children by name
	// leaving are directories without a record whose files are still to be
	// removed, or may still be mounted.
	leaving map[string]bool
	// begun is how often writing to the disk had failed when an active snapshot
	// of this process was made, by its directory.
	begun map[string]int

	disk   *disk
	driver string
	reason error // why not overlay
}

var _ Snapshotter = (*Overlay)(nil)

// record is what the database knows of a snapshot.
type record struct {
	Dir     string            `json:"dir"` // in snapshots/
	Kind    snapshots.Kind    `json:"kind"`
	Parent  string            `json:"parent,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Created time.Time         `json:"created"`
	Updated time.Time         `json:"updated"`
	Usage   *snapshots.Usage  `json:"usage,omitempty"` // of committed snapshots, once asked for
	// Copied is when fs had become a copy of all layers below; zero if those are
	// mounted below it.
	Copied time.Time `json:"copied,omitzero"`
}

// Options tune Open.
type Options struct {
	// Hold, if set, is called with the name of every snapshot about to be
	// committed and with every parent about to be used, before that takes
	// effect, so that a collector of garbage can spare them.
	Hold func(name string)
	// Driver is how the layers below a snapshot get into it: OverlayDriver,
	// CopyDriver, or "" for overlay where it works. Snapshots that are there
	// stay as they were made.
	Driver string
	Log    *slog.Logger // slog.Default, if nil
}

// Open opens or creates the snapshots under directory root, with their
// records in db, and removes what a crash left behind.
func Open(root string, db *meta.DB, opts Options) (*Overlay, error) {
	o := &Overlay{root: root, db: db, hold: opts.Hold, all: make(map[string]*record), kids: make(map[string]int), leaving: make(map[string]bool), begun: make(map[string]int)}
	if o.hold == nil {
		o.hold = func(string) {}
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	// Layers hold the set-user-ID programs of images and containers: a user of the host who
	// could pass through might run them (CVE-2021-41091). Containers reach them by mounts only.
	dir := filepath.Join(root, "snapshots")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o700)); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	spread(dir)
	var err error
	if o.disk, err = openDisk(dir); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	defer func() {
		if err != nil {
			o.disk.root.Close()
		}
	}()
	if err = o.choose(opts.Driver); err != nil {
		return nil, fmt.Errorf("open snapshots in %s: %w", root, err)
	}
	if o.records, err = meta.NewBucket[record](db, "snapshots"); err != nil {
		return nil, err
	}
	if err = o.load(opts.Log); err != nil {
		return nil, fmt.Errorf("open snapshots in %s: %w", root, err)
	}
	return o, nil
}

// newDir is a name that was not used before: see spread.
func newDir() string { return rand.Text()[:10] }

func (o *Overlay) dir(r *record) string { return filepath.Join(o.root, "snapshots", r.Dir) }

func (o *Overlay) upper(r *record) string { return filepath.Join(o.dir(r), "fs") }
func (o *Overlay) work(r *record) string  { return filepath.Join(o.dir(r), "work") }

// get returns the record under key; o.mu is held.
func (o *Overlay) get(key string) (*record, error) {
	r := o.all[key]
	if r == nil {
		return nil, fmt.Errorf("snapshot %q: %w", key, errdefs.ErrNotFound)
	}
	return r, nil
}

// lower returns the layers below a snapshot whose parent is given, topmost
// first; o.mu is held.
func (o *Overlay) lower(parent string) ([]string, error) {
	var dirs []string
	for parent != "" {
		r, err := o.get(parent)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, o.upper(r))
		parent = r.Parent
	}
	return dirs, nil
}

// Dirs returns where the snapshot's own layer and its ancestors are.
func (o *Overlay) Dirs(_ context.Context, key string) (Dirs, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	r, err := o.get(key)
	if err != nil {
		return Dirs{}, err
	}
	lower, err := o.lower(r.Parent)
	if err != nil {
		return Dirs{}, err
	}
	if !r.Copied.IsZero() {
		lower = nil // they are in Upper
	}
	d := Dirs{Upper: o.upper(r), Lower: lower, Index: filepath.Join(o.dir(r), "index")}
	if r.Kind == snapshots.KindActive {
		d.Work = o.work(r)
	}
	return d, nil
}

// Mounts returns how to mount an active snapshot or a view.
func (o *Overlay) Mounts(_ context.Context, key string) ([]mount.Mount, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	r, err := o.get(key)
	if err != nil {
		return nil, err
	}
	return o.mounts(key, r)
}

func (o *Overlay) mounts(key string, r *record) ([]mount.Mount, error) {
	if r.Kind == snapshots.KindCommitted {
		return nil, fmt.Errorf("mounts of snapshot %q: it is committed: %w", key, errdefs.ErrFailedPrecondition)
	}
	lower, err := o.lower(r.Parent)
	if err != nil {
		return nil, err
	}
	if !r.Copied.IsZero() {
		mode := "rw"
		if r.Kind == snapshots.KindView {
			mode = "ro"
		}
		return bind(o.upper(r), mode), nil
	}
	if r.Kind == snapshots.KindView {
		switch len(lower) {
		case 0: // a view of nothing
			return bind(o.upper(r), "ro"), nil
		case 1: // overlay wants two layers when there is no upper one
			return bind(lower[0], "ro"), nil
		}
		return overlay(lower), nil
	}
	if len(lower) == 0 {
		return bind(o.upper(r), "rw"), nil
	}
	return overlay(lower, "upperdir="+o.upper(r), "workdir="+o.work(r)), nil
}

func bind(dir, mode string) []mount.Mount {
	return []mount.Mount{{Type: "bind", Source: dir, Options: []string{mode, "rbind"}}}
}

// overlay spells out what the diff of a layer rests on, whatever the kernel
// was built with: a changed file is in the upper directory whole (metacopy)
// and under its own name (redirect_dir). Without index an upper directory can
// be mounted again after its lower layers were copied elsewhere.
func overlay(lower []string, options ...string) []mount.Mount {
	options = append([]string{"index=off", "redirect_dir=off", "metacopy=off"}, options...)
	dirs := ""
	for i, d := range lower {
		if i > 0 {
			dirs += ":"
		}
		dirs += d
	}
	return []mount.Mount{{Type: "overlay", Source: "overlay", Options: append(options, "lowerdir="+dirs)}}
}

// Prepare creates an active snapshot; see snapshots.Snapshotter.
func (o *Overlay) Prepare(ctx context.Context, key, parent string, opts ...snapshots.Opt) ([]mount.Mount, error) {
	return o.create(ctx, snapshots.KindActive, key, parent, nil, opts)
}

// PrepareWith creates an active snapshot; see Snapshotter.
func (o *Overlay) PrepareWith(ctx context.Context, key, parent string, also func(*meta.Tx) error) error {
	_, err := o.create(ctx, snapshots.KindActive, key, parent, also, nil)
	return err
}

// View creates a read-only view of a committed snapshot.
func (o *Overlay) View(ctx context.Context, key, parent string, opts ...snapshots.Opt) ([]mount.Mount, error) {
	return o.create(ctx, snapshots.KindView, key, parent, nil, opts)
}

func (o *Overlay) create(ctx context.Context, kind snapshots.Kind, key, parent string, also func(*meta.Tx) error, opts []snapshots.Opt) (_ []mount.Mount, err error) {
	info := snapshots.Info{}
	for _, opt := range opts {
		if err := opt(&info); err != nil {
			return nil, err
		}
	}
	if parent != "" {
		o.hold(parent)
	}
	failed := o.disk.failed()
	now := time.Now().UTC()
	r := &record{Dir: newDir(), Kind: kind, Parent: parent, Labels: maps.Clone(info.Labels), Created: now, Updated: now}
	if o.driver == CopyDriver && parent != "" {
		done, err := o.copyLayers(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("create snapshot %q: %w", key, err)
		}
		defer done()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	defer func() {
		if err != nil {
			remove.All(o.dir(r))
		}
	}()
	if o.all[key] != nil {
		return nil, fmt.Errorf("snapshot %q: %w", key, errdefs.ErrAlreadyExists)
	}
	below, err := o.parent(parent)
	if err != nil {
		return nil, fmt.Errorf("create snapshot %q: %w", key, err)
	}
	err = o.db.Update(func(tx *meta.Tx) error {
		if r.Copied.IsZero() {
			if err := o.makeDir(r, below); err != nil {
				return err
			}
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return o.records.In(tx).Put(key, *r)
	})
	if err != nil {
		return nil, fmt.Errorf("create snapshot %q: %w", key, err)
	}
	o.all[key] = r
	if kind == snapshots.KindActive {
		o.begun[r.Dir] = failed
	}
	if parent != "" {
		o.kids[parent]++
	}
	return o.mounts(key, r)
}

// parent returns the record of a parent, nil for the empty one; o.mu is held.
func (o *Overlay) parent(name string) (*record, error) {
	if name == "" {
		return nil, nil
	}
	r, err := o.get(name)
	if err == nil && r.Kind != snapshots.KindCommitted {
		err = fmt.Errorf("parent %q is not committed: %w", name, errdefs.ErrInvalidArgument)
	}
	return r, err
}

// names returns the keys and names of all snapshots, sorted.
func (o *Overlay) names() []string {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return slices.Sorted(maps.Keys(o.all))
}
