package snapshot

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"

	"berth/runtime/mount"
	"berth/store/diff"
	"berth/store/remove"
)

// The drivers, by docker's names for such. Both keep layers in the same form on disk, so a root can go
// from one to the other.
const (
	// OverlayDriver mounts the layers below a snapshot.
	OverlayDriver = "overlay2"
	// CopyDriver copies them, sharing blocks where the file system can: for
	// file systems that overlay takes no upper directory on, such as another
	// overlay. A snapshot then costs what its image is large.
	CopyDriver = "vfs"
)

// choose sets the driver: the one that is wanted, or what works.
func (o *Overlay) choose(driver string) error {
	switch driver {
	case OverlayDriver, CopyDriver:
		o.driver, o.reason = driver, fmt.Errorf("%s was asked for", driver)
		return nil
	case "":
	default:
		return fmt.Errorf("unknown driver %q, there are %s and %s: %w", driver, OverlayDriver, CopyDriver, errdefs.ErrInvalidArgument)
	}
	o.driver = OverlayDriver
	if o.reason = probe(filepath.Join(o.root, "snapshots")); o.reason != nil {
		o.driver = CopyDriver
	}
	return nil
}

// Driver tells how the layers below new snapshots get into them, and why
// overlay cannot do it if it does not.
func (o *Overlay) Driver() (name string, reason error) { return o.driver, o.reason }

// probe tries whether overlay takes an upper directory in dir. Nothing is
// attached to a mount table.
func probe(dir string) error {
	top, err := os.MkdirTemp(dir, "probe-")
	if err != nil {
		return err
	}
	defer remove.All(top)
	var parts [3]string
	for i, name := range []string{"lower", "upper", "work"} {
		parts[i] = filepath.Join(top, name)
		if err := os.Mkdir(parts[i], 0o700); err != nil {
			return err
		}
	}
	m := mount.Mount{Type: "overlay", Source: "overlay", Options: overlay(parts[:1], "upperdir="+parts[1], "workdir="+parts[2])[0].Options}
	tree, err := m.Tree()
	if err != nil {
		return err
	}
	return tree.Close()
}

// copyLayers makes the directory of a snapshot that holds a copy of its
// ancestors. Done must be called when it is recorded, or will not be.
func (o *Overlay) copyLayers(ctx context.Context, r *record) (done func(), err error) {
	o.mu.Lock()
	layers, err := o.lower(r.Parent)
	if err == nil {
		_, err = o.parent(r.Parent)
	}
	o.leaving[r.Dir] = true // it has no record yet
	o.mu.Unlock()
	recorded := func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.leaving, r.Dir)
	}
	defer func() {
		if err != nil {
			remove.All(o.dir(r))
			recorded()
		}
	}()
	if err != nil {
		return nil, err
	}
	failed := o.disk.failed()
	if err := o.makeDir(r, nil); err != nil {
		return nil, err
	}
	if err := diff.CopyUnion(ctx, layers, o.upper(r)); err != nil {
		return nil, err
	}
	if err := o.disk.sync(failed); err != nil {
		return nil, err
	}
	r.Copied = time.Now()
	return recorded, nil
}

// Delta returns where the layer of a snapshot is; see Snapshotter.
func (o *Overlay) Delta(ctx context.Context, key string) (_ Dirs, done func(), err error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	r, err := o.get(key)
	if err != nil {
		return Dirs{}, nil, err
	}
	dirs := Dirs{Upper: o.upper(r), Index: filepath.Join(o.dir(r), "index")}
	if dirs.Lower, err = o.lower(r.Parent); err != nil {
		return Dirs{}, nil, err
	}
	if r.Copied.IsZero() {
		return dirs, func() {}, nil
	}
	if dirs.Upper, err = o.delta(ctx, r, dirs.Lower); err != nil {
		return Dirs{}, nil, fmt.Errorf("changes of snapshot %q: %w", key, err)
	}
	return dirs, func() { remove.All(dirs.Upper) }, nil
}

// delta makes a directory beside a copy with what is different in it.
func (o *Overlay) delta(ctx context.Context, r *record, layers []string) (string, error) {
	dir := filepath.Join(o.dir(r), "delta-"+rand.Text())
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	if err := diff.Delta(ctx, o.upper(r), layers, r.Copied, dir); err != nil {
		return "", errors.Join(err, remove.All(dir))
	}
	return dir, nil
}

// layerOf makes what a snapshot that holds a copy has changed a layer, in a
// directory of its own: a crash leaves the copy whole. Done is that of
// copyLayers.
func (o *Overlay) layerOf(ctx context.Context, r *record) (dir string, done func(), err error) {
	layer := &record{Dir: newDir()}
	o.mu.Lock()
	layers, err := o.lower(r.Parent)
	o.leaving[layer.Dir] = true
	o.mu.Unlock()
	recorded := func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.leaving, layer.Dir)
	}
	defer func() {
		if err != nil {
			remove.All(o.dir(layer))
			recorded()
		}
	}()
	if err != nil {
		return "", nil, err
	}
	if err := o.makeDir(layer, nil); err != nil {
		return "", nil, err
	}
	return layer.Dir, recorded, diff.Delta(ctx, o.upper(r), layers, r.Copied, o.upper(layer))
}
