package diff

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/containerd/errdefs"
)

// A Tree is the file system that some layers make, or one layer by itself,
// to be read without mounting it.
type Tree struct {
	Indexes []*Index // of the layers, lowest first
	Dirs    []string // their directories, topmost first, as OpenFile takes them
}

// Close closes the indexes.
func (t *Tree) Close() error {
	var errs []error
	for _, x := range t.Indexes {
		errs = append(errs, x.Close())
	}
	return errors.Join(errs...)
}

// Open opens a regular file of the tree.
func (t *Tree) Open(path string) (*os.File, error) { return OpenFile(t.Dirs, path) }

// entries iterates over what is in the tree, without what its topmost layer
// deleted.
func (t *Tree) entries(o MergeOptions) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for u, err := range MergePart(t.Indexes, o) {
			if err == nil && u.Kind == Deleted {
				continue
			}
			if !yield(u.Entry, err) || err != nil {
				return
			}
		}
	}
}

// Difference is a path at which two trees differ. One of Old and New is nil
// if the path was added or deleted.
type Difference struct {
	Path     string
	Kind     Kind
	Old, New *Entry
}

// CompareOptions tune Compare.
type CompareOptions struct {
	Dir         string // compare only at and below it; "" is the root
	IgnoreTimes bool   // another time alone is no difference
}

// Compare iterates over the paths at which two trees differ, in the order of
// ComparePaths: added, deleted, modified (type, content, target of a link,
// device number), or of other metadata only. Of directories that were added
// or deleted, all that is in them is listed too. A directory is listed for its
// own sake only, not because something in it changed.
//
// It reads the indexes side by side; of files, only those whose digest is not
// known and whose size is the same.
func Compare(ctx context.Context, a, b *Tree, o CompareOptions) iter.Seq2[Difference, error] {
	part := MergeOptions{Dir: o.Dir}
	return func(yield func(Difference, error) bool) {
		nextOld, stopOld := iter.Pull2(a.entries(part))
		defer stopOld()
		nextNew, stopNew := iter.Pull2(b.entries(part))
		defer stopNew()
		p := pairing{nextOld: nextOld, nextNew: nextNew}
		for {
			old, cur, err := p.next()
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Difference{}, err)
				return
			}
			if old == nil && cur == nil {
				return
			}
			d, err := differ(ctx, a, b, old, cur, o.IgnoreTimes)
			if err != nil {
				yield(Difference{}, err)
				return
			}
			if d.Kind != Unchanged && !yield(d, nil) {
				return
			}
		}
	}
}

// pairing goes through two sorted sequences of entries at the same pace.
type pairing struct {
	nextOld, nextNew func() (Entry, error, bool)
	old, cur         *Entry // read ahead
	begun            bool
}

// next returns the entries of the next path: one is nil if only the other
// sequence has it, both at the end.
func (p *pairing) next() (old, cur *Entry, err error) {
	if !p.begun {
		p.begun = true
		if err := errors.Join(pull(p.nextOld, &p.old), pull(p.nextNew, &p.cur)); err != nil {
			return nil, nil, err
		}
	}
	order := 0
	switch {
	case p.old == nil && p.cur == nil:
		return nil, nil, nil
	case p.old == nil:
		order = 1
	case p.cur == nil:
		order = -1
	default:
		order = ComparePaths(p.old.Path, p.cur.Path)
	}
	if order <= 0 {
		old = p.old
		err = pull(p.nextOld, &p.old)
	}
	if order >= 0 && err == nil {
		cur = p.cur
		err = pull(p.nextNew, &p.cur)
	}
	return old, cur, err
}

// pull reads the next entry of a sequence, nil at its end.
func pull(next func() (Entry, error, bool), into **Entry) error {
	e, err, ok := next()
	*into = nil
	if ok && err == nil {
		*into = &e
	}
	return err
}

// differ compares what two trees have at one path.
func differ(ctx context.Context, a, b *Tree, old, cur *Entry, ignoreTimes bool) (Difference, error) {
	switch {
	case old == nil:
		return Difference{cur.Path, Added, nil, cur}, nil
	case cur == nil:
		return Difference{old.Path, Deleted, old, nil}, nil
	}
	// What differs between copies; the kind is told without changing them.
	x, y := *old, *cur
	if ignoreTimes {
		y.ModTime = x.ModTime
	}
	if x.Type == TypeRegular && y.Type == TypeRegular && (x.Digest == "" || y.Digest == "") {
		same, err := sameFiles(ctx, a, b, old, cur)
		if err != nil {
			return Difference{}, err
		}
		if y.Digest = x.Digest; !same {
			return Difference{old.Path, Modified, old, cur}, nil
		}
	}
	return Difference{old.Path, compareEntries(&y, &x), old, cur}, nil
}

// sameFiles compares the content of a file in two trees.
func sameFiles(ctx context.Context, a, b *Tree, old, cur *Entry) (bool, error) {
	// The further names of a hard link have no size of their own.
	if old.Size != cur.Size && old.Link == "" && cur.Link == "" {
		return false, nil
	}
	f, err := a.Open(old.Path)
	if err != nil {
		return false, vanishedAs(err)
	}
	defer f.Close()
	g, err := b.Open(cur.Path)
	if err != nil {
		return false, vanishedAs(err)
	}
	defer g.Close()
	return sameStreams(ctx, f, g)
}

// vanishedAs makes nothing of a file of a container that went away meanwhile,
// or became something else: it differs.
func vanishedAs(err error) error {
	if errdefs.IsNotFound(err) || errdefs.IsInvalidArgument(err) {
		return nil
	}
	return err
}

// sameStreams compares to the first difference.
func sameStreams(ctx context.Context, f, g io.Reader) (bool, error) {
	pair := comparePairs.Get().(*comparePair)
	defer comparePairs.Put(pair)
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, ferr := fill(f, pair[0][:])
		m, gerr := fill(g, pair[1][:])
		switch {
		case ferr != nil && ferr != io.EOF:
			return false, ferr
		case gerr != nil && gerr != io.EOF:
			return false, gerr
		case n != m || string(pair[0][:n]) != string(pair[1][:m]):
			return false, nil
		case ferr == io.EOF || gerr == io.EOF:
			return ferr == gerr, nil
		}
	}
}

// Lookup returns the entry of a path of the tree, or an error of kind NotFound.
func (t *Tree) Lookup(path string) (Entry, error) {
	for e, err := range t.entries(MergeOptions{Dir: path}) {
		if err != nil {
			return Entry{}, err
		}
		if e.Path == path {
			return e, nil
		}
		break
	}
	return Entry{}, fmt.Errorf("no file %s: %w", path, errdefs.ErrNotFound)
}

// Follow returns the path that a path leads to when the symbolic links on its
// way are followed, as a process in the tree would: none leads out of it.
func (t *Tree) Follow(path string) (string, error) {
	rest := strings.Split(path, "/")
	at := "/"
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at, _ = split(at)
			continue
		}
		next := join(at, name)
		e, err := t.Lookup(next)
		if err != nil {
			return "", err
		}
		if e.Type != TypeSymlink {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", refuse("%s leads through too many symbolic links", path)
		}
		if strings.HasPrefix(e.Link, "/") {
			at = "/"
		}
		rest = append(strings.Split(e.Link, "/"), rest...)
	}
	return at, nil
}
