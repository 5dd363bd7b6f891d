package tui

import (
	"fmt"

	"berth/tui/keymap"
	"berth/tui/list"
	"berth/tui/state"
	"berth/tui/text"
)

// newProjects is the panel of compose projects; without one it is not there.
func newProjects() *paneOf[state.Project] {
	return &paneOf[state.Project]{
		List: list.New(func(p state.Project) string { return p.Name }, state.Project.Match),
		face: face{
			number: "1", name: "Projects", noun: "project", scope: keymap.Projects,
			tabs:   []tab{tabServices, tabLogs},
			orders: []state.Order{state.ByState, state.ByName},
			empty:  noRows("projects"),
			about:  about("a project: the containers that compose has started together"),
		},
		rows:  func(m *model, by state.Order) []state.Project { return m.state.Projects(by) },
		line:  (*model).projectRow,
		item:  func(p state.Project) item { return item{key: p.Name, id: p.Name, title: p.Name, ref: p.Name} },
		sheet: (*model).projectSheet,
		strip: (*model).projectStrip,
	}
}

// projectRow is whether all, some or none of it runs, and how many.
func (m *model) projectRow(p state.Project, width int) string {
	running, all := p.Counts()
	glyph := m.theme.Dim.Render("○")
	switch {
	case running == all:
		glyph = m.theme.Good.Render("●")
	case running > 0:
		glyph = m.theme.Warn.Render("◐")
	}
	right := fmt.Sprintf("%d/%d", running, all)
	return " " + glyph + " " + m.theme.Strong.Render(text.Fit(p.Name, width-5-len(right))) + " " + right + " "
}

// projectSheet is the services of a project and how each is.
func (m *model) projectSheet(p state.Project, width int) []string {
	s := sheet{m: m, width: width}
	s.title("services")
	for _, c := range p.Containers {
		service := c.Service
		if service == "" {
			service = c.Name
		}
		s.row(m.glyph(c)+" "+m.theme.Strong.Render(service), m.containerFacts(c, 34), m.theme.Dim.Render(c.Status), m.theme.Dim.Render(c.Image))
	}
	s.table()
	if p.Dir != "" {
		s.title("project")
		s.row("started in", p.Dir)
		s.table()
	}
	return append(s.lines, m.teach(width, "verbs act on all of its containers", "U", "brings all of it up again", "D", "takes it down", "s", "stops them", "S", "starts them", "r", "restarts them", "d", "removes them")...)
}

// projectStrip is one line about a project.
func (m *model) projectStrip(p state.Project, width, height int) []string {
	running, all := p.Counts()
	return m.boxed(p.Name, []string{fmt.Sprintf("%d of %s running", running, things(all, "one container", "containers")), p.Dir}, width, height)
}
