package tui

import (
	tea "charm.land/bubbletea/v2"

	"berth/tui/edit"
	"berth/tui/keymap"
	"berth/tui/list"
)

// input sends a key or a paste to whoever has the keys: the overlay, the shell,
// the filter being typed, the browser, or the key map.
func (m *model) input(msg tea.Msg) tea.Cmd {
	k, isKey := msg.(tea.KeyPressMsg)
	switch {
	case m.overlay != nil:
		if isKey && k.String() == "ctrl+c" {
			return tea.Quit
		}
		was := m.overlay
		closed, cmd := was.update(m, msg)
		if closed && m.overlay == was { // what was chosen may have opened another one
			m.overlay = nil
		}
		return cmd
	case m.shellHasKeys():
		return m.shell.Update(msg)
	case m.filter != nil:
		return m.typeFilter(msg)
	case m.browserHasKeys(msg):
		return m.browser.Update(msg)
	case !isKey:
		return nil
	}
	m.hint, m.bad = "", false
	m.dropDrag()
	if m.detail && m.tab() == tabFiles {
		if cmd, ok := m.files.Press(k.String()); ok {
			return cmd
		}
	}
	if c, ok := m.ownCommand(k.String()); ok && !m.detail {
		return m.runOwn(c)
	}
	if a, ok := m.keys.Find(k.String(), m.scopes()...); ok {
		return m.perform(a)
	}
	return nil
}

// shellHasKeys tells whether every key goes into the container.
func (m *model) shellHasKeys() bool {
	return m.overlay == nil && m.detail && m.tab() == tabShell && m.shell.Focused()
}

// browserHasKeys tells whether the layer browser gets this key.
func (m *model) browserHasKeys(msg tea.Msg) bool {
	t := m.tab()
	if !m.detail || t != tabDiff && t != tabLayers {
		return false
	}
	k, ok := msg.(tea.KeyPressMsg)
	if m.browser.Capturing() || !ok {
		return !ok || k.String() != "ctrl+c"
	}
	a, _ := m.keys.Find(k.String(), m.pane().shape().scope, keymap.Everywhere)
	return !keymap.AboveLayers(a)
}

// scopes are those of what has the focus, the innermost first.
func (m *model) scopes() []keymap.Scope {
	own := m.pane().shape().scope
	if !m.detail {
		return []keymap.Scope{own, keymap.Lists, keymap.Everywhere}
	}
	switch m.tab() {
	case tabLogs:
		return []keymap.Scope{keymap.Logs, keymap.Detail, own, keymap.Everywhere}
	case tabFiles:
		return []keymap.Scope{keymap.Files, keymap.Detail, own, keymap.Everywhere}
	case tabDiff, tabLayers:
		return []keymap.Scope{own, keymap.Everywhere}
	}
	return []keymap.Scope{keymap.Detail, own, keymap.Everywhere}
}

// typeFilter edits the filter of the list, or the search of the detail; both
// take effect while typing.
func (m *model) typeFilter(msg tea.Msg) tea.Cmd {
	if k, ok := msg.(tea.KeyPressMsg); ok {
		switch k.String() {
		case "ctrl+c":
			return tea.Quit
		case "enter":
			m.filter = nil
			return nil
		case "esc":
			m.filter = nil
			m.applyFilter("")
			return nil
		case "up", "down":
			if !m.detail {
				m.filter = nil
				return m.input(msg)
			}
		}
	}
	if m.filter.Update(msg) {
		m.applyFilter(m.filter.Value())
	}
	return nil
}

// applyFilter filters the list, or searches the detail, wherever the focus is.
func (m *model) applyFilter(s string) {
	if m.detail {
		q := list.NewFilter(s)
		switch m.tab() {
		case tabLogs:
			m.logs.Search(q)
		case tabInspect:
			m.inspector.Search(q)
		case tabFiles:
			m.files.Search(q)
		default:
			if m.tab().isText() {
				m.text.Search(q)
			}
		}
		return
	}
	m.pane().SetFilter(list.NewFilter(s))
}

// filterText is the filter or search in effect where the focus is.
func (m *model) filterText() string {
	if !m.detail {
		return m.pane().Filter().String()
	}
	if m.tab() == tabFiles {
		return m.files.Query().String()
	}
	if p := m.pager(); p != nil {
		return p.Query().String()
	}
	return ""
}

// beginFilter starts typing, with what is in effect already.
func (m *model) beginFilter() {
	f := &edit.Field{}
	f.Set(m.filterText())
	m.filter = f
}
