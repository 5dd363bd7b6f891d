package diff

import (
	"iter"
	"strings"
)

// UnionEntry is an entry of the union of some layers.
type UnionEntry struct {
	Entry
	Layer int  // which layer provides it, counted from the lowest; of a deleted entry, which did
	Kind  Kind // what the topmost layer did to it
	// Hidden is the size of the lower layers' file that the topmost layer
	// deleted or replaced.
	Hidden int64
}

// MergeOptions choose a part of a union tree.
type MergeOptions struct {
	// Dir is where to begin: at it and below. "" is the root.
	Dir string
	// Depth is how far below Dir to go: 1 for what is directly in it, 0 for
	// all of it. With a depth Dir itself is left out. What is deeper is jumped
	// over, not read.
	Depth int
	// After, the path of an entry, begins with the one that follows it: for
	// who asks for a tree in pieces.
	After string
	// Own leaves out what the topmost layer neither has nor hides. The lower
	// layers are then read only where they must be.
	Own bool
}

// Merge iterates over the union tree of layers, lowest first, at and below
// dir, in the order of ComparePaths. Each entry tells what the topmost layer
// did to it; those it deleted are included. It reads the indexes as it goes.
func Merge(layers []*Index, dir string) iter.Seq2[UnionEntry, error] {
	return MergePart(layers, MergeOptions{Dir: dir})
}

// MergePart is Merge for a part of the tree.
func MergePart(layers []*Index, o MergeOptions) iter.Seq2[UnionEntry, error] {
	if o.Dir == "" {
		o.Dir = "/"
	}
	return newMerge(layers).run(o)
}

// merge walks the indexes side by side. It keeps two views, with and without
// the topmost layer, whose difference is what that layer did.
type merge struct {
	cursors []*cursor
	heads   []*Entry // what each layer has at the present path
	now     view
	before  view
	hidden  string // the tree below a path that the topmost layer hides; "" for none
}

// view tells which layers are visible: in and below a directory, only those
// not lower than a bound are.
type view struct {
	layers int
	stack  []level
}

type level struct {
	dir   string
	bound int
}

func newMerge(layers []*Index) *merge {
	m := &merge{heads: make([]*Entry, len(layers)), now: view{layers: len(layers)}, before: view{layers: len(layers) - 1}}
	for _, x := range layers {
		m.cursors = append(m.cursors, &cursor{x: x})
	}
	return m
}

func (m *merge) err() error {
	for _, c := range m.cursors {
		if c.err != nil {
			return c.err
		}
	}
	return nil
}

func (m *merge) seek(path string) {
	for _, c := range m.cursors {
		c.seek(path)
	}
}

// peek returns the smallest path that a layer has next.
func (m *merge) peek() (path string, ok bool) {
	for _, c := range m.cursors {
		if e := c.peek(); e != nil && (!ok || ComparePaths(e.Path, path) < 0) {
			path, ok = e.Path, true
		}
	}
	return path, ok
}

// next fills heads with the entries of the smallest path and moves past them.
func (m *merge) next() (path string, ok bool) {
	path, ok = m.peek()
	for i, c := range m.cursors {
		m.heads[i] = nil
		if e := c.peek(); ok && e != nil && e.Path == path {
			m.heads[i] = e
			c.advance()
		}
	}
	return path, ok && m.err() == nil
}

// enter makes the views know the directories that dir is in.
func (m *merge) enter(dir string) {
	for i := range len(dir) {
		if dir[i] != '/' {
			continue
		}
		if ancestor := dir[:max(i, 1)]; ancestor != dir {
			m.seek(ancestor)
			if path, ok := m.peek(); ok && path == ancestor {
				m.next()
				m.now.resolve(path, m.heads)
				before, _ := m.before.resolve(path, m.heads)
				m.hide(path, before)
			}
		}
	}
	m.seek(dir)
}

func (m *merge) run(o MergeOptions) iter.Seq2[UnionEntry, error] {
	return func(yield func(UnionEntry, error) bool) {
		if len(m.cursors) == 0 {
			return
		}
		top := len(m.cursors) - 1
		from := o.Dir
		if o.After != "" && Within(o.After, o.Dir) {
			from = o.After
		}
		m.enter(from)
		for {
			if o.Own {
				m.skipUnowned()
			}
			path, ok := m.next()
			if !ok || !Within(path, o.Dir) {
				break
			}
			now, at := m.now.resolve(path, m.heads)
			before, was := m.before.resolve(path, m.heads)
			m.hide(path, before)
			if path != o.After && (o.Depth == 0 || path != o.Dir) {
				u, ok := difference(now, at, before, was, top)
				if ok && o.Own && at != top && u.Kind == Unchanged {
					ok = false
				}
				if ok && !yield(u, nil) {
					return
				}
			}
			if o.Depth > 0 && below(path, o.Dir) >= o.Depth {
				m.seek(afterTree(path))
			}
		}
		if err := m.err(); err != nil {
			yield(UnionEntry{}, err)
		}
	}
}

