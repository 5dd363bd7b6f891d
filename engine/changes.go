package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"berth/runtime/mount"
	"berth/store/diff"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// LiveDiff iterates over what a container has changed in its file system
// against its image, running or not, parents first. Its cost is in what
// changed, not in the image's size, and it holds none of it.
func (cs *Containers) LiveDiff(ctx context.Context, ref string) (iter.Seq2[diff.Change, error], error) {
	c, err := cs.get(ref)
	if err != nil {
		return nil, err
	}
	return func(yield func(diff.Change, error) bool) {
		dirs, done, err := cs.e.snapshots.Delta(ctx, snapshotKey(c.id))
		if err != nil {
			yield(diff.Change{}, fmt.Errorf("find the writable layer of container %s: %w", c.id, err))
			return
		}
		defer done()
		withoutMountPoints(cs.compare.Changes(ctx, dirs.Upper, dirs.Lower), ownPaths(), nil)(yield)
	}, nil
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
// that changed for that reason alone; dropped, if any, is told of them. The
// changes are in the order of paths, parents first.
func withoutMountPoints(changes iter.Seq2[diff.Change, error], own map[string]bool, dropped func(path string)) iter.Seq2[diff.Change, error] {
	if dropped == nil {
		dropped = func(string) {}
	}
	return func(yield func(diff.Change, error) bool) {
		// The directories on the way that may be left out: what is in them decides.
		var open []doubtful
		emit := func(ch diff.Change) bool {
			for _, d := range open {
				if !yield(d.Change, nil) {
					return false
				}
			}
			open = open[:0]
			return yield(ch, nil)
		}
		// leave ends the directories that a path is not in.
		leave := func(path string) bool {
			for len(open) > 0 && (path == "" || !diff.Within(path, open[len(open)-1].Path)) {
				last := open[len(open)-1]
				open = open[:len(open)-1]
				if !last.touched {
					if !emit(last.Change) {
						return false
					}
					continue
				}
				dropped(last.Path)
				if len(open) > 0 {
					open[len(open)-1].touched = true
				}
			}
			return true
		}
		for ch, err := range changes {
			if err != nil {
				yield(diff.Change{}, err)
				return
			}
			if !leave(ch.Path) {
				return
			}
			ours := own[ch.Path] && ch.Kind == diff.Added
			switch {
			case ch.Mode.IsDir() && (ours || ch.Kind == diff.Modified):
				open = append(open, doubtful{ch, ours})
			case ours:
				dropped(ch.Path)
				if len(open) > 0 {
					open[len(open)-1].touched = true
				}
			case !emit(ch):
				return
			}
		}
		leave("")
	}
}

// doubtful is a directory that is left out if it was touched by what is left
// out itself, or is so itself, and has nothing else in it.
type doubtful struct {
	diff.Change
	touched bool
}

// Changes is LiveDiff in docker's terms: content and attributes are one kind.
func (cs *Containers) Changes(ctx context.Context, ref string) (iter.Seq2[container.FilesystemChange, error], error) {
	changes, err := cs.LiveDiff(ctx, ref)
	if err != nil {
		return nil, err
	}
	return func(yield func(container.FilesystemChange, error) bool) {
		for ch, err := range changes {
			// docker has no kind for "only the mode or the owner".
			kind := container.ChangeModify
			switch ch.Kind {
			case diff.Added:
				kind = container.ChangeAdd
			case diff.Deleted:
				kind = container.ChangeDelete
			}
			if !yield(container.FilesystemChange{Path: ch.Path, Kind: kind}, err) {
				return
			}
		}
	}, nil
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
	cs.tell(ref, events.ActionExport)
	return nil
}
