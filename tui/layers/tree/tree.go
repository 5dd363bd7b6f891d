// Package tree holds the files of a layer, of a union of layers, or of a live
// difference, and the rows that a list shows of them.
//
// A Tree is built once and then only read; a million entries take about a
// hundred bytes each. A View adds what the user chose (folds, kinds, a name
// filter, an order) and yields rows; it walks unfolded directories only.
package tree

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Kind says what happened to a path.
type Kind uint8

// The kinds. A Metadata change leaves the content as it was.
const (
	Unchanged Kind = iota
	Added
	Modified
	Metadata
	Deleted
	kinds
)

// String is the mark shown for a kind: A, M, M*, D, or nothing.
func (k Kind) String() string {
	return [...]string{"", "A", "M", "M*", "D"}[min(k, Deleted)]
}

// Entry is one path to be added to a tree; Path is absolute and clean.
type Entry struct {
	Path     string
	Kind     Kind
	Mode     fs.FileMode
	UID, GID int
	Size     int64
	Link     string
	// Bare means that nothing but path and kind is known.
	Bare bool
	// Unread marks a directory whose files are added later, if at all.
	Unread bool
}

// Node is the number of a file in its tree; the root is 0.
type Node int32

// None is no node.
const None Node = -1

const (
	flagDir    = 1 << iota
	flagBare   // mode, owner and size are not known
	flagUnread // a directory whose files are not known yet
)

// node is one file. Children are a chain through next, in no order.
type node struct {
	name               uint32 // where it starts in Tree.names
	nameLen            uint16
	kind               Kind
	flags              uint8
	parent, child, nxt Node
	mode               fs.FileMode
	uid, gid           uint32
	size               int64 // of a directory: of all files in it
}

// Tree is a set of files.
type Tree struct {
	nodes []node
	names []byte
	links map[Node]string
	// Counts is the number of entries of each kind.
	Counts [kinds]int
}

// Builder builds a tree from entries in any order.
type Builder struct {
	t    *Tree
	dirs map[string]Node
}

// NewBuilder starts a tree that has only its root.
func NewBuilder() *Builder {
	t := &Tree{links: map[Node]string{}}
	t.nodes = append(t.nodes, node{parent: None, child: None, nxt: None, flags: flagDir | flagBare, mode: fs.ModeDir})
	return &Builder{t: t, dirs: map[string]Node{"": 0}}
}

// Add adds an entry, and the directories above it that are not there yet.
func (b *Builder) Add(e Entry) {
	path := strings.Trim(e.Path, "/")
	t := b.t
	n, known := b.dirs[path]
	if !known {
		n = b.insert(path)
	}
	p := &t.nodes[n]
	p.kind, p.mode, p.uid, p.gid = e.Kind, e.Mode, uint32(e.UID), uint32(e.GID)
	p.flags &^= flagBare
	if e.Bare {
		p.flags |= flagBare
	}
	if e.Unread {
		p.flags |= flagUnread
	}
	switch {
	case e.Mode.IsDir():
		p.flags |= flagDir
		b.dirs[path] = n
	case e.Kind == Deleted || e.Bare:
		b.dirs[path] = n // it may have been a directory: files below it may follow
	default:
		p.size = e.Size
	}
	if e.Link != "" {
		t.links[n] = e.Link
	}
	if n != 0 {
		t.Counts[e.Kind]++
	}
}

// insert makes the node of a path, below a directory that it makes too.
func (b *Builder) insert(path string) Node {
	dir, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, name = path[:i], path[i+1:]
	}
	parent, ok := b.dirs[dir]
	if !ok {
		parent = b.insert(dir)
		b.t.nodes[parent].flags |= flagDir | flagBare
		b.t.nodes[parent].mode = fs.ModeDir
		b.dirs[dir] = parent
	}
	t := b.t
	n := Node(len(t.nodes))
	if len(name) > 1<<16-1 {
		name = name[:1<<16-1]
	}
	t.nodes = append(t.nodes, node{
		name: uint32(len(t.names)), nameLen: uint16(len(name)),
		parent: parent, child: None, nxt: t.nodes[parent].child,
	})
	t.names = append(t.names, name...)
	t.nodes[parent].child = n
	return n
}

// Read notes that the files of a directory are known, or begin to be.
func (b *Builder) Read(path string) {
	if n, ok := b.dirs[strings.Trim(path, "/")]; ok {
		b.t.nodes[n].flags &^= flagUnread
	}
}

// Snapshot returns what was built so far; building goes on.
func (b *Builder) Snapshot() *Tree {
	t := &Tree{nodes: slices.Clone(b.t.nodes), names: slices.Clone(b.t.names), links: maps.Clone(b.t.links), Counts: b.t.Counts}
	t.finish()
	return t
}

// Tree returns what was built; the builder is spent.
func (b *Builder) Tree() *Tree {
	t := b.t
	b.t, b.dirs = nil, nil
	t.finish()
	return t
}

// finish computes what follows from the entries.
func (t *Tree) finish() {
	for i := range t.nodes {
		if t.nodes[i].child != None {
			t.nodes[i].flags |= flagDir // a deleted or bare path with files below
		}
	}
	// Parents come before their children, so one pass backwards sums up.
	for i := len(t.nodes) - 1; i > 0; i-- {
		n := &t.nodes[i]
		if n.kind != Deleted {
			t.nodes[n.parent].size += n.size
		}
	}
}

// Len is the number of files, directories included, the root not.
func (t *Tree) Len() int { return len(t.nodes) - 1 }

// Size is the size of all files in bytes.
func (t *Tree) Size() int64 { return t.nodes[0].size }

// rawName is the name without a copy; it must not be changed.
func (t *Tree) rawName(n Node) []byte {
	p := &t.nodes[n]
	return t.names[p.name : p.name+uint32(p.nameLen)]
}

// Name is the last part of a path.
func (t *Tree) Name(n Node) string { return string(t.rawName(n)) }

// Path is the absolute path of a node.
func (t *Tree) Path(n Node) string {
	if n == 0 {
		return "/"
	}
	var parts []string
	for ; n > 0; n = t.nodes[n].parent {
		parts = append(parts, t.Name(n))
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(parts[i])
	}
	return b.String()
}

// Find returns the node of a path, or None.
func (t *Tree) Find(path string) Node {
	n := Node(0)
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		c := t.nodes[n].child
		for c != None && string(t.rawName(c)) != part {
			c = t.nodes[c].nxt
		}
		if c == None {
			return None
		}
		n = c
	}
	return n
}

// Info is what a row shows of a node.
type Info struct {
	Kind     Kind
	Mode     fs.FileMode
	UID, GID int
	Size     int64
	Link     string
	Dir      bool
	Bare     bool // nothing but name and kind is known
	Unread   bool // a directory whose files are not known yet
}

// Info returns what is known of a node.
func (t *Tree) Info(n Node) Info {
	p := &t.nodes[n]
	return Info{
		Kind: p.kind, Mode: p.mode, UID: int(p.uid), GID: int(p.gid), Size: p.size, Link: t.links[n],
		Dir: p.flags&flagDir != 0, Bare: p.flags&flagBare != 0, Unread: p.flags&flagUnread != 0,
	}
}

// Files calls f for every regular file that exists at or below n.
func (t *Tree) Files(n Node, f func(path string, info Info)) {
	info := t.Info(n)
	if !info.Dir && info.Mode.IsRegular() && info.Kind != Deleted {
		f(t.Path(n), info)
	}
	for c := t.nodes[n].child; c != None; c = t.nodes[c].nxt {
		t.Files(c, f)
	}
}
