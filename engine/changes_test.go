package engine

import (
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"testing"

	"berth/store/diff"

	"github.com/moby/moby/api/types/container"
)

// all is what a sequence yields up to an error, which may be that of asking for it.
func all[T any](list iter.Seq2[T, error], err error) (items []T, _ error) {
	if err != nil {
		return nil, err
	}
	for item, err := range list {
		if err != nil {
			return items, err
		}
		items = append(items, item)
	}
	return items, nil
}

// sequence yields items, and then an error unless it is nil.
func sequence[T any](items []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			yield(*new(T), err)
		}
	}
}

func (r *rig) liveDiff(id string) ([]diff.Change, error) {
	return all(r.Containers.LiveDiff(r.ctx, id))
}

func (r *rig) changes(id string) ([]container.FilesystemChange, error) {
	return all(r.Containers.Changes(r.ctx, id))
}

func TestMountPointsAreNoChanges(t *testing.T) {
	dir := func(p string, k diff.Kind) diff.Change {
		return diff.Change{Path: p, Kind: k, Mode: fs.ModeDir | 0o755}
	}
	file := func(p string, k diff.Kind) diff.Change { return diff.Change{Path: p, Kind: k} }
	paths := func(list []diff.Change) string {
		var b strings.Builder
		for _, ch := range list {
			b.WriteString(ch.Path + " ")
		}
		return strings.TrimSpace(b.String())
	}
	for _, c := range []struct {
		list []diff.Change
		want string
	}{
		{[]diff.Change{dir("/dev", diff.Added), dir("/etc", diff.Modified), file("/etc/hosts", diff.Added), dir("/proc", diff.Added)}, ""},
		{[]diff.Change{dir("/etc", diff.Modified), file("/etc/hosts", diff.Added), file("/etc/own", diff.Added)}, "/etc /etc/own"},
		{[]diff.Change{dir("/etc", diff.Modified)}, "/etc"},
		{[]diff.Change{dir("/etc", diff.Added), file("/etc/x", diff.Added)}, "/etc /etc/x"},
		{[]diff.Change{file("/etc/hosts", diff.Deleted), file("/x", diff.Modified)}, "/etc/hosts /x"},
		// A mode that somebody changed is a change, whatever is mounted there.
		{[]diff.Change{dir("/etc", diff.Metadata), file("/etc/hosts", diff.Added)}, "/etc"},
		{[]diff.Change{dir("/dev", diff.Added), dir("/dev/pts", diff.Added), file("/dev/x", diff.Added), dir("/proc", diff.Added)}, "/dev /dev/x"},
		{[]diff.Change{dir("/a", diff.Modified), dir("/a/b", diff.Modified), file("/a/b/c", diff.Added), dir("/etc", diff.Modified), file("/etc/hosts", diff.Added)}, "/a /a/b /a/b/c"},
	} {
		var dropped []string
		kept, err := all(withoutMountPoints(sequence(c.list, nil), ownPaths(), func(path string) { dropped = append(dropped, path) }), nil)
		if got := paths(kept); got != c.want || err != nil {
			t.Errorf("%s: got %q, want %q; %v", paths(c.list), got, c.want, err)
		}
		if len(kept)+len(dropped) != len(c.list) {
			t.Errorf("%s: dropped %q", paths(c.list), dropped)
		}
	}
}

func TestChangesThatEndInAnError(t *testing.T) {
	broken := errors.New("broken")
	list := []diff.Change{{Path: "/a", Kind: diff.Added}, {Path: "/etc", Kind: diff.Modified, Mode: fs.ModeDir}}
	kept, err := all(withoutMountPoints(sequence(list, broken), ownPaths(), nil), nil)
	if !errors.Is(err, broken) || len(kept) != 1 || !slices.Equal(kept[:1], list[:1]) {
		t.Errorf("%v, %v", kept, err)
	}
}
