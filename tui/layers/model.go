package layers

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"berth/engine/api/berthapi"
	"berth/tui/edit"
	"berth/tui/keymap"
	"berth/tui/layers/tree"
	"berth/tui/list"
	"berth/tui/pager"
	"berth/tui/theme"
)

// focus is the part that has the keys.
type focus int

const (
	onLayers focus = iota
	onFiles
	onFile // the viewer
)

// maxCached bounds the trees kept for layers visited before, in files.
const maxCached = 200_000

// Model is the browser. Its methods are called from the console's Update and
// View alone.
type Model struct {
	cfg     Config
	after   func(time.Duration, func(time.Time) tea.Msg) tea.Cmd // a timer
	keys    bindings
	subject Subject
	visible bool
	focus   focus
	blurred bool // the keys go elsewhere

	gen        int // counts the subjects, so that late answers are told apart
	ctx        context.Context
	cancel     context.CancelFunc
	cancelTree context.CancelFunc

	layers  []berthapi.Layer // without the empty ones, lowest first
	loaded  bool
	counted bool  // the counts were asked for again
	err     error // why there is no list
	row     int   // chosen row of the left list
	top     int
	union   bool
	mark    int  // row marked as one side of a comparison; -1: none
	paired  bool // the comparison with the chosen row is shown

	trees   map[place]*tree.Tree
	loading place
	treeSeq int
	treeErr error
	waste   *waste
	lazy    *lazy // the tree that is read directory by directory; nil for one that is read whole

	liveTree *tree.Tree
	changes  []berthapi.Change
	liveSize int64 // of the files in changes, in bytes
	bare     bool  // the live difference has no sizes and modes
	liveErr  error
	polling  bool
	changed  time.Time // when the difference last changed
	now      time.Time // when it was last asked for

	view    *tree.View
	cursor  int
	fileTop int
	attrs   int // 0 mode, 1 mode and owner, 2 nothing
	filter  list.Filter
	typing  *edit.Field

	viewer  *viewer
	fileSeq int

	width, height int
}

// viewer shows one file.
type viewer struct {
	file    file
	seq     int
	loading bool
	msg     fileMsg
	asDiff  bool
	whole   bool // the viewer has the room of the files too
	pager   *pager.Pager
	typing  *edit.Field // a search being typed
}

// New returns a browser that shows nothing yet.
func New(cfg Config) *Model {
	if cfg.Theme == (theme.Theme{}) {
		cfg.Theme = theme.ANSI16()
	}
	if cfg.Keys == nil {
		cfg.Keys = keymap.Default()
	}
	m := &Model{cfg: cfg, after: tea.Tick, keys: newBindings(cfg.Keys), cancel: func() {}, width: 80, height: 24}
	m.clear()
	return m
}

// SetTheme changes the colours.
func (m *Model) SetTheme(th theme.Theme) { m.cfg.Theme = th }

// clear forgets everything about the subject; filters and attributes stay.
func (m *Model) clear() {
	m.cancel()
	m.gen++
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.cancelTree = func() {}
	m.layers, m.loaded, m.counted, m.err = nil, false, false, nil
	m.row, m.top, m.union = 0, 0, false
	m.mark, m.paired = -1, false
	m.trees, m.treeErr, m.waste, m.lazy = map[place]*tree.Tree{}, nil, nil, nil
	m.loading = place{layer: -2}
	m.liveTree, m.changes, m.bare, m.liveErr, m.polling = nil, nil, false, nil, false
	m.changed, m.now = time.Time{}, time.Time{}
	m.view = tree.NewView()
	m.setMatch()
	m.cursor, m.fileTop, m.viewer, m.typing = 0, 0, nil, nil
}

// Show makes s the subject and returns the command that fetches it. Showing
// the same subject again keeps selection, folds and filters.
func (m *Model) Show(s Subject) tea.Cmd {
	same := s.Image == m.subject.Image && s.Container == m.subject.Container
	m.subject = s
	if same && (m.loaded && m.err == nil) {
		return m.startPolling()
	}
	m.clear()
	m.focus = onLayers
	if s.Container != "" {
		m.focus = onFiles
	}
	return tea.Batch(m.loadLayers(), m.startPolling())
}

// SetVisible tells whether the browser is on the screen: the live difference
// is refreshed only while it is.
func (m *Model) SetVisible(visible bool) tea.Cmd {
	m.visible = visible
	return m.startPolling()
}

// startPolling fetches the live difference unless that is under way.
func (m *Model) startPolling() tea.Cmd {
	if !m.visible || m.polling || m.subject.Container == "" {
		return nil
	}
	m.polling = true
	return m.poll()
}

// Close ends what is being fetched.
func (m *Model) Close() { m.cancel() }

// Capturing reports whether a text field or an inner view has the keys, so
// that the console must hand over even those that it uses itself (q, /, :).
func (m *Model) Capturing() bool {
	return m.typing != nil || m.viewer != nil && (m.viewer.typing != nil || m.focus == onFile)
}

// SetFocused tells whether keys come here: without them nothing is drawn as if
// they did.
func (m *Model) SetFocused(on bool) { m.blurred = !on }

