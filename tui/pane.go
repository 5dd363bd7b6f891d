package tui

import (
	"fmt"
	"image"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
	"berth/tui/list"
	"berth/tui/state"
	"berth/tui/text"
	"berth/tui/theme"
)

// face is what a panel is, apart from its rows.
type face struct {
	number, name string // the key that goes there, and the title
	noun         string // what a row is
	scope        keymap.Scope
	tabs         []tab // of the detail
	orders       []state.Order

	footer func(m *model) string
	empty  func(m *model, width int) []string // what the list shows without rows
	about  func(m *model, width int) []string // what the detail shows without a row

	tabAt, orderAt int
}

// tab is the tab that is shown, order how the list is sorted.
func (f *face) tab() tab           { return f.tabs[f.tabAt] }
func (f *face) order() state.Order { return f.orders[f.orderAt] }

// shape is the face itself, for those who know a pane only.
func (f *face) shape() *face { return f }

// item is a row in the words that the rest of the console has for it.
type item struct {
	key   string // tells it from all others of its panel
	id    string // the engine's
	title string
	ref   string // what a command line takes
}

// lister is what every list can do.
type lister interface {
	Move(int)
	Page(int)
	Mark()
	Range()
	Len() int
	Total() int
	Marks() int
	Clear() bool
	Filter() list.Filter
	SetFilter(list.Filter)
}

// pane is a panel to the root model, which needs not know what its rows are.
type pane interface {
	lister
	shape() *face
	// refill makes the list anew from the state.
	refill(m *model)
	// draw draws the rows that fit.
	draw(m *model, width, height int, focused, active bool) []string
	// point puts the cursor on a row that is drawn.
	point(row, height int) bool
	// current is the row under the cursor.
	current() (item, bool)
	// lines is the text of a tab that is no pane of its own.
	lines(m *model, width int) []string
	// facts draws the strip under the detail.
	facts(m *model, width, height int) []string
	// look fetches the row's JSON.
	look(m *model) tea.Cmd
}

// paneOf is a panel of rows T: a list, and functions of a row.
type paneOf[T any] struct {
	*list.List[T]
	face
	rows    func(m *model, by state.Order) []T
	line    func(m *model, row T, width int) string
	item    func(T) item
	sheet   func(m *model, row T, width int) []string // nil: no tab is text
	strip   func(m *model, row T, width, height int) []string
	inspect func(m *model, row T) tea.Cmd // nil: there is no JSON of it
}

func (p *paneOf[T]) refill(m *model) { p.Set(p.rows(m, p.order())) }

func (p *paneOf[T]) draw(m *model, width, height int, focused, active bool) []string {
	rows, cursor := p.Visible(height)
	var lines []string
	for i, r := range rows {
		lines = append(lines, m.styled(p.line(m, r, width), p.Marked(r), i == cursor, focused, active, width))
	}
	return lines
}

func (p *paneOf[T]) current() (item, bool) {
	if r, ok := p.Current(); ok {
		return p.item(r), true
	}
	return item{}, false
}

func (p *paneOf[T]) lines(m *model, width int) []string {
	if r, ok := p.Current(); ok && p.sheet != nil {
		return p.sheet(m, r, width)
	}
	return nil
}

func (p *paneOf[T]) facts(m *model, width, height int) []string {
	if r, ok := p.Current(); ok {
		return p.strip(m, r, width, height)
	}
	return m.boxed("", nil, width, height)
}

func (p *paneOf[T]) look(m *model) tea.Cmd {
	if r, ok := p.Current(); ok && p.inspect != nil {
		return p.inspect(m, r)
	}
	return nil
}

// about makes a function that teaches, for a face.
func about(what string, keys ...string) func(m *model, width int) []string {
	return func(m *model, width int) []string { return m.teach(width, what, keys...) }
}

// pane is the focused panel.
func (m *model) pane() pane { return m.panes[m.panel] }

// visible tells whether a panel is on the screen: projects only if there are any.
func (m *model) visible(p panel) bool {
	return p != projects || m.panes[p].Total() > 0
}

// drawPanel draws one of the lists; one line is its title alone.
func (m *model) drawPanel(p panel, r image.Rectangle) []string {
	pn := m.panes[p]
	f := pn.shape()
	focused := m.panel == p && !m.detail
	fr := theme.Frame{Focused: focused, Title: m.panelTitle(f.number, f.name, pn.Len(), pn.Total(), focused)}
	if r.Dy() < 3 {
		return text.Block([]string{fr.Line(m.theme, r.Dx())}, r.Dx(), r.Dy())
	}
	inner := r.Dx() - 2
	lines := pn.draw(m, inner, r.Dy()-2, focused, m.panel == p)
	if lines == nil {
		lines = f.empty(m, inner)
	}
	switch {
	case f.footer != nil:
		fr.Footer = m.theme.Dim.Render(f.footer(m))
	case f.orderAt > 0:
		fr.Footer = m.theme.Dim.Render("by " + string(f.order()))
	}
	fr.Left = m.filterLabel(p, inner)
	return fr.Draw(m.theme, lines, r.Dx(), r.Dy())
}

// filterLabel is the filter of a list, with the cursor while it is typed.
func (m *model) filterLabel(p panel, width int) string {
	if m.filter != nil && !m.detail && m.panel == p {
		return m.theme.Accent.Render("/") + m.filter.View(max(min(20, width-12), 4), true)
	}
	s := m.panes[p].Filter().String()
	if s == "" {
		return ""
	}
	return m.theme.Warn.Render("/" + text.Fit(s, min(text.Width(s), 16)))
}

// noRows teaches what to type where a list is empty.
func noRows(nouns string, keys ...string) func(m *model, width int) []string {
	return func(m *model, width int) []string {
		if loaded, _ := m.state.Loaded(); !loaded {
			return nil
		}
		if m.pane().Filter().Active() {
			return m.teach(width, fmt.Sprintf("no %s matches", m.pane().shape().noun), "esc", "clears the filter")
		}
		return m.teach(width, "no "+nouns+" yet", keys...)
	}
}
