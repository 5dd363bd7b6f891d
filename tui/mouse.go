package tui

import (
	"image"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
	"berth/tui/layout"
	"berth/tui/text"
	"berth/tui/theme"
)

const (
	// wheelRows is how far one step of the wheel goes.
	wheelRows = 3
	// doubleWithin is how soon a second click on a row opens it.
	doubleWithin = 400 * time.Millisecond
)

// click is the last one on a row, of which another one in the same place makes
// a double click: the panel may have grown in between.
type click struct {
	when time.Time
	at   image.Point
}

// mouse does what a click or the wheel means where the pointer is. What is
// clicked is found in what is drawn: the rectangles of the layout, the title
// with the tabs, the line of keys.
func (m *model) mouse(msg tea.MouseMsg) tea.Cmd {
	at := image.Pt(msg.Mouse().X, msg.Mouse().Y)
	if m.screen().TooSmall {
		return nil
	}
	if m.overlay != nil {
		return m.mouseOverlay(msg, at)
	}
	s := m.screen()
	if cmd, ok := m.mouseDrag(msg, at, s); ok {
		return cmd
	}
	if cmd, ok := m.mouseShell(msg, at, s); ok {
		return cmd
	}
	if w, ok := msg.(tea.MouseWheelMsg); ok {
		switch w.Button {
		case tea.MouseWheelUp:
			return m.wheel(at, s, -wheelRows)
		case tea.MouseWheelDown:
			return m.wheel(at, s, wheelRows)
		}
		return nil
	}
	if c, ok := msg.(tea.MouseClickMsg); !ok || c.Button != tea.MouseLeft {
		return nil
	}
	m.hint, m.bad = "", false
	for p, r := range s.Panels {
		if at.In(r) {
			return m.clickRow(panel(p), at, r)
		}
	}
	switch {
	case at.In(s.Detail) && at.Y == s.Detail.Min.Y:
		m.clickTab(at.X-s.Detail.Min.X-3, s.Detail.Dx()-5)
	case at.In(s.Detail) && m.subject.id != "":
		m.detail, m.filter = true, nil
	case at.In(s.Keys):
		return m.clickKey(at.X)
	}
	return nil
}

// mouseShell hands what happens over the shell to it; a click begins to type
// there, and one elsewhere ends that.
func (m *model) mouseShell(msg tea.MouseMsg, at image.Point, s layout.Screen) (tea.Cmd, bool) {
	_, clicked := msg.(tea.MouseClickMsg)
	_, turned := msg.(tea.MouseWheelMsg)
	over := m.tab() == tabShell && m.panel == containers && at.In(s.Detail.Inset(1))
	switch {
	case over && !m.shellHasKeys() && clicked:
		return m.open(), true
	case over && (m.shellHasKeys() || turned):
		return m.shell.Update(m.inPane(msg)), true
	case m.shellHasKeys() && clicked:
		m.shell.Blur()
		m.detail = false
	}
	return nil, m.shellHasKeys()
}

// wheel scrolls what is under the pointer.
func (m *model) wheel(at image.Point, s layout.Screen, by int) tea.Cmd {
	for p, r := range s.Panels {
		if at.In(r) {
			m.panes[p].Move(by)
			return nil
		}
	}
	if !at.In(s.Detail) {
		return nil
	}
	step := tea.KeyPressMsg{Code: tea.KeyDown}
	if by < 0 {
		step.Code = tea.KeyUp
	}
	switch t := m.tab(); t {
	case tabFiles:
		for range wheelRows {
			m.files.Press(step.String())
		}
	case tabDiff, tabLayers:
		var cmds []tea.Cmd
		for range wheelRows {
			cmds = append(cmds, m.browser.Update(step))
		}
		return tea.Batch(cmds...)
	default:
		if p := m.pager(); p != nil {
			p.Scroll(by)
		}
	}
	return nil
}

// clickRow goes to a panel, to the row there if there is one, and into it with
// the second click.
func (m *model) clickRow(p panel, at image.Point, r image.Rectangle) tea.Cmd {
	was := m.clicked
	m.clicked = click{}
	if was.at == at && p == m.panel && time.Since(was.when) < doubleWithin {
		return m.open()
	}
	m.focus(p)
	if r.Dy() > 2 && m.pane().point(at.Y-r.Min.Y-1, r.Dy()-2) {
		m.clicked = click{time.Now(), at}
	}
	return nil
}

// point puts the cursor on a row of those that are drawn; false if there is none.
func (p *paneOf[T]) point(row, height int) bool {
	rows, cursor := p.Visible(height)
	if row < 0 || row >= len(rows) {
		return false
	}
	p.Move(row - cursor)
	return true
}

