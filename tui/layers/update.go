package layers

import (
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/containerd/errdefs"

	"berth/engine/api/berthapi"
	"berth/tui/edit"
	"berth/tui/layers/tree"
	"berth/tui/list"
	"berth/tui/pager"
)

// Update handles one message.
func (m *Model) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case layersMsg:
		if msg.gen == m.gen {
			return m.gotLayers(msg)
		}
	case treeMsg:
		return m.gotTree(msg)
	case countsMsg:
		return m.recounted(msg)
	case dirMsg:
		return m.gotDir(msg)
	case wasteMsg:
		if msg.gen == m.gen && msg.err == nil {
			m.waste = &msg.waste
		}
	case liveMsg:
		if msg.gen == m.gen {
			return m.gotLive(msg)
		}
	case pollMsg:
		if msg.gen == m.gen {
			m.polling = false
			return m.startPolling()
		}
	case fileMsg:
		if msg.gen == m.gen && m.viewer != nil && msg.seq == m.viewer.seq {
			return m.gotFile(msg)
		}
	case tea.KeyPressMsg:
		return tea.Batch(m.pressed(msg), m.readMore())
	case tea.PasteMsg:
		if m.typing != nil && m.typing.Update(msg) {
			m.applyFilter()
		}
		return m.readMore()
	}
	return nil
}

// gotLayers takes the list of layers and shows the top one, or the live one.
func (m *Model) gotLayers(msg layersMsg) tea.Cmd {
	m.loaded, m.err = true, msg.err
	if msg.err != nil {
		return nil
	}
	m.layers = nil
	for _, l := range msg.layers {
		if !l.Empty {
			m.layers = append(m.layers, l)
		}
	}
	return tea.Batch(m.choose(m.rows()-1), m.loadWaste()) // the top layer, or the live one
}

// gotTree takes the files of a place, or their beginning.
func (m *Model) gotTree(msg treeMsg) tea.Cmd {
	if msg.gen != m.gen || msg.seq != m.treeSeq {
		if msg.more != nil {
			return msg.more.drop
		}
		return nil // cancelled by another choice
	}
	var rest tea.Cmd
	if msg.more != nil {
		rest = msg.more.rest
	} else {
		m.loading = place{layer: -2}
		if msg.err == nil && msg.place.layer != live {
			m.remember(msg.place, msg.tree)
			rest = m.recount()
		}
	}
	if msg.place == m.place() {
		if m.treeErr = msg.err; msg.err == nil {
			m.setTree(msg.tree)
		}
	}
	return rest
}

// gotLive takes a live difference in and asks for the next one.
func (m *Model) gotLive(msg liveMsg) tea.Cmd {
	m.polling = false
	m.now, m.liveErr, m.bare = msg.at, msg.err, msg.bare
	var again tea.Cmd
	switch {
	case msg.err != nil && errdefs.IsNotFound(msg.err):
		return nil // the container is gone
	case msg.err != nil:
		msg.took = pollMax / pollCost
	case !msg.same:
		m.changed = msg.at
		if m.liveTree == nil {
			m.changed = newest(msg.changes)
		}
		m.changes, m.liveTree = msg.changes, msg.tree
		m.liveSize = written(msg.changes)
		switch p := m.place(); {
		case !m.loaded || p.layer != live:
		case p.against == 0:
			m.setTree(msg.tree)
		default: // a comparison with the container follows it
			delete(m.trees, p)
			again = m.loadTree(p)
		}
	}
	if !m.visible {
		return again
	}
	m.polling = true
	return tea.Batch(again, m.schedule(msg.took))
}

// written is how much the container wrote, in bytes.
func written(changes []berthapi.Change) (n int64) {
	for _, c := range changes {
		if c.Kind == berthapi.ChangeAdded || c.Kind == berthapi.ChangeModified {
			n += c.Size
		}
	}
	return n
}

// newest is the time of the last change to a file.
func newest(changes []berthapi.Change) (t time.Time) {
	for _, ch := range changes {
		if ch.ModTime.After(t) {
			t = ch.ModTime
		}
	}
	return t
}

// gotFile puts a file into the viewer; a difference is shown first where there is one.
func (m *Model) gotFile(msg fileMsg) tea.Cmd {
	v := m.viewer
	v.loading, v.msg = false, msg
	v.asDiff = msg.diff != nil
	v.pager = pager.New(pager.Static(v.lines()), false)
	if msg.missed != nil {
		return notice(NoticeMsg{Text: msg.missed.Error()})
	}
	return nil
}

// lines are what the viewer shows.
func (v *viewer) lines() []string {
	if v.asDiff {
		return v.msg.diff
	}
	return v.msg.lines
}

