package tui

import (
	"context"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/state"
	"berth/tui/text"
)

// inside is what a container has been asked for: its environment, or its
// processes with their titles above them.
type inside struct {
	id   string
	tab  tab
	rows [][]string
	cpus float64 // how many it may use, 0 for all
	err  error
}

// askInside asks for what a tab shows.
func (m *model) askInside(c state.Container, t tab) tea.Cmd {
	return m.feed.With(func(ctx context.Context, cl *client.Client) tea.Msg {
		out := inside{id: c.ID, tab: t}
		if t == tabTop {
			res, err := cl.ContainerTop(ctx, c.ID, client.ContainerTopOptions{})
			if out.err = err; err == nil {
				out.rows = append([][]string{res.Titles}, res.Processes...)
			}
			return out
		}
		res, err := cl.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
		if out.err = err; err != nil || res.Container.Config == nil {
			return out
		}
		out.cpus = cpuLimit(res.Container.HostConfig)
		env := slices.Clone(res.Container.Config.Env)
		slices.Sort(env)
		for _, e := range env {
			name, value, _ := strings.Cut(e, "=")
			out.rows = append(out.rows, []string{name, value})
		}
		return out
	})
}

// gotInside keeps an answer unless it comes late, for what is shown no more.
func (m *model) gotInside(in inside) {
	c, _ := m.current()
	i, _ := m.currentImage()
	if in.tab == m.tab() && (in.id == c.ID || in.id == i.ID) {
		m.inside = in
	}
}

// insideSheet draws what was asked, once it is there.
func (m *model) insideSheet(c state.Container, width int) []string {
	s := sheet{m: m, width: width}
	in := m.inside
	switch {
	case m.tab() == tabStats:
		return m.statsSheet(c, width)
	case m.tab() == tabTop && !c.Running():
		return m.teach(width, "no process: it does not run", "S", "starts it")
	case in.id != c.ID || in.tab != m.tab():
		return nil
	case in.err != nil:
		return m.teach(width, clean(in.err).Error())
	case len(in.rows) == 0:
		return m.teach(width, "its environment is empty")
	}
	for i, r := range in.rows {
		cells := make([]string, len(r))
		for k, cell := range r {
			cells[k] = text.Clean(cell)
			if i == 0 && in.tab == tabTop {
				cells[k] = m.theme.Dim.Render(cells[k])
			}
		}
		if in.tab == tabEnv {
			cells[0] = m.theme.Info.Render(cells[0])
		}
		s.rows = append(s.rows, cells)
	}
	s.table()
	return s.lines
}
