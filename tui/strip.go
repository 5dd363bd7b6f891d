package tui

import (
	"fmt"
	"strings"

	"berth/tui/state"
	"berth/tui/text"
)

// drawStrip is the facts of the selected row, in one line or in a box.
func (m *model) drawStrip(width, height int) []string {
	return m.withCarries(m.pane().facts(m, width, height), width)
}

// containerStrip is the load of a container, or how it ended.
func (m *model) containerStrip(c state.Container, width, height int) []string {
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

// facts is one line about a container: image, command, ports.
func (m *model) facts(c state.Container) string {
	parts := []string{m.theme.Info.Render(c.Image), c.Command}
	if c.Ports != "" {
		parts = append(parts, c.Ports)
	}
	return strings.Join(parts, m.theme.Dim.Render(" · "))
}
