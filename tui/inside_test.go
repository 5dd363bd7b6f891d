package tui

import "testing"

// A late answer of the tab that was left does not take the place of the one
// that is shown.
func TestALateAnswerIsNotShown(t *testing.T) {
	m := offline(t, 120, 36)
	for m.tab() != tabEnv {
		press(m, "]")
	}
	c, ok := m.current()
	if !ok {
		t.Fatal("no container is selected")
	}
	send(m, inside{id: c.ID, tab: tabEnv, rows: [][]string{{"COLOUR", "green"}}})
	shows(t, m, "COLOUR", "green")
	send(m, inside{id: c.ID, tab: tabStats, cpus: 1})
	shows(t, m, "COLOUR", "green")
	send(m, inside{id: "another", tab: tabEnv, rows: [][]string{{"COLOUR", "red"}}})
	shows(t, m, "COLOUR", "green")
}
