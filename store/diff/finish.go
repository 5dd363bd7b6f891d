package diff

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// hideRoot hides all that the layers below have. Overlay takes no notice of
// an opaque root, so each name is hidden by itself.
func (a *applier) hideRoot() error {
	l, err := a.below()
	if err != nil {
		return err
	}
	names, err := l.names()
	if err != nil {
		return err
	}
	for name := range names {
		if err := a.whiteout("/", whiteoutPrefix+name); err != nil {
			return err
		}
	}
	return nil
}

// inheritRoot describes a root that no entry did: as it is below, or as it
// was made if nothing is. The root of a mounted overlay is that of its
// topmost layer.
func (a *applier) inheritRoot() error {
	l, err := a.below()
	if err != nil {
		return err
	}
	fd := a.tree.root
	if len(l.fds) > 0 {
		fd = l.fds[0]
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if fd != a.tree.root {
		if err := copyAttributes(a.tree.root, ".", fd, ".", &st); err != nil {
			return fmt.Errorf("attributes of the root: %w", err)
		}
	}
	a.set(statEntry("/", TypeDir, &st))
	return nil
}

// finish does what later entries would have undone: it sets the times of
// directories.
func (a *applier) finish() error {
	if err := a.small.wait(); err != nil {
		return err
	}
	if a.hideAll {
		if err := a.hideRoot(); err != nil {
			return err
		}
	}
	if !a.rootSet {
		if err := a.inheritRoot(); err != nil {
			return err
		}
	}
	if a.made.lost != "" {
		return fmt.Errorf("%s was unpacked into no directory", a.made.lost)
	}
	return a.times()
}

// times sets the modification times of directories. It goes from one to the next,
// so that each costs the same however deep it is.
func (a *applier) times() error {
	const openPath = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	at, err := unix.Openat(a.tree.root, ".", openPath, 0)
	if err != nil {
		return err
	}
	defer func() { unix.Close(at) }()
	step := func(name string) error {
		if name == "" { // the root
			return nil
		}
		next, err := unix.Openat(at, name, openPath, 0)
		if err != nil {
			return fmt.Errorf("set times in %s: %w", name, err)
		}
		unix.Close(at)
		at = next
		return nil
	}
	visit := func(id uint32, path string) error {
		if a.made.kind(id) != TypeDir {
			return nil
		}
		_, name := split(path)
		if path == "/" {
			name = "."
		}
		ts := timespec(a.made.entry(id, path, false).ModTime)
		if err := unix.UtimesNanoAt(at, name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("set times of %s: %w", shorten(path), err)
		}
		return nil
	}
	return a.made.walk(visit, step, func(name string) error {
		if name != "" {
			name = ".."
		}
		return step(name)
	})
}

// index writes the index of the layer, if path is not "", and returns how many
// entries it has and the bytes of files.
func (a *applier) index(path string) (entries int, size int64, err error) {
	each := func(add func(*Entry) error) error {
		return a.made.walk(func(id uint32, path string) error {
			e := a.made.entry(id, path, true)
			entries++
			size += e.Size
			return add(&e)
		}, nil, nil)
	}
	if path == "" {
		return entries, size, each(func(*Entry) error { return nil })
	}
	err = writeIndexFile(path, func(w *indexWriter) error { return each(w.add) })
	return entries, size, err
}
