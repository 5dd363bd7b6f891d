package diff

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
)

// record is what a layer holds while it is unpacked: its entries, each under its
// name in the directory above. One takes about a hundred bytes, most of them the
// digest and the name: it is kept encoded as it will be in the index, a path is not
// kept at all, and nothing in it is for the garbage collector to look at.
//
// Entries are numbers. What was replaced leaves its bytes, and what was below it,
// which is not found any more.
type record struct {
	nodes [][]node // of nodeChunk each
	count uint32
	data  [][]byte
	bytes int64 // that all of this takes, about

	table []uint32 // open addressing: an entry's number and one, 0 for a free place
	used  int
	seed  maphash.Seed

	// The directory that was looked up last, for what comes next is in it or below.
	path string
	dir  uint32
	lost string // an entry whose directory there is not; that would be a mistake here
	buf  []byte
}

// node is where an entry is: its directory, and what is encoded of it.
type node struct{ parent, chunk, off uint32 }

const (
	nodeChunk = 8 << 10
	dataChunk = 256 << 10
	goneSlot  = ^uint32(0)

	// nodeCost is what an entry takes beside its data: the node, two to three places
	// of the table, and two numbers in walk.
	nodeCost = 12 + 12 + 8
)

func newRecord() *record {
	return &record{table: make([]uint32, 1<<10), seed: maphash.MakeSeed()}
}

func (r *record) node(id uint32) *node { return &r.nodes[id/nodeChunk][id%nodeChunk] }

// encoded is what is kept of an entry; its path is its name.
func (r *record) encoded(id uint32) []byte {
	n := r.node(id)
	b := r.data[n.chunk][n.off:]
	size, skip := binary.Uvarint(b)
	return b[skip : skip+int(size)]
}

// name is that of an entry; it must not be changed.
func (r *record) name(id uint32) []byte {
	b := r.encoded(id)[1:] // it shares nothing with the one before
	size, skip := binary.Uvarint(b)
	return b[skip : skip+int(size)]
}

// kind is the type of an entry.
func (r *record) kind(id uint32) Type {
	b := r.encoded(id)[1:]
	size, skip := binary.Uvarint(b)
	return Type(b[skip+int(size)])
}

// entry is all that is known of an entry but, unless asked for, the digest, which may
// be under way.
func (r *record) entry(id uint32, path string, sum bool) Entry {
	d := decoder{b: r.encoded(id), blind: !sum}
	e := d.entry("")
	e.Path = path
	return e
}

// sum is where the digest of an entry is that has one.
func (r *record) sum(id uint32) []byte {
	b := r.encoded(id)
	d := decoder{b: b, blind: true}
	if e := d.entry(""); e.Attrs != 0 {
		b = b[:len(b)-8]
	}
	return b[len(b)-32:]
}

// slot finds the place of a name in the table: the one it has, or a free one.
func (r *record) slot(parent uint32, name string) (at uint32, found bool) {
	mask := uint32(len(r.table) - 1)
	for at = r.hash(parent, maphash.String(r.seed, name)) & mask; ; at = (at + 1) & mask {
		switch v := r.table[at]; {
		case v == 0:
			return at, false
		case v != goneSlot && r.node(v-1).parent == parent && string(r.name(v-1)) == name:
			return at, true
		}
	}
}

