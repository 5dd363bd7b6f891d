package foreign

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strings"

	"berth/engine/api/berthapi"
)

// node is a path of a tree that layers make.
type node struct {
	entry    *entry
	children map[string]*node
}

// find is the node at a path, nil without one.
func (n *node) find(p string) *node {
	for name := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if n != nil && name != "" {
			n = n.children[name]
		}
	}
	return n
}

// walk calls do for a node and all in it, in no order.
func (n *node) walk(do func(*entry)) {
	if n.entry != nil {
		do(n.entry)
	}
	for _, c := range n.children {
		c.walk(do)
	}
}

// hide counts what disappears with a node.
func (l *layer) hide(n *node) {
	n.walk(func(e *entry) {
		l.deleted++
		l.wasted += e.size
	})
}

// apply puts a layer on a tree. What it does to each path, and how much of the tree it hides, is
// noted in the layer.
func (l *layer) apply(root *node) {
	l.added, l.modified, l.deleted, l.wasted = 0, 0, 0, 0
	for _, dir := range l.opaque {
		if n := root.find(dir); n != nil {
			for name, c := range n.children {
				if !l.names(path.Join(dir, name)) {
					l.hide(c)
					delete(n.children, name)
				}
			}
		}
	}
	for _, e := range l.entries {
		if at := root.find(path.Dir(e.path)); e.kind == berthapi.Deleted && at != nil {
			if n := at.children[path.Base(e.path)]; n != nil {
				l.hide(n)
				delete(at.children, path.Base(e.path))
			}
		}
	}
	for _, e := range l.entries {
		if e.kind != berthapi.Deleted {
			l.add(root.find(path.Dir(e.path)), e)
		}
	}
}

// names tells whether a layer has a path.
func (l *layer) names(p string) bool {
	_, ok := l.find(p)
	return ok
}

func (l *layer) find(p string) (*entry, bool) {
	i, ok := slices.BinarySearchFunc(l.entries, p, func(e *entry, p string) int { return compare(e.path, p) })
	if !ok {
		return nil, false
	}
	return l.entries[i], true
}

// add puts an entry into a directory of the tree. Parents come first, and are all named.
func (l *layer) add(at *node, e *entry) {
	if at == nil {
		return // below what the same layer says is no directory
	}
	name := path.Base(e.path)
	old := at.children[name]
	if old == nil {
		if at.children == nil {
			at.children = map[string]*node{}
		}
		l.note(e, berthapi.Added)
		l.added++
		at.children[name] = &node{entry: e}
		return
	}
	kind := e.against(old.entry)
	l.note(e, kind)
	if kind != berthapi.Unchanged {
		l.modified++
	}
	l.wasted += old.entry.size
	if e.implied && old.entry.mode.IsDir() {
		return
	}
	if old.entry = e; !e.mode.IsDir() {
		for _, c := range old.children {
			l.hide(c)
		}
		old.children = nil
	}
}

// note gives an entry its kind, once: later only trees are made, by many at a time.
func (l *layer) note(e *entry, kind berthapi.Kind) {
	if !l.noted {
		e.kind = kind
	}
}

// against tells what was done to a path.
func (e *entry) against(old *entry) berthapi.Kind {
	switch same := e.mode == old.mode && e.uid == old.uid && e.gid == old.gid; {
	case e.mode.Type() != old.mode.Type(), e.size != old.size, e.sum != old.sum, !e.mode.IsRegular() && e.link != old.link:
		return berthapi.Modified
	case e.mode.IsDir() && (same || e.implied):
		return berthapi.Unchanged
	}
	return berthapi.Metadata
}

// union is what layers, lowest first, make together; what the topmost deletes is in it too.
func union(layers []*layer) []*entry {
	root := &node{entry: &entry{path: "/", mode: fs.ModeDir | 0o755}}
	for _, l := range layers {
		own := *l
		own.apply(root)
	}
	top := layers[len(layers)-1]
	var all []*entry
	for _, c := range root.children {
		c.walk(func(e *entry) {
			if own, ok := top.find(e.path); !ok || own != e {
				below := *e
				below.kind = berthapi.Unchanged
				e = &below
			}
			all = append(all, e)
		})
	}
	for _, e := range top.entries {
		if e.kind == berthapi.Deleted {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return compare(a.path, b.path) })
	return all
}

// compare orders paths so that a directory comes right before what is in it.
func compare(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			switch {
			case a[i] == '/':
				return -1
			case b[i] == '/':
				return 1
			}
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

// waste is by dive's rules, as [berthapi.Waste] has them. The size of a directory that is deleted
// is what the tree below held of it.
func waste(layers []*layer) berthapi.Waste {
	type seen struct {
		count       int
		size, least int64
	}
	paths := map[string]*seen{}
	root := &node{}
	var w berthapi.Waste
	for i, l := range layers {
		w.Size += l.bytes
		if i > 0 {
			w.UserSize += l.bytes
		}
		for k, e := range l.entries {
			if e.mode.IsDir() && k+1 < len(l.entries) && strings.HasPrefix(l.entries[k+1].path, e.path+"/") {
				continue // it is not empty
			}
			size := e.size
			if n := root.find(e.path); e.kind == berthapi.Deleted && n != nil && n.entry.mode.IsDir() {
				n.walk(func(e *entry) { size += e.size })
			}
			s := paths[e.path]
			if s == nil {
				s = &seen{least: size}
				paths[e.path] = s
			}
			s.count, s.size, s.least = s.count+1, s.size+size, min(s.least, size)
		}
		l.apply(root)
		l.noted = true
	}
	var least, all int64
	for p, s := range paths {
		all, least = all+s.size, least+s.least
		if s.count > 1 {
			w.Wasted += s.size
			w.Files = append(w.Files, berthapi.WastedFile{Path: p, Count: s.count, Size: s.size})
		}
	}
	slices.SortFunc(w.Files, func(a, b berthapi.WastedFile) int {
		if a.Size != b.Size {
			return cmp.Compare(b.Size, a.Size)
		}
		return strings.Compare(a.Path, b.Path)
	})
	w.Efficiency = 1
	if all > 0 {
		w.Efficiency = float64(least) / float64(all)
	}
	if w.UserSize > 0 {
		w.UserPercent = float64(w.Wasted) / float64(w.UserSize)
	}
	return w
}
