package tui

import (
	"berth/tui/state"
	"berth/tui/text"
)

// measureColumns finds how wide what stands in columns is, once for each change
// of the lists instead of once for each row that is drawn.
func (m *model) measureColumns() {
	const mostPorts = 12
	m.nameWidths, m.portWidth = m.nameWidths[:0], len("99.9M")
	for _, c := range m.state.Containers(false, state.ByState, m.use) {
		m.nameWidths = append(m.nameWidths, text.Width(c.Name))
		m.portWidth = max(m.portWidth, min(text.Width(c.Ports), mostPorts))
	}
	m.hostWidth = len("*:8080")
	for _, p := range m.state.AllPorts(state.ByPort) {
		m.hostWidth = max(m.hostWidth, text.Width(p.Address()))
	}
}