// clickTab shows the tab at a column of the detail's title.
func (m *model) clickTab(x, width int) {
	m.filter = nil
	tabs := m.pane().shape().tabs
	parts := strings.Split(text.Strip(m.detailTitle(width)), "│")
	first := len(parts) - len(tabs) // a name may have a bar in it
	if first < 0 || x < 0 {
		return
	}
	for i, part := range parts {
		if x < text.Width(part) {
			if i == 0 && first == 0 && x < strings.LastIndex(part, "  ") {
				return // the name
			}
			if i >= first {
				m.pane().shape().tabAt = i - first
			}
			return
		}
		x -= text.Width(part) + 1
	}
}

// clickKey does what the entry at a column of the line of keys says.
func (m *model) clickKey(x int) tea.Cmd {
	line := text.Strip(m.keyLine(m.width))
	if x >= text.Width(line) {
		return nil
	}
	before := text.Cut(line, 0, x+1)
	start := 0
	if i := strings.LastIndex(before, "  "); i >= 0 {
		start = i + 2
	}
	word, _, _ := strings.Cut(strings.TrimLeft(line[start:], " "), " ")
	if m.detail && (m.tab() == tabDiff || m.tab() == tabLayers) {
		for _, k := range m.browser.Keys() {
			if k.Help().Key == word && len(k.Keys()) > 0 {
				return m.input(keyNamed(k.Keys()[0]))
			}
		}
		return nil
	}
	for _, b := range m.keys.In(append(m.scopes(), keymap.Everywhere)...) {
		if len(b.Keys) > 0 && keymap.Pretty(b.Keys[0]) == word {
			return m.perform(b.Action)
		}
	}
	return nil
}

// keyNamed is the press of a key that is named as in the key map.
func keyNamed(name string) tea.KeyPressMsg {
	var k tea.Key
	rest, ctrl := strings.CutPrefix(name, "ctrl+")
	if ctrl {
		k.Mod = tea.ModCtrl
	}
	switch rest {
	case "enter":
		k.Code = tea.KeyEnter
	case "esc":
		k.Code = tea.KeyEscape
	case "tab":
		k.Code = tea.KeyTab
	case "space":
		k.Code = tea.KeySpace
	default:
		k.Code = []rune(rest)[0]
		if !ctrl {
			k.Text = rest
		}
	}
	return tea.KeyPressMsg(k)
}

// pointed is an overlay whose lines can be clicked.
type pointed interface {
	// point does what the line of the box stands for.
	point(m *model, line, height int) (closed bool, cmd tea.Cmd)
}

// mouseOverlay turns the wheel into arrows and hands clicks to the box.
func (m *model) mouseOverlay(msg tea.MouseMsg, at image.Point) tea.Cmd {
	was := m.overlay
	var closed bool
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.MouseWheelMsg:
		step := tea.KeyPressMsg{Code: tea.KeyDown}
		if msg.Button == tea.MouseWheelUp {
			step.Code = tea.KeyUp
		}
		closed, cmd = was.update(m, step)
	case tea.MouseClickMsg:
		_, _, r := m.overlayBox()
		if p, ok := was.(pointed); ok && msg.Button == tea.MouseLeft && at.In(r.Inset(1)) {
			closed, cmd = p.point(m, at.Y-r.Min.Y-1, max(m.height-4, 0))
		}
	}
	if closed && m.overlay == was {
		m.overlay = nil
	}
	return cmd
}

// overlayBox is the overlay, and where it stands.
func (m *model) overlayBox() (theme.Frame, []string, image.Rectangle) {
	frame, lines := m.overlay.box(m, max(m.width-4, 0), max(m.height-4, 0))
	frame.Focused = true
	w := max(text.Width(frame.Title), text.Width(frame.Left)+text.Width(frame.Footer)+3) + 6
	for _, l := range lines {
		w = max(w, text.Width(l)+2)
	}
	return frame, lines, layout.Center(m.width, m.height, w, len(lines)+2)
}

// point takes the choice on a line.
func (o *menu) point(_ *model, line, height int) (bool, tea.Cmd) {
	from, to := window(len(o.choices), o.cursor, max(height-4, 1))
	if i := from + line - 1; i >= from && i < to {
		return true, o.choices[i].run()
	}
	return false, nil
}

// point does the action on a line.
func (o *palette) point(m *model, line, height int) (bool, tea.Cmd) {
	from, to := window(len(o.shown), o.cursor, max(min(14, height-4), 1))
	i := from + line - 2 // below what is typed and the rule
	if i < from || i >= to {
		return false, nil
	}
	o.cursor = i
	return o.update(m, tea.KeyPressMsg{Code: tea.KeyEnter})
}

// mouseMode is what the console wants to hear of the mouse: clicks and the
// wheel, or as much as a program in the shell has asked for.
func (m *model) mouseMode() tea.MouseMode {
	if m.opt.NoMouse {
		return tea.MouseModeNone
	}
	if m.shellHasKeys() && m.shell.WantsMotion() {
		return tea.MouseModeAllMotion
	}
	return tea.MouseModeCellMotion
}