func (r *record) hash(parent uint32, name uint64) uint32 {
	return uint32((name ^ uint64(parent)*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93 >> 32)
}

// child finds a name in a directory.
func (r *record) child(dir uint32, name string) (uint32, bool) {
	at, ok := r.slot(dir, name)
	if !ok {
		return 0, false
	}
	return r.table[at] - 1, true
}

// folder finds a directory by its path.
func (r *record) folder(path string) (id uint32, ok bool) {
	if r.count == 0 {
		return 0, false
	}
	rest, id := path, uint32(0)
	if r.path != "" && Within(path, r.path) {
		rest, id = path[len(r.path):], r.dir
	}
	for name := range strings.SplitSeq(rest, "/") {
		if name == "" {
			continue
		}
		if id, ok = r.child(id, name); !ok {
			return 0, false
		}
	}
	if path != "/" {
		r.path, r.dir = path, id
	}
	return id, true
}

// look finds an entry by its path.
func (r *record) look(path string) (uint32, bool) {
	if path == "/" {
		return 0, r.count > 0
	}
	dir, name := split(path)
	parent, ok := r.folder(dir)
	if !ok {
		return 0, false
	}
	return r.child(parent, name)
}

// set records an entry in the place of the one with the same path, if any.
func (r *record) set(e Entry) (id uint32) {
	path := e.Path
	dir, name := split(path)
	parent, root := uint32(0), path == "/"
	if !root {
		var ok bool
		if parent, ok = r.folder(dir); !ok {
			r.lost = path
			return 0
		}
	}
	e.Path = name
	r.buf = appendEntry(r.buf[:0], "", &e)
	n := node{parent: parent}
	n.chunk, n.off = r.keep(r.buf)
	if root && r.count > 0 {
		*r.node(0) = n
		return 0
	}
	if !root {
		if at, ok := r.slot(parent, name); ok {
			id = r.table[at] - 1
			*r.node(id) = n
			return id
		}
	}
	if r.count%nodeChunk == 0 {
		r.nodes = append(r.nodes, make([]node, nodeChunk))
	}
	id = r.count
	r.count++
	r.bytes += nodeCost
	*r.node(id) = n
	if !root {
		r.insert(id)
	}
	return id
}

// keep appends a copy of b to the data.
func (r *record) keep(b []byte) (chunk, off uint32) {
	last := len(r.data) - 1
	if last < 0 || cap(r.data[last])-len(r.data[last]) < len(b)+binary.MaxVarintLen32 {
		r.data = append(r.data, make([]byte, 0, dataChunk))
		last++
	}
	off = uint32(len(r.data[last]))
	r.data[last] = append(binary.AppendUvarint(r.data[last], uint64(len(b))), b...)
	r.bytes += int64(len(b)) + 2
	return uint32(last), off
}

// insert puts an entry that is not in the table into it.
func (r *record) insert(id uint32) {
	if r.used >= len(r.table)/4*3 {
		old := r.table
		r.table, r.used = make([]uint32, 2*len(old)), 0
		for _, v := range old {
			if v != 0 && v != goneSlot {
				r.place(v - 1)
			}
		}
	}
	r.place(id)
}

func (r *record) place(id uint32) {
	mask := uint32(len(r.table) - 1)
	at := r.hash(r.node(id).parent, maphash.Bytes(r.seed, r.name(id))) & mask
	for r.table[at] != 0 {
		at = (at + 1) & mask
	}
	r.table[at] = id + 1
	r.used++
}

// unset forgets an entry and all below it.
func (r *record) unset(path string) {
	dir, name := split(path)
	r.path = ""
	if parent, ok := r.folder(dir); ok {
		if at, ok := r.slot(parent, name); ok {
			r.table[at] = goneSlot
		}
	}
	r.path = ""
}

// walk calls visit for each entry in the order of ComparePaths. Around what is in a
// directory that has others in it, enter and leave are called, if not nil.
func (r *record) walk(visit func(id uint32, path string) error, enter, leave func(name string) error) error {
	w := recordWalk{record: r, visit: visit, enter: enter, leave: leave, first: make([]uint32, r.count+1)}
	total := uint32(0)
	for _, v := range r.table {
		if v != 0 && v != goneSlot {
			w.first[r.node(v-1).parent]++
			total++
		}
	}
	// First where the next one's begin; filling goes down to where they do.
	for i, sum := 0, uint32(0); i < len(w.first); i++ {
		sum += w.first[i]
		w.first[i] = sum
	}
	w.kids = make([]uint32, total)
	for _, v := range r.table {
		if v != 0 && v != goneSlot {
			at := &w.first[r.node(v-1).parent]
			*at--
			w.kids[*at] = v - 1
		}
	}
	if err := visit(0, "/"); err != nil {
		return err
	}
	return w.dir(0, "/")
}

// recordWalk is a walk.
type recordWalk struct {
	*record
	visit        func(id uint32, path string) error
	enter, leave func(name string) error
	first        []uint32 // by directory: where its entries begin in kids
	kids         []uint32
}

// dir visits what is in a directory.
func (w *recordWalk) dir(id uint32, path string) error {
	kids := w.kids[w.first[id]:w.first[id+1]]
	slices.SortFunc(kids, func(a, b uint32) int { return slices.Compare(w.name(a), w.name(b)) })
	inside := w.enter != nil && slices.ContainsFunc(kids, func(k uint32) bool { return w.kind(k) == TypeDir })
	_, name := split(path)
	if inside {
		if err := w.enter(name); err != nil {
			return err
		}
	}
	for _, k := range kids {
		p := join(path, string(w.name(k)))
		if err := w.visit(k, p); err != nil {
			return err
		}
		if w.kind(k) == TypeDir {
			if err := w.dir(k, p); err != nil {
				return err
			}
		}
	}
	if inside {
		return w.leave(name)
	}
	return nil
}
