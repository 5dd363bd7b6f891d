package tree

import (
	"bytes"
	"cmp"
	"slices"
)

// Order is the order of the files in a directory.
type Order int

// The orders.
const (
	ByName Order = iota
	BySize       // largest first
)

// openAtOnce is the largest tree whose directories are all unfolded at first.
const openAtOnce = 2000

// Row is one line of the list: a file, or a chain of directories that have
// nothing in them but the next one, drawn as one.
type Row struct {
	Node  Node // the file, or the last directory of the chain
	Top   Node // the first of the chain
	Depth int
	Open  bool
}

// View is a tree as the user wants to see it.
type View struct {
	tree  *Tree
	rows  []Row
	shown []bool // by node; nil when nothing is filtered out

	hidden [kinds]bool
	match  func(path string) bool // nil: all
	order  Order
	folds  map[string]bool // what the user set: path → open
	all    int8            // 1 unfolded all, -1 folded all, 0 as the size suggests
}

// NewView returns a view of nothing.
func NewView() *View { return &View{tree: NewBuilder().Tree(), folds: map[string]bool{}} }

// SetTree shows another tree, with the same folds, filters and order.
func (v *View) SetTree(t *Tree) { v.tree = t; v.update() }

// Tree is what is shown.
func (v *View) Tree() *Tree { return v.tree }

// Rows are the lines of the list, top to bottom.
func (v *View) Rows() []Row { return v.rows }

// ToggleKind shows or hides the files of some kinds.
func (v *View) ToggleKind(ks ...Kind) {
	for _, k := range ks {
		v.hidden[k] = !v.hidden[k]
	}
	v.update()
}

// Hidden reports whether files of a kind are hidden.
func (v *View) Hidden(k Kind) bool { return v.hidden[k] }

// SetFilter shows only paths for which match holds, and the directories above
// them; nil shows all.
func (v *View) SetFilter(match func(path string) bool) { v.match = match; v.update() }

// ToggleOrder changes between the orders.
func (v *View) ToggleOrder() { v.order = 1 - v.order; v.update() }

// Order is the order in force.
func (v *View) Order() Order { return v.order }

// Fold opens or closes the directory of a row.
func (v *View) Fold(r Row) {
	if !v.tree.Info(r.Node).Dir {
		return
	}
	v.folds[v.tree.Path(r.Node)] = !r.Open
	v.update()
}

// FoldAll folds everything, or unfolds it when it was folded.
func (v *View) FoldAll() {
	if v.all != -1 {
		v.all = -1
	} else {
		v.all = 1
	}
	clear(v.folds)
	v.update()
}

// Index is the row of a path or, when that is not shown, of the nearest
// directory above it; -1 without rows.
func (v *View) Index(path string) int {
	n := v.tree.Find(path)
	for ; n > 0; n = v.tree.nodes[n].parent {
		if i := slices.IndexFunc(v.rows, func(r Row) bool { return r.Node == n }); i >= 0 {
			return i
		}
	}
	return -1
}

// open reports whether a directory is unfolded.
func (v *View) open(n Node, depth int) bool {
	if len(v.folds) > 0 {
		if open, ok := v.folds[v.tree.Path(n)]; ok {
			return open
		}
	}
	switch {
	case v.tree.nodes[n].flags&flagUnread != 0:
		return false
	case v.match != nil || v.all > 0:
		return true
	case v.all < 0:
		return false
	}
	return depth < 1 && len(v.tree.nodes) < 50*openAtOnce || len(v.tree.nodes) <= openAtOnce
}

// update computes the rows.
func (v *View) update() {
	v.filter()
	v.rows = v.rows[:0]
	v.walk(0, 0)
}

// walk appends the rows of a directory's files.
func (v *View) walk(dir Node, depth int) {
	files := v.children(dir)
	if v.order == BySize {
		slices.SortFunc(files, func(a, b Node) int {
			return cmp.Or(cmp.Compare(v.tree.nodes[b].size, v.tree.nodes[a].size), bytes.Compare(v.tree.rawName(a), v.tree.rawName(b)))
		})
	} else {
		slices.SortFunc(files, func(a, b Node) int { return bytes.Compare(v.tree.rawName(a), v.tree.rawName(b)) })
	}
	for _, n := range files {
		r := Row{Node: n, Top: n, Depth: depth}
		r.Node = v.chain(n)
		if v.tree.nodes[r.Node].flags&flagDir != 0 {
			r.Open = v.open(r.Node, depth)
		}
		v.rows = append(v.rows, r)
		if r.Open {
			v.walk(r.Node, depth+1)
		}
	}
}

// children are the files of a directory that are shown, unsorted.
func (v *View) children(dir Node) []Node {
	var files []Node
	for c := v.tree.nodes[dir].child; c != None; c = v.tree.nodes[c].nxt {
		if v.shown == nil || v.shown[c] {
			files = append(files, c)
		}
	}
	return files
}

// chain follows directories that nothing was done to and that show one thing
// only, as long as that is a directory too.
func (v *View) chain(n Node) Node {
	for v.tree.nodes[n].kind == Unchanged {
		only := None
		for c := v.tree.nodes[n].child; c != None; c = v.tree.nodes[c].nxt {
			if v.shown != nil && !v.shown[c] {
				continue
			}
			if only != None {
				return n
			}
			only = c
		}
		if only == None || v.tree.nodes[only].flags&flagDir == 0 {
			return n
		}
		n = only
	}
	return n
}

// Label is the text of a row's name: the chain's parts joined.
func (v *View) Label(r Row) string {
	name := v.tree.Name(r.Node)
	for n := r.Node; n != r.Top; {
		n = v.tree.nodes[n].parent
		name = v.tree.Name(n) + "/" + name
	}
	return name
}

// filter computes which nodes are shown.
func (v *View) filter() {
	t := v.tree
	if v.match == nil && v.hidden == ([kinds]bool{}) {
		v.shown = nil
		return
	}
	v.shown = make([]bool, len(t.nodes))
	if v.match != nil {
		v.matchAll(0, nil)
	}
	// Children come after their parents: one pass backwards hands what is
	// shown up to the directories above it.
	above := make([]bool, len(t.nodes))
	for i := len(t.nodes) - 1; i > 0; i-- {
		n := &t.nodes[i]
		// A directory that the layer does not list is there for its files only.
		own := !v.hidden[n.kind] && (v.match == nil || v.shown[i]) && (n.flags&flagBare == 0 || n.kind != Unchanged)
		v.shown[i] = own || above[i]
		if v.shown[i] {
			above[n.parent] = true
		}
	}
}

// matchAll sets shown for the paths below n that match.
func (v *View) matchAll(n Node, path []byte) {
	for c := v.tree.nodes[n].child; c != None; c = v.tree.nodes[c].nxt {
		p := append(append(path, '/'), v.tree.rawName(c)...)
		v.shown[c] = v.match(string(p))
		if v.tree.nodes[c].child != None {
			v.matchAll(c, p)
		}
	}
}

// AllOpen reports whether the user unfolded everything.
func (v *View) AllOpen() bool { return v.all > 0 }
