package tui

import (
	"fmt"
	"image"
	"strings"

	"berth/tui/state"
	"berth/tui/text"
	"berth/tui/theme"
)

// drawDetail draws the tab of the selected container or image.
func (m *model) drawDetail(r image.Rectangle) []string {
	w, h := max(r.Dx()-2, 0), max(r.Dy()-2, 0)
	f := theme.Frame{Title: m.detailTitle(), Focused: m.detail}
	var lines []string
	switch {
	case m.subject.id == "" && m.nothingSelected():
		lines = m.emptyDetail(w)
	case m.tab() == tabLogs:
		lines = m.drawLogs(w, h)
		f.Footer = m.logs.Footer()
		if c, ok := m.current(); !ok || m.logs.Container != c.ID {
			f.Footer = ""
		}
	case m.tab() == tabInspect:
		lines, f.Footer = m.drawInspect(w, h)
	case m.tab() == tabShell:
		lines = strings.Split(m.shell.View(w, h), "\n")
		f.Footer = text.Clean(m.shell.Title())
	case m.tab() == tabDiff, m.tab() == tabLayers:
		lines = strings.Split(m.browser.View(w, h), "\n")
	}
	if m.detail {
		if m.filter != nil {
			f.Left = m.theme.Accent.Render("/") + m.filter.View(min(30, max(w-24, 4)), true)
		} else if s := m.filterText(); s != "" {
			f.Left = m.theme.Warn.Render("/" + text.Fit(s, min(text.Width(s), 30)))
		}
	}
	return f.Draw(m.theme, lines, r.Dx(), r.Dy())
}

// nothingSelected tells whether nothing is selected.
func (m *model) nothingSelected() bool {
	_, c := m.current()
	_, i := m.currentImage()
	return !c && !i
}

// detailTitle is the name and the tabs.
func (m *model) detailTitle() string {
	th := m.theme
	name := ""
	if c, ok := m.current(); ok {
		name = c.Name
	} else if i, ok := m.currentImage(); ok {
		name = i.Title()
	}
	var tabs []string
	for _, t := range tabsOf[m.panel] {
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
	if name != "" {
		name = th.Strong.Render(text.Fit(name, min(text.Width(name), 24))) + "  "
	}
	return name + line
}

// emptyDetail teaches what to type when nothing is selected.
func (m *model) emptyDetail(width int) []string {
	if loaded, _ := m.state.Loaded(); !loaded {
		if m.gone != nil {
			return m.teach(width, "no engine answers at "+text.Clean(m.opt.Host), "q", "leaves; berth serve runs an engine")
		}
		return nil
	}
	if m.panel == images {
		return m.teach(width, "images are layers of files", "D", "browses its layers", "R", "runs it", "t", "gives it another name", "d", "removes it")
	}
	return m.teach(width, "a container: a process with its own files", "R", "runs an image", "3", "goes to the images", "?", "shows all keys", ":", "finds an action by name")
}

// drawLogs draws the log of the selected container; while another one's is still
// in the view, nothing.
func (m *model) drawLogs(w, h int) []string {
	c, ok := m.current()
	if !ok || m.logs.Container != c.ID {
		return nil
	}
	empty := m.teach(w, "it has written nothing yet", "E", "opens a shell in it")
	switch {
	case m.logs.Err != nil:
		empty = m.teach(w, "the log cannot be read:")
		for _, row := range text.Wrap(m.logs.Err.Error(), max(w-4, 10)) {
			empty = append(empty, "   "+m.theme.Bad.Render(row))
		}
	case !c.Running():
		empty = m.teach(w, "it has written nothing", "S", "starts it")
	}
	return m.logs.Lines(w, h, empty)
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
	if cur, all := m.inspector.Hits(); m.inspector.Query() != nil {
		footer = m.theme.Warn.Render(fmt.Sprintf("hit %d/%d", cur, all))
	}
	return lines, footer
}

// drawStrip is the facts of the selected row, in one line or in a box.
func (m *model) drawStrip(width, height int) []string {
	if i, ok := m.currentImage(); ok {
		return m.imageStrip(i, width, height)
	}
	c, ok := m.current()
	if !ok {
		return m.boxed("", nil, width, height)
	}
	u := m.usage[c.ID]
	switch {
	case !c.Running():
		how := string(c.State)
		if c.State == "exited" {
			how = fmt.Sprintf("exited with %d", c.Exit)
		}
		return m.boxed(c.Name, []string{how + m.theme.Dim.Render("  S starts it, d removes it"), m.facts(c)}, width, height)
	case u == nil:
		return m.boxed(c.Name+" stats", []string{"", m.facts(c)}, width, height)
	}
	th := m.theme
	limit := ""
	if u.last.Limit > 0 && u.last.Limit < 1<<60 {
		limit = " / " + size(u.last.Limit)
	}
	cpu := text.FitLeft(fmt.Sprintf("%.0f%%", u.cpu), 4)
	if height < 3 {
		line := ""
		for _, part := range []string{
			" CPU " + th.Good.Render(spark(u.cpus, 8, 10)) + " " + cpu, "  MEM " + size(u.last.Memory) + limit,
			"  NET ↓" + size(u.last.RX) + " ↑" + size(u.last.TX), fmt.Sprintf("  pids %d", u.last.Pids),
		} {
			if text.Width(line)+text.Width(part) <= width {
				line += part
			}
		}
		return text.Block([]string{line}, width, height)
	}
	graph := max(min((width-2)/3, width-57, historyLen), 8)
	col := graph + 5 + 23
	one := "CPU " + th.Good.Render(spark(u.cpus, graph, 10)) + " " + cpu
	if u.last.CPUs > 0 {
		one += fmt.Sprintf(" of %d CPUs", u.last.CPUs)
	}
	two := "MEM " + th.Info.Render(spark(u.mems, graph, 1<<20)) + " " + text.FitLeft(size(u.last.Memory), 5) + limit
	one = text.Fit(one, col) + "NET ↓ " + size(u.last.RX) + " ↑ " + size(u.last.TX)
	two = text.Fit(two, col) + "I/O r " + size(u.last.Read) + " w " + size(u.last.Written) + fmt.Sprintf("  pids %d", u.last.Pids)
	return m.boxed(c.Name+" stats", []string{one, two}, width, height)
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

// facts is one line about a container: image, command, ports.
func (m *model) facts(c state.Container) string {
	parts := []string{m.theme.Info.Render(c.Image), c.Command}
	if c.Ports != "" {
		parts = append(parts, c.Ports)
	}
	return strings.Join(parts, m.theme.Dim.Render(" · "))
}

// imageStrip is drawStrip for an image.
func (m *model) imageStrip(i state.Image, width, height int) []string {
	used := "used by no container"
	if n := m.state.UsedBy(i.ID); n > 0 {
		used = "used by " + things(n, "one container", "containers")
	}
	line := size(uint64(max(i.Size, 0))) + m.theme.Dim.Render(" · ") + used + m.theme.Dim.Render(" · "+state.Short(i.ID))
	return m.boxed(i.Title(), []string{line, "made " + stamp(i.Created)}, width, height)
}
