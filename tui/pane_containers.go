package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/api/types/container"

	"berth/tui/keymap"
	"berth/tui/list"
	"berth/tui/state"
	"berth/tui/text"
)

// newContainers is the panel of containers.
func newContainers() *paneOf[state.Container] {
	return &paneOf[state.Container]{
		List: list.New(func(c state.Container) string { return c.ID }, state.Container.Match),
		face: face{
			number: "2", name: "Containers", noun: "container", scope: keymap.Containers,
			tabs:   []tab{tabLogs, tabStats, tabShell, tabDiff, tabFiles, tabEnv, tabInspect, tabTop},
			orders: []state.Order{state.ByState, state.ByName, state.ByAge, state.ByCPU, state.ByMem},
			footer: (*model).containersFooter, empty: (*model).emptyContainers,
			about: about("a container: a process with its own files", "R", "runs an image", "3", "goes to the images", "?", "shows all keys", ":", "finds an action by name"),
		},
		rows:    func(m *model, by state.Order) []state.Container { return m.state.Containers(m.showAll, by, m.use) },
		line:    (*model).containerRow,
		item:    func(c state.Container) item { return item{key: c.ID, id: c.ID, title: c.Name, ref: c.Name} },
		sheet:   (*model).insideSheet,
		strip:   (*model).containerStrip,
		inspect: func(m *model, c state.Container) tea.Cmd { return m.feed.InspectContainer(c.ID) },
	}
}

// containersFooter says in which order the list is, and what A would show.
func (m *model) containersFooter() string {
	s := "A running only"
	if !m.showAll {
		_, all := m.state.Counts()
		s = fmt.Sprintf("A all %d", all)
	}
	if by := m.conts.order(); by != state.ByState {
		s = "by " + string(by) + "  " + s
	}
	return s
}

// glyph is the state of a container as a sign and a colour.
func (m *model) glyph(c state.Container) string {
	th := m.theme
	switch {
	case c.Busy != "":
		return th.Warn.Render("◌")
	case c.State == container.StateRunning && c.Health == container.Unhealthy:
		return th.Bad.Render("!") // the row of the cursor has no colours
	case c.State == container.StateRunning && c.Health == container.Starting:
		return th.Warn.Render("◐")
	case c.State == container.StateRunning:
		return th.Good.Render("●")
	case c.State == container.StatePaused:
		return th.Warn.Render("‖")
	case c.State == container.StateRestarting:
		return th.Warn.Render("◐")
	case c.State == container.StateDead:
		return th.Bad.Render("✗")
	case c.State == container.StateExited && c.Exit != 0:
		return th.Bad.Render("○")
	}
	return th.Dim.Render("○")
}

// health is what the health check of a running container says, "" when there is
// none. It is a word for rows with much room; all others have the glyph.
func (m *model) health(c state.Container) string {
	switch c.Health {
	case container.Healthy:
		return m.theme.Good.Render("healthy")
	case container.Starting:
		return m.theme.Warn.Render("starting")
	case container.Unhealthy:
		return m.theme.Bad.Render("unhealthy")
	}
	return ""
}

// Rows of at least graphed cells have a graph among their facts, narrower ones
// only where no name has to be cut for it.
const (
	graphed    = 54
	sparkWidth = 5
)

// graphs tells whether rows of a width have a graph beside the name: all or
// none, so that a graph stands in a column. Names that are cut anyway do not count.
func (m *model) graphs(width, right int) bool {
	room := width - 5 - right
	return width < graphed && !slices.ContainsFunc(m.nameWidths, func(name int) bool { return name <= room && name > room-1-sparkWidth })
}

// containerRow is glyph, name, and on the right what fits: a graph, CPU,
// memory, ports; or how it ended.
func (m *model) containerRow(c state.Container, width int) string {
	right := m.containerFacts(c, width)
	if u := m.usage[c.ID]; u != nil && c.State == container.StateRunning && c.Busy == "" && m.graphs(width, text.Width(right)) {
		right = m.theme.Good.Render(spark(u.cpus, sparkWidth, 10)) + " " + right
	}
	if n := len(c.Mounts); n > 0 && width >= graphed {
		right = m.theme.Dim.Render(fmt.Sprintf("▤%d ", n)) + right // how many volumes and directories it has
	}
	name := text.Fit(c.Name, width-5-text.Width(right))
	if c.Running() {
		name = m.theme.Strong.Render(name)
	}
	return " " + m.glyph(c) + " " + name + " " + right + " "
}

// containerFacts is the right side of a row: what is going on, else how it
// ended, else its load and ports, as much as fits in a row of the given width.
func (m *model) containerFacts(c state.Container, width int) string {
	th := m.theme
	switch {
	case c.Busy != "":
		return th.Warn.Render(c.Busy)
	case c.State == container.StatePaused:
		return th.Warn.Render("paused")
	case c.State == container.StateExited && c.Exit == 137:
		return th.Bad.Render("exit 137")
	case c.State == container.StateExited && c.Exit != 0:
		return th.Bad.Render(fmt.Sprintf("exit %d", c.Exit))
	case c.State == container.StateExited:
		return th.Dim.Render("exit 0")
	case c.State != container.StateRunning:
		return th.Dim.Render(string(c.State))
	}
	u := m.usage[c.ID]
	if u == nil {
		return th.Info.Render(text.Fit(c.Ports, min(text.Width(c.Ports), width/3)))
	}
	out := text.FitLeft(fmt.Sprintf("%.0f%%", u.cpu), 4)
	if width >= graphed {
		out = th.Good.Render(spark(u.cpus, 6, 10)) + " " + out
		if word := m.health(c); word != "" {
			out = word + " " + out
		}
	}
	mem := text.FitLeft(size(u.last.Memory), 5)
	switch {
	case width >= 46:
		out += " " + mem + "  " + th.Info.Render(text.Fit(c.Ports, m.portWidth))
	case width >= 36 && c.Ports != "":
		out += " " + th.Info.Render(text.FitLeft(text.Fit(c.Ports, min(text.Width(c.Ports), m.portWidth)), m.portWidth))
	case width >= 36:
		out += " " + text.FitLeft(mem, m.portWidth)
	case c.Ports != "": // the host's end of the first one
		host, _, _ := strings.Cut(c.Ports, "→")
		out += " " + th.Info.Render(text.FitLeft(":"+host, len(":65535")))
	default:
		out += " " + text.FitLeft(mem, len(":65535"))
	}
	return out
}

// emptyContainers teaches what to type.
func (m *model) emptyContainers(width int) []string {
	loaded, _ := m.state.Loaded()
	switch {
	case !loaded:
		return nil
	case m.conts.Filter().Active():
		return m.teach(width, "no container matches", "esc", "clears the filter")
	case m.conts.Total() == 0 && !m.showAll:
		return m.teach(width, "nothing is running", "A", "shows all containers")
	}
	if _, known := m.state.Loaded(); known && m.imgs.Total() == 0 && m.opt.Starter != nil {
		return m.teach(width, "no containers yet", "3 N", "makes a small image", "R", "runs an image", ":", "finds everything else")
	}
	return m.teach(width, "no containers yet", "R", "runs an image", ":", "finds everything else")
}
