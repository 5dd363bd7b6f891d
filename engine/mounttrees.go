package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"berth/engine/spec"
	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/mount"
	"golang.org/x/sys/unix"
)

// Some of what is mounted in a container has no path on the host: volumes with a
// file system of their own, parts of volumes, images. The engine opens it, and the
// container's shim attaches it in its own mount namespace, where the container's
// binds find it.

// treePath is where a shim attaches what mount i of a container comes from.
func (cs *Containers) treePath(id string, i int) string {
	return cs.mountPoint(id) + "@" + strconv.Itoa(i)
}

// needsTree tells that a mount has no path on the host.
func (cs *Containers) needsTree(m spec.Mount) bool {
	switch m.Type {
	case mount.TypeImage:
		return true
	case mount.TypeVolume:
		v, ok := cs.e.Volumes.get(m.Name)
		return ok && hasDevice(v) || m.Subpath != ""
	}
	return false
}

// mountTrees are the open trees of a container that starts.
type mountTrees struct {
	trees  []shim.Tree
	files  []*os.File
	points []spec.Mount // the record's, with the sources that binds find in the shim
	done   []func()
}

// close ends the engine's part; what the shim has attached stays.
func (t *mountTrees) close() {
	for _, f := range t.files {
		f.Close()
	}
	for _, done := range t.done {
		done()
	}
}

// openTrees opens what the mounts of a container need. Until it is closed nobody
// else mounts the file systems of its volumes.
func (cs *Containers) openTrees(ctx context.Context, rec *record) (_ *mountTrees, err error) {
	t := &mountTrees{}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	var lock []string
	for i := range rec.Mounts {
		m := rec.mount(i)
		if m.Type == mount.TypeVolume {
			if v, ok := cs.e.Volumes.get(m.Name); ok && hasDevice(v) {
				lock = append(lock, m.Name)
			}
		}
	}
	// In one order for all, so that nobody waits for each other.
	slices.Sort(lock)
	for _, name := range slices.Compact(lock) {
		t.done = append(t.done, cs.e.Volumes.lockMount(name))
	}
	opened := map[string]string{} // where a volume is attached already: mounted twice it is one file system
	for i := range rec.Mounts {
		m := rec.mount(i)
		if cs.needsTree(m) {
			tree := shim.Tree{Path: cs.treePath(rec.ID, i), Subpath: m.Subpath}
			if tree.Of = opened[m.Name]; tree.Of == "" {
				f, err := cs.openMount(ctx, rec, i)
				if err != nil {
					return nil, err
				}
				t.files = append(t.files, f)
			}
			if m.Type == mount.TypeVolume {
				opened[m.Name] = tree.Path
			}
			t.trees = append(t.trees, tree)
			m.Source = tree.Path
			if m.Subpath != "" {
				m.Source = tree.SubpathAt()
			}
		}
		t.points = append(t.points, m)
	}
	return t, nil
}

// openMount opens the tree of mount i as it is without a subpath.
func (cs *Containers) openMount(ctx context.Context, rec *record, i int) (*os.File, error) {
	m := rec.mount(i)
	if m.Type == mount.TypeImage {
		return cs.viewLayers(ctx, imageMountKey(rec.ID, i))
	}
	v, ok := cs.e.Volumes.get(m.Name)
	if !ok {
		return nil, kind(errdefs.ErrNotFound, "get %s: no such volume", m.Name)
	}
	return cs.e.Volumes.tree(ctx, v)
}

// removeMountPoints removes the places where a shim that was killed had its mounts.
func (cs *Containers) removeMountPoints(id string) {
	// Each fails when there is none, or when a mount is left, which Reap tells.
	os.Remove(cs.mountPoint(id))
	left, _ := filepath.Glob(cs.mountPoint(id) + "@*") // an ID has nothing that Glob would read
	for _, path := range left {
		os.Remove(path)
	}
}

// imageMountPrefix begins the keys of the snapshots that hold mounted images.
const imageMountPrefix = "mount/"

// imageMountKey names the snapshot of the image that is mount i of a container.
func imageMountKey(id string, i int) string {
	return imageMountPrefix + id + "/" + strconv.Itoa(i)
}

// holdImage keeps the layers of an image for a mount, though the image be removed.
func (cs *Containers) holdImage(ctx context.Context, id string, i int, m *spec.Mount) error {
	img, err := cs.e.image(ctx, m.Source, nil)
	if err != nil {
		return err
	}
	chain, err := img.unpack(ctx)
	if err != nil {
		return fmt.Errorf("unpack image %s: %w", m.Source, err)
	}
	if chain == "" {
		return spec.MountError(m.Type, errors.New("image "+m.Source+" has no layers"))
	}
	if _, err := cs.e.snapshots.View(ctx, imageMountKey(id, i), chain); err != nil {
		return fmt.Errorf("hold image %s: %w", m.Source, err)
	}
	m.RW, m.Image = false, img.id // images are shared
	return nil
}

// dropImages lets go of the images that a container has mounted.
func (cs *Containers) dropImages(ctx context.Context, rec *record) error {
	var err error
	for i, m := range rec.Mounts {
		if m.Type == mount.TypeImage {
			if rerr := cs.e.snapshots.Remove(ctx, imageMountKey(rec.ID, i)); !errdefs.IsNotFound(rerr) {
				err = errors.Join(err, rerr)
			}
		}
	}
	return err
}

// ownerOfSnapshot is the container that a snapshot belongs to, if it is one's.
func ownerOfSnapshot(key string) (id string, ok bool) {
	if id, ok := strings.CutPrefix(key, imageMountPrefix); ok {
		id, _, _ = strings.Cut(id, "/")
		return id, true
	}
	return strings.CutPrefix(key, snapshotPrefix)
}

// openStoppedMount opens what mount i of a container that does not run shows, and
// its name in that if it is a file by itself.
func (cs *Containers) openStoppedMount(ctx context.Context, rec *record, i int) (root *os.File, file string, err error) {
	m := rec.mount(i)
	if !cs.needsTree(m) {
		return openSource(m.Source)
	}
	if m.Type == mount.TypeVolume {
		defer cs.e.Volumes.lockMount(m.Name)()
	}
	tree, err := cs.openMount(ctx, rec, i)
	if err != nil || m.Subpath == "" {
		return tree, "", err
	}
	defer tree.Close()
	dir, name := m.Subpath, ""
	for {
		fd, err := unix.Openat2(int(tree.Fd()), dir, &unix.OpenHow{
			Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
		})
		if errors.Is(err, unix.ENOTDIR) && name == "" {
			dir, name = filepath.Split(filepath.Clean(dir))
			dir = filepath.Clean(dir)
			continue
		}
		if err != nil {
			return nil, "", fmt.Errorf("open %s of %s: %w", m.Subpath, m.Destination, err)
		}
		return os.NewFile(uintptr(fd), m.Subpath), name, nil
	}
}
