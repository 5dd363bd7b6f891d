package term

import "charm.land/bubbles/v2/key"

// bindings are the pane's keys. Those of the shell come after the leader.
type bindings struct {
	leader, leave, zoom, split, left, right, other, scroll, copy, open, next, prev, close, literal key.Binding
}

// scrollBindings are the keys while looking back.
type scrollBindings struct {
	up, down, pageUp, pageDown, first, last, mark, copy, search, again, back, leave key.Binding
}

// newBindings are the keys of a shell; all but the leader come after it.
func newBindings() bindings {
	b := func(keys, help string) key.Binding {
		return key.NewBinding(key.WithKeys(keys), key.WithHelp("ctrl+] "+keys, help))
	}
	return bindings{
		leader:  key.NewBinding(key.WithKeys("ctrl+]"), key.WithHelp("ctrl+]", "leader")),
		leave:   b("q", "leave, the shell lives on"),
		zoom:    b("z", "zoom"),
		split:   b("|", "split, or one again"),
		left:    b("h", "left half"),
		right:   b("l", "right half"),
		other:   b("tab", "other half"),
		scroll:  b("[", "scroll"),
		copy:    b("y", "copy the screen"),
		open:    b("c", "new shell"),
		next:    b("n", "next session"),
		prev:    b("p", "previous session"),
		close:   b("x", "close the session"),
		literal: b("ctrl+]", "send ctrl+]"),
	}
}

// newScrollBindings are the keys while looking back: those of a pager.
func newScrollBindings() scrollBindings {
	b := func(help string, keys ...string) key.Binding {
		return key.NewBinding(key.WithKeys(keys...), key.WithHelp(keys[0], help))
	}
	return scrollBindings{
		up:       b("up", "k", "up"),
		down:     b("down", "j", "down"),
		pageUp:   b("page up", "pgup", "ctrl+u", "ctrl+b"),
		pageDown: b("page down", "pgdown", "ctrl+d", "ctrl+f", "space"),
		first:    b("oldest", "g", "home"),
		last:     b("newest", "G", "end"),
		mark:     b("mark from here", "v"),
		copy:     b("copy", "y"),
		search:   b("search", "/"),
		again:    b("next match", "n"),
		back:     b("previous match", "N"),
		leave:    b("back to the shell", "esc", "q"),
	}
}

// Keys are the bindings that work now, for help.
func (m *Model) Keys() []key.Binding {
	if s := m.shown(); s != nil && s.view != nil {
		k := m.scrollKeys
		return []key.Binding{k.up, k.down, k.pageUp, k.pageDown, k.first, k.last, k.mark, k.copy, k.search, k.again, k.back, k.leave}
	}
	k := m.keys
	return []key.Binding{k.leave, k.zoom, k.split, k.left, k.right, k.other, k.scroll, k.copy, k.open, k.next, k.prev, k.close, k.literal}
}
