// Package files browses a tree of files directory by directory, and shows the
// files in it: those of a volume, or those that a container sees.
//
// Nothing is read but what is looked at. A message belongs to the tree and the
// directory it was asked for; one that comes late is dropped.
package files

import (
	"context"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/docker/go-units"

	"berth/engine/api/berthapi"
	"berth/tui/layers"
	"berth/tui/list"
	"berth/tui/pager"
	"berth/tui/text"
	"berth/tui/theme"
)

// Tree is where files are read from. Paths are absolute within it.
type Tree struct {
	ID      string // tells it from all others
	Entries func(ctx context.Context, dir string) iter.Seq2[berthapi.Entry, error]
	Open    func(ctx context.Context, path string) (io.ReadCloser, error)
}

// mostEntries bounds how much of one directory is shown.
const mostEntries = 20_000

// Model is the browser.
type Model struct {
	ctx   context.Context
	theme theme.Theme
	tree  Tree
	dir   string
	rows  *list.List[berthapi.Entry]
	note  string // that there is more, or why there is nothing
	busy  bool

	viewing string       // the file that is shown, "" for the list
	viewer  *pager.Pager // its lines
	about   string       // its language, or that it is cut
}

// listed answers the reading of a directory.
type listed struct {
	tree, dir string
	rows      []berthapi.Entry
	cut       bool
	err       error
}

// opened answers the reading of a file.
type opened struct {
	tree, path string
	lines      []string
	about      string
	err        error
}

// New is a browser of nothing; what it reads ends with ctx.
func New(ctx context.Context, th theme.Theme) *Model {
	m := &Model{ctx: ctx, theme: th}
	m.clear()
	return m
}

// SetTheme changes the colours.
func (m *Model) SetTheme(th theme.Theme) { m.theme = th }

// clear is a list without rows.
func (m *Model) clear() {
	m.rows = list.New(func(e berthapi.Entry) string { return e.Path }, func(e berthapi.Entry) string { return path.Base(e.Path) })
	m.viewing, m.note = "", ""
}

// Show begins at the top of a tree, or reads the directory again when it is the
// tree that is shown already.
func (m *Model) Show(t Tree) tea.Cmd {
	if t.ID != m.tree.ID {
		m.tree, m.dir = t, "/"
		m.clear()
	}
	return m.read(m.dir)
}

// Shown is the ID of the tree.
func (m *Model) Shown() string { return m.tree.ID }

// read is the command that reads a directory.
func (m *Model) read(dir string) tea.Cmd {
	t, ctx := m.tree, m.ctx
	m.busy = true
	return func() tea.Msg {
		msg := listed{tree: t.ID, dir: dir}
		for e, err := range t.Entries(ctx, dir) {
			if err != nil {
				msg.err = err
				break
			}
			if path.Clean(e.Path) == path.Clean(dir) { // some trees name the directory itself
				continue
			}
			if msg.rows = append(msg.rows, e); len(msg.rows) == mostEntries {
				msg.cut = true
				break
			}
		}
		slices.SortStableFunc(msg.rows, func(a, b berthapi.Entry) int {
			if (a.Type == berthapi.Dir) != (b.Type == berthapi.Dir) {
				if a.Type == berthapi.Dir {
					return -1
				}
				return 1
			}
			return strings.Compare(a.Path, b.Path)
		})
		return msg
	}
}

// open is the command that reads a file.
func (m *Model) open(file string) tea.Cmd {
	t, ctx, th := m.tree, m.ctx, m.theme
	return func() tea.Msg {
		msg := opened{tree: t.ID, path: file}
		msg.lines, msg.about, msg.err = layers.Read(file, func() (io.ReadCloser, error) { return t.Open(ctx, file) }, th)
		return msg
	}
}

// Update takes an answer in; others' messages it leaves alone.
func (m *Model) Update(msg tea.Msg) {
	switch msg := msg.(type) {
	case listed:
		if msg.tree != m.tree.ID || msg.dir != m.dir {
			return
		}
		m.busy, m.note = false, ""
		switch {
		case msg.err != nil:
			m.note = text.Clean(msg.err.Error())
		case msg.cut:
			m.note = fmt.Sprintf("the first %d", mostEntries)
		}
		m.rows.Set(msg.rows)
	case opened:
		if msg.tree != m.tree.ID || msg.path != m.viewing {
			return
		}
		if m.about = msg.about; msg.err != nil {
			msg.lines = []string{"", " " + m.theme.Bad.Render(text.Clean(msg.err.Error()))}
		}
		m.viewer.SetSource(pager.Static(msg.lines))
	}
}

