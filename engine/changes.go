package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"berth/runtime/mount"
	"berth/store/diff"

	"github.com/moby/moby/api/types/container"
)

// LiveDiff lists what a container has changed in its file system against its
// image, running or not. Its cost is in what changed, not in the image's size.
func (cs *Containers) LiveDiff(ctx context.Context, ref string) ([]diff.Change, error) {
	c, err := cs.get(ref)
	if err != nil {
		return nil, err
	}
	dirs, done, err := cs.e.snapshots.Delta(ctx, snapshotKey(c.id))
	if err != nil {
		return nil, fmt.Errorf("find the writable layer of container %s: %w", c.id, err)
	}
	defer done()
	list, err := cs.compare.Changes(ctx, dirs.Upper, dirs.Lower)
	if err != nil {
		return nil, fmt.Errorf("look for changes of container %s: %w", c.id, err)
	}
	return withoutMountPoints(list, ownPaths()), nil
}

// ownPaths are what the runtime makes in a container's file system only to
// mount over it, and the mark of a container. docker hides them in a layer of their own.
func ownPaths() map[string]bool {
	own := map[string]bool{
		"/dev": true, "/dev/console": true, "/dev/pts": true, "/dev/shm": true, "/dev/mqueue": true,
		"/proc": true, "/sys": true, "/etc": true, "/" + markFile: true,
	}
	for _, name := range []string{resolvFile, hostnameFile, hostsFile} {
		own["/etc/"+name] = true
	}
	return own
}

// withoutMountPoints leaves out own paths that were added, and the directories
// that changed for that reason alone. The list is in the order of paths, parents first.
func withoutMountPoints(list []diff.Change, own map[string]bool) []diff.Change {
	kept := make([]diff.Change, 0, len(list))
	touched := make(map[string]bool) // parents of what was left out
	busy := make(map[string]bool)    // directories with something else in them
	for _, ch := range slices.Backward(list) {
		parent := path.Dir(ch.Path)
		added := own[ch.Path] && ch.Kind == diff.Added && !busy[ch.Path]
		because := ch.Mode.IsDir() && ch.Kind != diff.Added && ch.Kind != diff.Deleted && touched[ch.Path] && !busy[ch.Path]
		if added || because {
			touched[parent] = true
			continue
		}
		busy[parent] = true
		kept = append(kept, ch)
	}
	slices.Reverse(kept)
	return kept
}

// Changes is LiveDiff in docker's terms: content and attributes are one kind.
func (cs *Containers) Changes(ctx context.Context, ref string) ([]container.FilesystemChange, error) {
	list, err := cs.LiveDiff(ctx, ref)
	if err != nil {
		return nil, err
	}
	out := make([]container.FilesystemChange, 0, len(list))
	for _, ch := range list {
		// docker has no kind for "only the mode or the owner".
		kind := container.ChangeModify
		switch ch.Kind {
		case diff.Added:
			kind = container.ChangeAdd
		case diff.Deleted:
			kind = container.ChangeDelete
		}
		out = append(out, container.FilesystemChange{Path: ch.Path, Kind: kind})
	}
	return out, nil
}

// OpenRoot returns a descriptor of the container's root directory: the live
// one of a running container, else of a read-only view of its layers. Walk
// from it with openat2(RESOLVE_IN_ROOT); the caller closes it.
func (cs *Containers) OpenRoot(ctx context.Context, ref string) (*os.File, error) {
	c, err := cs.get(ref)
	if err != nil {
		return nil, err
	}
	if r, _, err := c.running(); err == nil {
		return r.RootFD()
	}
	// Not started meanwhile: the layers must not be mounted twice for writing, and this view is of what nobody writes.
	c.op.Lock()
	defer c.op.Unlock()
	if r, _, err := c.running(); err == nil {
		return r.RootFD()
	}
	return cs.viewLayers(ctx, snapshotKey(c.id))
}

// viewLayers mounts a snapshot that nobody writes to and those below it,
// read-only and in nobody's mount table.
func (cs *Containers) viewLayers(ctx context.Context, key string) (*os.File, error) {
	dirs, err := cs.e.snapshots.Dirs(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("find the layers of %s: %w", key, err)
	}
	m := mount.Mount{Type: "bind", Source: dirs.Upper, Options: []string{"rbind", "ro"}}
	if len(dirs.Lower) > 0 {
		layers := append([]string{dirs.Upper}, dirs.Lower...)
		m = mount.Mount{Type: "overlay", Source: "overlay", Options: []string{
			// As the snapshotter mounts them, whatever the kernel's defaults are.
			"ro", "index=off", "redirect_dir=off", "metacopy=off", "lowerdir=" + strings.Join(layers, ":"),
		}}
	}
	tree, err := m.Tree()
	if err != nil {
		return nil, fmt.Errorf("mount the layers of %s: %w", key, err)
	}
	return tree, nil
}

// Export writes the container's file system as a tar stream.
func (cs *Containers) Export(ctx context.Context, ref string, w io.Writer) (err error) {
	root, err := cs.OpenRoot(ctx, ref)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := diff.WriteTarFrom(ctx, w, root, diff.TarOptions{}); err != nil {
		return fmt.Errorf("export container %s: %w", ref, err)
	}
	return nil
}
