package tui

import (
	"strings"
	"testing"

	"berth/tui/keymap"
	"berth/tui/pager"
	"berth/tui/text"
)

// A key that works is a key that help shows.
func TestEveryBindingIsInTheHelp(t *testing.T) {
	m := offline(t, 120, 36)
	for _, width := range []int{74, 150} {
		all := text.Strip(strings.Join(helpLines(m, width), "\n"))
		for _, b := range m.keys {
			if !strings.Contains(all, b.Shown()) || !strings.Contains(all, b.Help) {
				t.Errorf("at %d columns: %s (%s: %q) is missing", width, b.Action, b.Shown(), b.Help)
			}
		}
		for _, keys := range [][2]string{{"ctrl+]", "SHELL"}, {"extract", "LAYERS"}} {
			if !strings.Contains(all, keys[1]) {
				t.Errorf("no section %s", keys[1])
			}
		}
	}
}

// Beside each other in 120 columns, no description is cut.
func TestTheHelpFitsItsColumns(t *testing.T) {
	for _, line := range helpLines(offline(t, 120, 36), 118) {
		if strings.Contains(line, "…") {
			t.Errorf("cut: %s", text.Strip(line))
		}
	}
}

// Every action that is bound does something: in some place its key changes
// the model or asks for something.
func TestEveryActionIsDone(t *testing.T) {
	for _, b := range keymap.Default() {
		if b.Scope == keymap.Layers || b.Scope == keymap.Shell || b.Scope == keymap.Scrollback || b.Scope == keymap.Files { // the tests of the panes press all of these
			continue
		}
		done := false
		for _, prepare := range [][]string{nil, {"j", "j", "j"}, {"3"}, {"enter"}, {"[", "[", "enter"}, {"@"}, {"v", "j"}, {"tab"}, {"+"}, {"1"}, {"4"}, {"5"}, {"5", "j"}, {"6"}} {
			m := offline(t, 120, 36)
			m.logs.Reset(m.logSources(), m.logs.Stream, true)
			m.logs.Append(manyLines(200))
			m.inspectID = m.inspected()
			m.inspector.SetSource(pager.Static(strings.Split(strings.Repeat("{\n", 200), "\n")))
			press(m, prepare...)
			if p := m.pager(); p != nil {
				m.lines() // tells the pager its size
				p.Scroll(-50)
			}
			if m.detail {
				m.applyFilter("1|{")
			}
			if !inScope(m, b) {
				continue
			}
			before := strings.Join(m.lines(), "\n")
			cmd := m.perform(b.Action)
			m.sync()
			if cmd != nil || strings.Join(m.lines(), "\n") != before {
				done = true
				break
			}
		}
		if !done {
			t.Errorf("%s does nothing", b.Action)
		}
	}
}

func inScope(m *model, b keymap.Binding) bool {
	for _, s := range m.scopes() {
		if s == b.Scope {
			return true
		}
	}
	return false
}
