package tui

import (
	"fmt"
	"image"
	"strings"

	"berth/tui/pager"
	"berth/tui/text"
	"berth/tui/theme"
)

// drawDetail draws the tab of the selected container or image.
func (m *model) drawDetail(r image.Rectangle) []string {
	w, h := max(r.Dx()-2, 0), max(r.Dy()-2, 0)
	f := theme.Frame{Title: m.detailTitle(r.Dx() - 5), Focused: m.detail}
	lines, footer := m.detailLines(w, h)
	f.Footer = footer
	lines = m.drag.paint(m, lines, w)
	if m.detail {
		if m.filter != nil {
			f.Left = m.theme.Accent.Render("/") + m.filter.View(min(30, max(w-24, 4)), true)
		} else if s := m.filterText(); s != "" {
			f.Left = m.theme.Warn.Render("/" + text.Fit(s, min(text.Width(s), 30)))
		}
	}
	return f.Draw(m.theme, lines, r.Dx(), r.Dy())
}

// detailLines is what stands inside the frame of the detail, and in its bottom.
func (m *model) detailLines(w, h int) (lines []string, footer string) {
	switch {
	case m.subject.id == "" && m.nothingSelected():
		lines = m.emptyDetail(w)
	case m.tab() == tabLogs:
		lines = m.drawLogs(w, h)
		if m.logsShown() {
			footer = m.logs.Footer()
		}
	case m.tab() == tabFiles && m.files.Shown() != m.treeOf().ID: // not read yet
	case m.tab() == tabFiles:
		lines = m.files.View(w, h, m.detail)
	case m.tab().isText():
		m.text.Replace(pager.Static(m.pane().lines(m, w)))
		lines = m.text.View(m.theme, w, h)
	case m.tab() == tabInspect:
		lines, footer = m.drawInspect(w, h)
	case m.tab() == tabShell:
		lines = strings.Split(m.shell.View(w, h), "\n")
		footer = text.Clean(m.shell.Title())
	case m.tab() == tabDiff, m.tab() == tabLayers:
		lines = strings.Split(m.browser.View(w, h), "\n")
	}
	return lines, footer
}

// nothingSelected tells whether nothing is selected.
func (m *model) nothingSelected() bool {
	_, ok := m.pane().current()
	return !ok
}

// detailTitle is the name, as much as there is room for, and the tabs.
func (m *model) detailTitle(width int) string {
	th := m.theme
	name := ""
	if row, ok := m.pane().current(); ok {
		name = row.title
	}
	if m.merging() != "" {
		name = fmt.Sprintf("%d logs", len(m.logSources()))
	}
	var tabs []string
	shown, before, after := m.tabsThatFit(width)
	for _, t := range shown {
		label := string(t)
		if t == tabShell {
			if c, ok := m.current(); ok {
				if n := m.shell.Sessions(c.ID); n > 0 {
					label += fmt.Sprintf(" %d", n)
				}
			}
		}
		if t == m.tab() {
			tabs = append(tabs, th.Accent.Render(label))
		} else {
			tabs = append(tabs, th.Dim.Render(label))
		}
	}
	line := strings.Join(tabs, th.Dim.Render("│"))
	if before {
		line = th.Dim.Render("…│") + line
	}
	if after {
		line += th.Dim.Render("│…")
	}
	if room := min(text.Width(name), 24, width-text.Width(line)-2); room > 3 || room > 0 && room == text.Width(name) {
		name = th.Strong.Render(text.Fit(name, room)) + "  "
	} else {
		name = ""
	}
	return name + line
}

// tabsThatFit are the tabs for which there is room, the one that is shown among
// them, and whether there are others before and after them.
func (m *model) tabsThatFit(width int) (shown []tab, before, after bool) {
	f := m.pane().shape()
	from, to := 0, len(f.tabs)
	room := func() int {
		n := 0
		for _, t := range f.tabs[from:to] {
			n += len(t) + 1
		}
		return n + 2*(min(from, 1)+min(len(f.tabs)-to, 1))
	}
	for room() > width+1 && to-from > 1 {
		if to-1 > f.tabAt {
			to--
		} else {
			from++
		}
	}
	return f.tabs[from:to], from > 0, to < len(f.tabs)
}

// emptyDetail teaches what to type when nothing is selected.
func (m *model) emptyDetail(width int) []string {
	if loaded, _ := m.state.Loaded(); !loaded {
		if m.gone != nil {
			return m.teach(width, "no engine answers at "+text.Clean(m.opt.Host), "q", "leaves; berth serve runs an engine")
		}
		return nil
	}
	return m.pane().shape().about(m, width)
}

// drawInspect draws the JSON of what is selected, as soon as it is there.
func (m *model) drawInspect(w, h int) (lines []string, footer string) {
	if m.inspectErr != nil {
		return m.teach(w, m.inspectErr.Error()), ""
	}
	if m.inspectID == "" || m.inspectID != m.inspected() {
		return nil, ""
	}
	lines = m.inspector.View(m.theme, w, h)
	if cur, all := m.inspector.Hits(); m.inspector.Query().Active() {
		footer = m.theme.Warn.Render(fmt.Sprintf("hit %d/%d", cur, all))
	}
	return lines, footer
}

// boxed frames lines when there is room for it.
func (m *model) boxed(title string, lines []string, width, height int) []string {
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	if height < 3 {
		return text.Block(lines, width, height)
	}
	return frame(title, false).Draw(m.theme, lines, width, height)
}
