package tui

import (
	"image"
	"strings"

	tea "charm.land/bubbletea/v2"

	"berth/tui/layout"
	"berth/tui/text"
)

// drag is text being selected in the detail with the mouse: two cells of it, and
// what lies between them as one reads.
type drag struct {
	on, moved bool
	from, to  image.Point
	followed  bool // the log went on before it was held for this
}

// mouseDrag selects text while the button is down, and copies it when it is let go.
// What is selected stands still: a log that is followed is held as long.
func (m *model) mouseDrag(msg tea.MouseMsg, at image.Point, s layout.Screen) (tea.Cmd, bool) {
	in := s.Detail.Inset(1)
	switch msg := msg.(type) {
	case tea.MouseClickMsg:
		m.dropDrag()
		if msg.Button == tea.MouseLeft && at.In(in) && m.selectable() {
			at = at.Sub(in.Min)
			m.drag = drag{on: true, from: at, to: at}
		}
	case tea.MouseWheelMsg:
		m.dropDrag()
	case tea.MouseMotionMsg:
		if !m.drag.on || msg.Button != tea.MouseLeft {
			return nil, false
		}
		m.drag.to = image.Pt(min(max(at.X, in.Min.X), in.Max.X-1), min(max(at.Y, in.Min.Y), in.Max.Y-1)).Sub(in.Min)
		if p := m.pager(); !m.drag.moved && p != nil && p.Follows() {
			m.drag.followed = true
			p.SetFollow(false)
		}
		m.drag.moved = m.drag.moved || m.drag.to != m.drag.from
		return nil, true
	case tea.MouseReleaseMsg:
		was := m.drag
		if !was.moved {
			m.dropDrag()
			return nil, was.on
		}
		s := m.dragged(in.Dx(), in.Dy())
		m.dropDrag()
		if strings.TrimSpace(s) == "" {
			return nil, true
		}
		what, _, more := strings.Cut(s, "\n")
		if more {
			what = things(strings.Count(s, "\n")+1, "", "lines")
		}
		return m.copy(text.Clean(what), s), true
	}
	return nil, false
}

// dropDrag selects nothing any more; a log that was held for it goes on.
func (m *model) dropDrag() {
	if p := m.pager(); m.drag.followed && p != nil {
		p.End()
	}
	m.drag = drag{}
}

// selectable tells whether the detail is text that the mouse selects: all but the
// browser of layers and files, and programs in the shell that want the mouse.
func (m *model) selectable() bool {
	switch {
	case m.nothingSelected():
		return false
	case m.tab() == tabShell:
		return !m.shell.WantsMouse()
	}
	return m.pager() != nil
}

// dragged is the text that is selected of the detail.
func (m *model) dragged(width, height int) string {
	a, b := m.drag.ends()
	if p := m.pager(); p != nil {
		return p.Select(a.X, a.Y, b.X, b.Y)
	}
	var out []string
	lines, _ := m.detailLines(width, height)
	for i, l := range lines {
		if from, to := m.drag.span(i, width); from < to {
			out = append(out, strings.TrimRight(text.Cut(text.Strip(l), from, to), " "))
		}
	}
	return strings.Join(out, "\n")
}

// ends are the two cells, the one that is read first before the other.
func (d drag) ends() (a, b image.Point) {
	if d.from.Y > d.to.Y || d.from.Y == d.to.Y && d.from.X > d.to.X {
		return d.to, d.from
	}
	return d.from, d.to
}

// span is which cells of a row are selected, [from, to).
func (d drag) span(row, width int) (from, to int) {
	a, b := d.ends()
	switch {
	case row < a.Y || row > b.Y:
		return 0, 0
	case row > a.Y:
		a.X = 0
	}
	if row < b.Y {
		b.X = width - 1
	}
	return a.X, b.X + 1
}

// paint marks what is selected of the lines.
func (d drag) paint(m *model, lines []string, width int) []string {
	if !d.moved {
		return lines
	}
	for i, l := range lines {
		from, to := d.span(i, width)
		if to <= from {
			continue
		}
		l = text.Fit(l, width)
		lines[i] = text.Cut(l, 0, from) + m.theme.Cursor.Render(text.Strip(text.Cut(l, from, to))) + text.Cut(l, to, width)
	}
	return lines
}
