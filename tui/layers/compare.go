package layers

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"berth/engine/api/berthapi"
)

// entries yields what a place shows: what a layer holds, or the difference
// between two sides when one was marked. Both sides come ordered by path, so
// that trees of any size are compared in one pass and without holding them.
// top is the index of the highest layer, on which a container's changes lie.
func (s source) entries(ctx context.Context, p place, top int, changes berthapi.Changes) iter.Seq2[berthapi.Entry, error] {
	if p.against == 0 {
		return s.berth.Entries(ctx, s.image, p.layer, p.union)
	}
	from := s.berth.Entries(ctx, s.image, p.against-1, true)
	if p.layer == live {
		return difference(from, overlay(s.berth.Entries(ctx, s.image, top, true), changes.Changes))
	}
	return difference(from, s.berth.Entries(ctx, s.image, p.layer, true))
}

// difference yields what has to be done to a to get b. Both are ordered by
// path; so is the result. Unchanged files are left out.
func difference(a, b iter.Seq2[berthapi.Entry, error]) iter.Seq2[berthapi.Entry, error] {
	return func(yield func(berthapi.Entry, error) bool) {
		left, right := newCursor(a), newCursor(b)
		defer left.stop()
		defer right.stop()
		for left.ok || right.ok {
			if err := cmp.Or(left.err, right.err); err != nil {
				yield(berthapi.Entry{}, err)
				return
			}
			var e berthapi.Entry
			switch order := compareCursors(left, right); {
			case order < 0:
				e = left.entry
				e.Kind, e.Size = berthapi.Deleted, 0
				left.advance()
			case order > 0:
				e = right.entry
				e.Kind = berthapi.Added
				right.advance()
			default:
				e = right.entry
				e.Kind = kindBetween(left.entry, right.entry)
				left.advance()
				right.advance()
			}
			if e.Kind != berthapi.Unchanged && !yield(e, nil) {
				return
			}
		}
		if err := cmp.Or(left.err, right.err); err != nil {
			yield(berthapi.Entry{}, err)
		}
	}
}

// kindBetween tells two versions of a path apart. An entry of a container has
// no digest: there the container's own word (Kind) counts.
func kindBetween(a, b berthapi.Entry) berthapi.Kind {
	switch {
	case a.Type != b.Type, a.Link != b.Link && a.Type == berthapi.Symlink:
		return berthapi.Modified
	case a.Type == berthapi.File && a.Digest != "" && b.Digest != "" && a.Digest != b.Digest:
		return berthapi.Modified
	case a.Type == berthapi.File && (a.Size != b.Size || b.Digest == "" && b.Kind == berthapi.Modified):
		return berthapi.Modified
	case a.Mode != b.Mode, a.UID != b.UID, a.GID != b.GID:
		return berthapi.Metadata
	}
	return berthapi.Unchanged
}

// overlay yields a tree with the changes of a container done to it.
func overlay(tree iter.Seq2[berthapi.Entry, error], changes []berthapi.Change) iter.Seq2[berthapi.Entry, error] {
	changes = slices.Clone(changes)
	slices.SortFunc(changes, func(a, b berthapi.Change) int { return comparePaths(a.Path, b.Path) })
	return func(yield func(berthapi.Entry, error) bool) {
		left := newCursor(tree)
		defer left.stop()
		gone := "" // a removed directory takes all below with it
		for i := 0; left.ok || i < len(changes); {
			if left.err != nil {
				yield(berthapi.Entry{}, left.err)
				return
			}
			order := -1
			if i < len(changes) {
				order = 1
				if left.ok {
					order = comparePaths(left.entry.Path, changes[i].Path)
				}
			}
			e := left.entry
			if order >= 0 {
				c := changes[i]
				e = entryOf(c)
				i++
				if c.Kind == berthapi.ChangeDeleted || c.Kind == berthapi.ChangeAdded {
					gone = c.Path + "/" // a new directory hides an old one
				}
				if order == 0 {
					if c.Kind == berthapi.ChangeMetadata {
						e.Digest, e.Size = left.entry.Digest, left.entry.Size
					}
					left.advance()
				}
				if c.Kind == berthapi.ChangeDeleted {
					continue
				}
			} else {
				left.advance()
				if gone != "" && strings.HasPrefix(e.Path, gone) {
					continue
				}
			}
			if !yield(e, nil) {
				return
			}
		}
		if left.err != nil {
			yield(berthapi.Entry{}, left.err)
		}
	}
}

// entryOf is a change of a container as an entry of a tree.
func entryOf(c berthapi.Change) berthapi.Entry {
	e := berthapi.Entry{
		Path: c.Path, Kind: berthapi.Modified, Type: berthapi.TypeOf(c.Mode), Mode: berthapi.UnixMode(c.Mode),
		UID: c.UID, GID: c.GID, Link: c.Link, ModTime: c.ModTime,
	}
	if e.Type == berthapi.File {
		e.Size = c.Size
	}
	return e
}

// comparePaths orders paths as the engine does: a directory comes before what
// is in it, and that before anything else ("/usr", "/usr/bin", "/usr-local").
func comparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// cursor stands at an entry of an ordered sequence.
type cursor struct {
	next  func() (berthapi.Entry, error, bool)
	stop  func()
	entry berthapi.Entry
	err   error
	ok    bool
}

func newCursor(seq iter.Seq2[berthapi.Entry, error]) *cursor {
	c := &cursor{}
	c.next, c.stop = iter.Pull2(seq)
	c.advance()
	return c
}

// advance goes to the next entry. A sequence out of order would compare as
// nonsense, so it is an error.
func (c *cursor) advance() {
	before := c.entry.Path
	c.entry, c.err, c.ok = c.next()
	if c.ok && c.err == nil && before != "" && comparePaths(before, c.entry.Path) >= 0 {
		c.err = fmt.Errorf("the engine listed %s after %s", c.entry.Path, before)
	}
}

// compareCursors orders what two cursors stand at; the end comes last.
func compareCursors(a, b *cursor) int {
	switch {
	case !a.ok:
		return 1
	case !b.ok:
		return -1
	}
	return comparePaths(a.entry.Path, b.entry.Path)
}
