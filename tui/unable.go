package tui

import (
	"errors"
	"strings"

	"berth/tui/keymap"
	"berth/tui/text"
)

// unable says why the engine cannot do an action; "" when it can, or as long as
// nobody knows.
func (m *model) unable(a keymap.Action) string {
	switch a {
	case keymap.NewPort, keymap.RemovePort, keymap.CloneVolume, keymap.ExportVolume, keymap.ImportVolume: // routes of berth's own
		if m.version.Foreign {
			return "needs berth's engine"
		}
	case keymap.Limits:
		if m.version.Fixed {
			return "unknown to this engine"
		}
	}
	return ""
}

// refuse says that the engine cannot do an action, if so.
func (m *model) refuse(a keymap.Action) bool {
	why := m.unable(a)
	if why != "" {
		m.fail(errors.New(strings.ReplaceAll(string(a), "-", " ") + ": " + m.because(why)))
	}
	return why != ""
}

// greyed says which keys are grey where the focus is, and why; "" when none is.
func (m *model) greyed() string {
	var keys []string
	why := ""
	for _, b := range m.keys.In(m.pane().shape().scope) {
		if s := m.unable(b.Action); s != "" && len(b.Keys) > 0 {
			keys, why = append(keys, keymap.Pretty(b.Keys[0])), s // of one panel they have one reason
		}
	}
	if keys == nil {
		return ""
	}
	return strings.Join(keys, " ") + ": " + m.because(why)
}

// because is a reason with the engine that it is about.
func (m *model) because(why string) string { return why + ", this is " + text.Clean(m.version.Is()) }