// below counts how many directories deep path is in dir.
func below(path, dir string) int {
	if path == dir {
		return 0
	}
	return strings.Count(strings.TrimPrefix(path[len(dir):], "/"), "/") + 1
}

// hide notes the tree that the topmost layer hides in the lower ones, if what
// it has at path does.
func (m *merge) hide(path string, before *Entry) {
	e := m.heads[len(m.heads)-1]
	if e != nil && before.isDir() && (!e.IsDir() || e.Opaque) && (m.hidden == "" || !Within(path, m.hidden)) {
		m.hidden = path
	}
}

// skipUnowned moves the lower layers to where the topmost has something next.
// Every directory has an entry, so nothing is missed by that, except inside of
// what the topmost layer hides, where the lower ones are read on.
func (m *merge) skipUnowned() {
	top := m.cursors[len(m.cursors)-1]
	to := "" // past the end
	if e := top.peek(); e != nil {
		to = e.Path
	}
	for _, c := range m.cursors[:len(m.cursors)-1] {
		e := c.peek()
		switch {
		case e == nil, m.hidden != "" && Within(e.Path, m.hidden):
		case to == "":
			c.end()
		case ComparePaths(e.Path, to) < 0:
			c.seek(to)
		}
	}
}

// resolve finds which of the entries at a path is visible, if any, and notes
// what is visible below it.
func (v *view) resolve(path string, heads []*Entry) (found *Entry, layer int) {
	for len(v.stack) > 0 && !Within(path, v.stack[len(v.stack)-1].dir) {
		v.stack = v.stack[:len(v.stack)-1]
	}
	bound := 0
	if len(v.stack) > 0 {
		bound = v.stack[len(v.stack)-1].bound
	}
	below, dirs := bound, false
search:
	for i := v.layers - 1; i >= bound; i-- {
		e := heads[i]
		if e == nil {
			continue
		}
		if !e.IsDir() {
			if found == nil && e.Type != TypeWhiteout {
				found, layer = e, i
			}
			below = i + 1
			break search
		}
		dirs = true
		if found == nil {
			found, layer = e, i
		}
		if e.Opaque {
			below = i
			break search
		}
	}
	for _, e := range heads {
		dirs = dirs || e != nil && e.IsDir()
	}
	if dirs {
		v.stack = append(v.stack, level{path, below})
	}
	return found, layer
}

// difference tells what layer top did, given what is visible with and without
// it.
func difference(now *Entry, at int, before *Entry, was, top int) (UnionEntry, bool) {
	switch {
	case now == nil && before == nil:
		return UnionEntry{}, false
	case now == nil:
		return UnionEntry{*before, was, Deleted, before.Size}, true
	case before == nil:
		return UnionEntry{*now, at, Added, 0}, true
	case at != top:
		return UnionEntry{*now, at, Unchanged, 0}, true
	}
	return UnionEntry{*now, at, compareEntries(now, before), before.Size}, true
}

// compareEntries tells how an entry differs from the one it replaces. The
// time of a directory says nothing.
func compareEntries(e, old *Entry) Kind {
	switch {
	case e.Type != old.Type, e.Digest != old.Digest, e.Device != old.Device,
		e.Type == TypeSymlink && e.Link != old.Link:
		return Modified
	case e.Mode != old.Mode, e.UID != old.UID, e.GID != old.GID, e.Attrs != old.Attrs, !e.IsDir() && !e.ModTime.Equal(old.ModTime):
		return Metadata
	}
	return Unchanged
}

// Stats sum up what a layer does to those below it.
type Stats struct {
	Size     int64 // bytes of the layer's files
	Added    int   // paths; directories count like files
	Modified int   // paths changed in content or metadata
	Deleted  int   // paths no longer visible, with all that was in them
	Wasted   int64 // bytes of files of lower layers that this one hides
}

// LayerStats compares the topmost of layers, lowest first, with the others.
func LayerStats(layers []*Index) (Stats, error) {
	if len(layers) == 0 {
		return Stats{}, nil
	}
	top := len(layers) - 1
	s := Stats{Size: layers[top].size}
	if top == 0 {
		// There is nothing to compare with: the index has counted.
		s.Added = layers[0].entries - layers[0].whiteouts
		return s, nil
	}
	for u, err := range MergePart(layers, MergeOptions{Own: true}) {
		if err != nil {
			return Stats{}, err
		}
		switch u.Kind {
		case Added:
			s.Added++
		case Deleted:
			s.Deleted++
		case Modified, Metadata:
			s.Modified++
		}
		s.Wasted += u.Hidden
	}
	return s, nil
}