// on tells whether a part has the keys.
func (m *Model) on(f focus) bool { return m.focus == f && !m.blurred }

// SetSize sets the size in cells.
func (m *Model) SetSize(width, height int) { m.width, m.height = width, height }

// Title names the subject.
func (m *Model) Title() string {
	name := m.subject.ImageName
	if name == "" {
		name = m.subject.Image
	}
	if m.subject.Container != "" {
		name += " ⇄ " + m.subject.Name
		if m.subject.Running {
			name += " (live)"
		}
	}
	return name
}

// rows is the number of rows of the left list.
func (m *Model) rows() int {
	n := len(m.layers)
	if m.subject.Container != "" {
		n++
	}
	return n
}

// place is what the chosen row shows.
func (m *Model) place() place {
	p := place{layer: live}
	if m.row < len(m.layers) {
		p = place{layer: m.layers[m.row].Index, union: m.union}
	}
	if m.paired {
		p.union = false
		p.against = m.layers[m.mark].Index + 1
	}
	return p
}

// compare marks the chosen row, or shows the difference between the marked row
// and the chosen one, whichever is the higher; the same row takes the mark away.
func (m *Model) compare() tea.Cmd {
	switch {
	case m.mark < 0:
		m.mark = m.row
		return notice(NoticeMsg{Text: "marked: choose the other side and press c again"})
	case m.mark == m.row:
		return m.uncompare()
	}
	m.mark, m.row = min(m.mark, m.row), max(m.mark, m.row)
	m.paired, m.viewer = true, nil
	return m.showPlace()
}

// uncompare takes the mark away.
func (m *Model) uncompare() tea.Cmd {
	m.mark, m.paired = -1, false
	return m.showPlace()
}

// lower are the layers under the chosen row, the nearest first.
func (m *Model) lower() []int { return m.layersBelow(m.row) }

// below are the layers that may hold the version of a file before the one
// shown, the nearest first: the other side of a comparison, or what lies under
// the chosen row.
func (m *Model) below() []int {
	if m.paired {
		return m.layersBelow(m.mark + 1)
	}
	return m.lower()
}

func (m *Model) layersBelow(row int) []int {
	var below []int
	for _, l := range slices.Backward(m.layers[:min(row, len(m.layers))]) {
		below = append(below, l.Index)
	}
	return below
}

// choose selects a row of the left list and shows its files.
func (m *Model) choose(row int) tea.Cmd {
	row = max(0, min(row, m.rows()-1))
	if row != m.row {
		m.viewer = nil
		if m.paired {
			m.mark, m.paired = -1, false
		}
	}
	m.row = row
	return m.showPlace()
}

// showPlace shows the files of the chosen row, fetching them if need be.
func (m *Model) showPlace() tea.Cmd {
	p := m.place()
	m.treeErr = nil
	if m.lazy != nil && m.lazy.place != p {
		m.lazy = nil
	}
	if p.layer == live && p.against == 0 {
		if m.liveTree != nil {
			m.setTree(m.liveTree)
		} else {
			m.setTree(tree.NewBuilder().Tree())
		}
		return nil
	}
	if t := m.trees[p]; t != nil {
		m.setTree(t)
		return nil
	}
	if m.lazy != nil {
		return nil // it is on the screen
	}
	m.setTree(tree.NewBuilder().Tree())
	if m.loading == p {
		return nil
	}
	if m.tooLarge(p) && !m.wantsAll() {
		return m.readLazily(p)
	}
	return m.loadTree(p)
}

// setTree shows a tree; the cursor stays on its file where the tree has it.
func (m *Model) setTree(t *tree.Tree) {
	at := m.selectedPath()
	m.view.SetTree(t)
	m.keep(at)
}

// selectedPath is the path of the file under the cursor, "" without one.
func (m *Model) selectedPath() string {
	if r, ok := m.selected(); ok {
		return m.view.Tree().Path(r.Node)
	}
	return ""
}

// selected is the row under the cursor of the files.
func (m *Model) selected() (tree.Row, bool) {
	rows := m.view.Rows()
	if m.cursor < 0 || m.cursor >= len(rows) {
		return tree.Row{}, false
	}
	return rows[m.cursor], true
}

// keep puts the cursor on a path again, or leaves it at its place.
func (m *Model) keep(path string) {
	if path != "" {
		if i := m.view.Index(path); i >= 0 {
			m.cursor = i
		}
	}
	m.cursor = max(0, min(m.cursor, len(m.view.Rows())-1))
}

// setMatch hands the name filter to the view.
func (m *Model) setMatch() {
	if !m.filter.Active() {
		m.view.SetFilter(nil)
		return
	}
	m.view.SetFilter(m.filter.Match)
}

// change does something to the view and keeps the cursor on its file.
func (m *Model) change(do func()) {
	at := m.selectedPath()
	do()
	m.keep(at)
}

// remember keeps a tree for the next visit, as long as they are not too large.
func (m *Model) remember(p place, t *tree.Tree) {
	total := t.Len()
	for _, o := range m.trees {
		total += o.Len()
	}
	if total > maxCached {
		clear(m.trees)
	}
	m.trees[p] = t
}
