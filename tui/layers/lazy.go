package layers

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"berth/engine/api/berthapi"
	"berth/tui/layers/tree"
)

// A tree of many files is read as it is looked at: first what is in the root,
// then each directory that is unfolded, and of a large directory one page
// after the other. So the first screen comes at once, and memory follows what
// is shown. What needs all files (a name filter, an order by size, unfolding
// everything, extracting a directory) reads the whole layer after all.
const (
	// lazyFrom is how many files a tree has that is read lazily.
	lazyFrom = 20_000
	// lazyPage is how many files of one directory are read at a time, and
	// lazyAhead how near to the end of them the cursor comes before the next.
	lazyPage  = 1000
	lazyAhead = 100
)

// lazy is a tree that is read directory by directory.
type lazy struct {
	place   place
	builder *tree.Builder
	pages   map[string]*page // directories that were read, or are being
	whole   bool             // everything is wanted after all
}

// page is how far a directory was read.
type page struct {
	last    string // the path after which to go on
	reading bool
	done    bool
}

// dirMsg are files of a directory.
type dirMsg struct {
	gen     int
	lazy    *lazy
	dir     string
	entries []berthapi.Entry
	err     error
}

// tooLarge reports whether a place has so many files that it is read lazily.
func (m *Model) tooLarge(p place) bool {
	if p.against != 0 || p.layer == live {
		return false
	}
	files := 0
	for _, l := range m.layers {
		switch {
		case l.Index == p.layer:
			return files+l.Added+l.Modified+l.Deleted > lazyFrom
		case p.union:
			files += l.Added - l.Deleted
		}
	}
	return false
}

// wantsAll reports whether what the user chose concerns all files.
func (m *Model) wantsAll() bool {
	return m.filter.Active() || m.view.Order() == tree.BySize || m.view.AllOpen() || m.lazy != nil && m.lazy.whole
}

// readLazily begins with the root.
func (m *Model) readLazily(p place) tea.Cmd {
	m.cancelTree()
	m.loading = place{layer: -2}
	m.treeSeq++ // what a loader still sends is of no interest
	m.lazy = &lazy{place: p, builder: tree.NewBuilder(), pages: map[string]*page{}}
	return m.readDir("/")
}

// readDir reads the next page of a directory.
func (m *Model) readDir(dir string) tea.Cmd {
	l := m.lazy
	at := l.pages[dir]
	if at == nil {
		at = &page{}
		l.pages[dir] = at
	}
	if at.reading || at.done {
		return nil
	}
	at.reading = true
	gen, ctx, from, after := m.gen, m.ctx, m.source(), at.last
	return func() tea.Msg {
		msg := dirMsg{gen: gen, lazy: l, dir: dir}
		msg.entries, msg.err = from.children(ctx, l.place, dir, after)
		return msg
	}
}

// children reads a page of what is directly in a directory.
func (s source) children(ctx context.Context, p place, dir, after string) (list []berthapi.Entry, err error) {
	part := berthapi.Part{Dir: dir, Depth: 1, After: after, Limit: lazyPage}
	for e, err := range s.berth.EntriesOf(ctx, s.image, p.layer, p.union, part) {
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// gotDir takes files of a directory in.
func (m *Model) gotDir(msg dirMsg) tea.Cmd {
	if msg.gen != m.gen || msg.lazy != m.lazy || m.lazy == nil {
		return nil // another choice was made
	}
	at := m.lazy.pages[msg.dir]
	at.reading, at.done = false, msg.err != nil || len(msg.entries) < lazyPage
	if m.treeErr = msg.err; msg.err != nil {
		return nil
	}
	m.lazy.builder.Read(msg.dir)
	for _, e := range msg.entries {
		at.last = e.Path
		m.lazy.builder.Add(tree.Entry{
			Path: e.Path, Kind: kindOf(e.Kind), Mode: e.FileMode(), UID: e.UID, GID: e.GID, Size: e.Size, Link: e.Link,
			Bare: e.Kind == berthapi.Deleted, Unread: e.Type == berthapi.Dir,
		})
	}
	m.setTree(m.lazy.builder.Snapshot())
	return m.readMore()
}

// readMore reads what the last key, or the last answer, made necessary:
// everything, directories that are unfolded, or the next page of one whose end
// is near.
func (m *Model) readMore() tea.Cmd {
	if m.lazy == nil || m.lazy.place != m.place() {
		return nil
	}
	if m.wantsAll() {
		p := m.lazy.place
		m.lazy = nil
		return m.loadTree(p)
	}
	t := m.view.Tree()
	var cmds []tea.Cmd
	last := map[string]string{} // ends of what was read → their directory
	for dir, at := range m.lazy.pages {
		if !at.done && !at.reading {
			last[at.last] = dir
		}
	}
	for i, r := range m.view.Rows() {
		switch info := t.Info(r.Node); {
		case r.Open && info.Unread:
			cmds = append(cmds, m.readDir(t.Path(r.Node)))
		case len(last) > 0 && i < m.cursor+m.height+lazyAhead:
			if dir, ok := last[t.Path(r.Node)]; ok {
				cmds = append(cmds, m.readDir(dir))
			}
		}
	}
	return tea.Batch(cmds...)
}

// readingRoot reports whether not even the root was read.
func (m *Model) readingRoot() bool { return m.lazy != nil && m.lazy.pages["/"].reading }