// pressed handles a key.
func (m *Model) pressed(k tea.KeyPressMsg) tea.Cmd {
	if m.typing != nil {
		return m.typeFilter(k)
	}
	if m.focus == onFile && m.viewer != nil {
		return m.viewerKey(k)
	}
	b := m.keys
	switch {
	case key.Matches(k, b.back):
		return m.back()
	case key.Matches(k, b.next):
		m.cycle()
	case key.Matches(k, b.left):
		m.focus = onLayers
	case key.Matches(k, b.right):
		m.focus = onFiles
	case key.Matches(k, b.added):
		m.change(func() { m.view.ToggleKind(tree.Added) })
	case key.Matches(k, b.modified):
		m.change(func() { m.view.ToggleKind(tree.Modified, tree.Metadata) })
	case key.Matches(k, b.removed):
		m.change(func() { m.view.ToggleKind(tree.Deleted) })
	case key.Matches(k, b.unchanged):
		m.change(func() { m.view.ToggleKind(tree.Unchanged) })
	case key.Matches(k, b.order):
		m.change(m.view.ToggleOrder)
	case key.Matches(k, b.attrs):
		m.attrs = (m.attrs + 1) % 3
	case key.Matches(k, b.foldAll):
		m.change(m.view.FoldAll)
	case key.Matches(k, b.filter):
		m.typing = &edit.Field{}
		m.typing.Set(m.filter.String())
		m.focus = onFiles
	case key.Matches(k, b.compare):
		return m.compare()
	case key.Matches(k, b.union):
		m.union = !m.union
		return m.showPlace()
	case m.focus == onLayers:
		return m.layersKey(k)
	default:
		return m.filesKey(k)
	}
	return nil
}

// back closes the innermost thing that is open.
func (m *Model) back() tea.Cmd {
	switch {
	case m.viewer != nil:
		m.viewer = nil
		m.focus = onFiles
	case m.filter.Active():
		m.filter = list.Filter{}
		m.change(m.setMatch)
	case m.mark >= 0:
		return m.uncompare()
	default:
		return func() tea.Msg { return CloseMsg{} }
	}
	return nil
}

// cycle moves the focus on.
func (m *Model) cycle() {
	switch {
	case m.focus == onLayers:
		m.focus = onFiles
	case m.focus == onFiles && m.viewer != nil:
		m.focus = onFile
	default:
		m.focus = onLayers
	}
}

// layersKey handles the keys of the list of layers.
func (m *Model) layersKey(k tea.KeyPressMsg) tea.Cmd {
	b := m.keys
	switch {
	case key.Matches(k, b.up):
		return m.choose(m.row - 1)
	case key.Matches(k, b.down):
		return m.choose(m.row + 1)
	case key.Matches(k, b.first, b.pageUp):
		return m.choose(0)
	case key.Matches(k, b.last, b.pageDown):
		return m.choose(m.rows() - 1)
	case key.Matches(k, b.open):
		m.focus = onFiles
	case key.Matches(k, b.copy):
		if m.row < len(m.layers) {
			return copyText(m.layers[m.row].CreatedBy)
		}
	}
	return nil
}

// filesKey handles the keys that move in the list of files.
func (m *Model) filesKey(k tea.KeyPressMsg) tea.Cmd {
	b := m.keys
	page := max(m.height/2, 1)
	move := func(n int) { m.cursor = max(0, min(m.cursor+n, len(m.view.Rows())-1)) }
	switch {
	case key.Matches(k, b.up):
		move(-1)
	case key.Matches(k, b.down):
		move(1)
	case key.Matches(k, b.pageUp):
		move(-page)
	case key.Matches(k, b.pageDown):
		move(page)
	case key.Matches(k, b.first):
		m.cursor = 0
	case key.Matches(k, b.last):
		move(len(m.view.Rows()))
	default:
		r, ok := m.selected()
		if !ok {
			return nil
		}
		return m.fileKey(k, r)
	}
	return nil
}

// fileKey handles the keys that do something to the selected file.
func (m *Model) fileKey(k tea.KeyPressMsg, r tree.Row) tea.Cmd {
	b := m.keys
	info := m.view.Tree().Info(r.Node)
	switch {
	case key.Matches(k, b.fold), key.Matches(k, b.open) && info.Dir:
		m.change(func() { m.view.Fold(r) }) // readMore reads it
	case key.Matches(k, b.open):
		return m.open(r.Node, info)
	case key.Matches(k, b.extract):
		return m.extract(r.Node)
	case key.Matches(k, b.copy):
		return copyText(m.view.Tree().Path(r.Node))
	}
	return nil
}

// copyText is a command that puts s on the clipboard.
func copyText(s string) tea.Cmd { return func() tea.Msg { return CopyMsg{Text: s} } }

// open shows a file in the viewer.
func (m *Model) open(n tree.Node, info tree.Info) tea.Cmd {
	if !info.Bare && !info.Mode.IsRegular() {
		return notice(NoticeMsg{Text: "only regular files can be viewed, this is a " + typeName(info.Mode)})
	}
	m.fileSeq++
	f := file{path: m.view.Tree().Path(n), kind: info.Kind, place: m.place(), here: m.lower(), below: m.below()}
	m.viewer = &viewer{file: f, seq: m.fileSeq, loading: true, pager: pager.New(pager.Static(nil), false)}
	m.focus = onFile
	return m.loadFile(f, m.fileSeq)
}

// typeFilter edits the name filter; it works while one types.
func (m *Model) typeFilter(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "enter":
		m.typing = nil
	case "esc":
		m.typing = nil
		m.filter = list.Filter{}
		m.change(m.setMatch)
	default:
		if m.typing.Update(k) {
			m.applyFilter()
		}
	}
	return nil
}

// applyFilter makes what is typed the filter in force.
func (m *Model) applyFilter() {
	m.filter = list.NewFilter(m.typing.Value())
	m.change(m.setMatch)
}