// Press handles a key and tells whether it was one of the browser's.
func (m *Model) Press(key string) (tea.Cmd, bool) {
	if key == "esc" && m.Query().Active() {
		m.Search(list.Filter{})
		return nil, true
	}
	if m.viewing != "" {
		return nil, m.pressViewer(key)
	}
	switch key {
	case "j", "down":
		m.rows.Move(1)
	case "k", "up":
		m.rows.Move(-1)
	case "pgdown", "ctrl+d", "ctrl+f":
		m.rows.Page(1)
	case "pgup", "ctrl+u", "ctrl+b":
		m.rows.Page(-1)
	case "g", "home":
		m.rows.Move(-m.rows.Len())
	case "G", "end":
		m.rows.Move(m.rows.Len())
	case "enter", "l", "right":
		return m.enter(), true
	case "h", "left", "esc", "backspace":
		if m.dir == "/" {
			return nil, false
		}
		from := m.dir
		m.dir = path.Dir(m.dir)
		m.clear()
		m.rows.Set([]berthapi.Entry{{Path: from, Type: berthapi.Dir}}) // the cursor stays on where one was
		return m.read(m.dir), true
	default:
		return nil, false
	}
	return nil, true
}

// enter goes into a directory, or shows a file.
func (m *Model) enter() tea.Cmd {
	e, ok := m.rows.Current()
	switch {
	case !ok:
		return nil
	case e.Type == berthapi.Dir:
		m.dir = path.Clean(e.Path)
		m.clear()
		return m.read(m.dir)
	case e.Type == berthapi.File || e.Type == berthapi.Symlink:
		m.viewing, m.about = e.Path, "reading…"
		m.viewer = pager.New(pager.Static(nil), false)
		return m.open(e.Path)
	}
	m.note = "only files can be viewed, this is a " + string(e.Type)
	return nil
}

// pressViewer handles a key while a file is shown.
func (m *Model) pressViewer(key string) bool {
	switch key {
	case "j", "down":
		m.viewer.Scroll(1)
	case "k", "up":
		m.viewer.Scroll(-1)
	case "pgdown", "ctrl+f", "space":
		m.viewer.Page(1)
	case "pgup", "ctrl+b":
		m.viewer.Page(-1)
	case "ctrl+d":
		m.viewer.Half(1)
	case "ctrl+u":
		m.viewer.Half(-1)
	case "g", "home":
		m.viewer.Home()
	case "G", "end":
		m.viewer.End()
	case "w":
		m.viewer.ToggleWrap()
	case "esc", "h", "left", "backspace":
		m.viewing = ""
	default:
		return false
	}
	return true
}

// View draws exactly height lines of the given width.
func (m *Model) View(width, height int, focused bool) []string {
	th := m.theme
	where, side := text.Clean(m.dir), m.note
	if m.viewing != "" {
		where, side = text.Clean(m.viewing), m.about
	}
	head := text.Fit(" "+th.Accent.Render(where)+"  "+th.Dim.Render(side), width)
	if m.viewing != "" {
		return text.Block(append([]string{head}, m.viewer.View(th, width, max(height-1, 0))...), width, height)
	}
	lines := []string{head}
	rows, cursor := m.rows.Visible(max(height-1, 0))
	for i, e := range rows {
		row := m.row(e, width)
		if i == cursor && focused {
			row = th.Cursor.Render(text.Fit(text.Strip(row), width))
		}
		lines = append(lines, row)
	}
	if len(rows) == 0 && m.note == "" && !m.busy {
		what := "nothing is in it"
		if m.rows.Filter().Active() && m.rows.Total() > 0 {
			what = "no name matches"
		}
		lines = append(lines, "", " "+th.Dim.Render(what))
	}
	return text.Block(lines, width, height)
}

// row is a file: mode, owner, size, name.
func (m *Model) row(e berthapi.Entry, width int) string {
	th := m.theme
	name, bytes := text.Clean(path.Base(e.Path)), ""
	switch e.Type {
	case berthapi.Dir:
		name = th.Info.Render(name + "/")
	case berthapi.Symlink:
		name += th.Dim.Render(" → " + text.Clean(e.Link))
	default:
		bytes = bytesOf(e.Size)
	}
	left := fmt.Sprintf(" %s %s", text.Mode(e.FileMode()), text.FitLeft(bytes, 6))
	if width >= 60 {
		left = fmt.Sprintf(" %s %s %s", text.Mode(e.FileMode()), text.FitLeft(fmt.Sprintf("%d:%d", e.UID, e.GID), 9), text.FitLeft(bytes, 6))
	}
	return text.Fit(th.Dim.Render(left)+" "+name, width)
}

// bytesOf writes a size in few cells.
func bytesOf(n int64) string {
	return units.CustomSize("%.3g%s", float64(n), 1000, []string{"B", "k", "M", "G", "T", "P"})
}
