package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
)

// perform does what a key, or a line of the palette, stands for, and asks first
// where the user wants to be asked.
func (m *model) perform(a keymap.Action) tea.Cmd {
	if m.refuse(a) {
		return nil
	}
	asks, told := m.opt.Confirm[a]
	if told && asks && !keymap.Asks(a) {
		return m.askFirst(a)
	}
	cmd := m.do(a)
	if o, ok := m.overlay.(*menu); ok && told && !asks && keymap.Asks(a) {
		m.overlay = nil
		return tea.Batch(cmd, o.choices[0].run())
	}
	return cmd
}

// askFirst asks before a verb that does not do so itself.
func (m *model) askFirst(a keymap.Action) tea.Cmd {
	row, ok := m.pane().current()
	if !ok {
		return m.do(a) // it says what is missing
	}
	what := row.title
	if n := m.pane().Marks(); n > 0 {
		what = fmt.Sprintf("%d marked", n)
	}
	name := strings.ReplaceAll(string(a), "-", " ")
	m.overlay = newMenu(name+" "+what+"?", choice{"y", name, "", func() tea.Cmd { return m.do(a) }})
	return nil
}
