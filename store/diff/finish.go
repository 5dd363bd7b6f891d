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
	for i := range a.list {
		e := &a.list[i]
		if !e.IsDir() || e.Path == "" {
			continue
		}
		ts := timespec(e.ModTime)
		// The path has no links: those in it were resolved.
		if err := unix.UtimesNanoAt(a.tree.root, at(e.Path), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("set times of %s: %w", e.Path, err)
		}
	}
	return nil
}
