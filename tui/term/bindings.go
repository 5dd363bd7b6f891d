package term

import (
	"strings"

	"charm.land/bubbles/v2/key"

	"berth/tui/keymap"
)

// bindings are the pane's keys. All but the leader come after it.
type bindings struct {
	leader, leave, zoom, split, left, right, other, scroll, copy, open, next, prev, close, literal key.Binding
}

// scrollBindings are the keys while looking back.
type scrollBindings struct {
	up, down, pageUp, pageDown, first, last, mark, copy, search, again, back, leave key.Binding
}

// bound is the binding of an action in a scope, disabled when it has no key.
func bound(keys keymap.Map, a keymap.Action, s keymap.Scope) key.Binding {
	of, ok := keys.Of(a, s)
	if !ok || len(of.Keys) == 0 {
		return key.NewBinding(key.WithDisabled())
	}
	return key.NewBinding(key.WithKeys(of.Keys...), key.WithHelp(keymap.Pretty(of.Keys[0]), of.Help))
}

// newBindings are the pane's part of a key map. The leader twice is the leader itself.
func newBindings(keys keymap.Map) bindings {
	b := func(a keymap.Action) key.Binding { return bound(keys, a, keymap.Shell) }
	literal := b(keymap.Leader)
	literal.SetHelp(literal.Help().Key, "itself")
	return bindings{
		leader: b(keymap.Leader), leave: b(keymap.Leave), zoom: b(keymap.Zoom), split: b(keymap.Split), left: b(keymap.Left), right: b(keymap.Right),
		other: b(keymap.OtherHalf), scroll: b(keymap.ScrollBack), copy: b(keymap.Copy), open: b(keymap.NewSession), next: b(keymap.NextSession),
		prev: b(keymap.PrevSession), close: b(keymap.Close), literal: literal,
	}
}

// Leader is the key after which keys go to the pane and not into the container.
func (m *Model) Leader() string { return m.keys.leader.Help().Key }

// afterLeader is what may follow the leader, in a line.
func (m *Model) afterLeader() string {
	var out []string
	k := m.keys
	for _, b := range []struct {
		key.Binding
		word string
	}{{k.leave, "leave"}, {k.zoom, "zoom"}, {k.split, "split"}, {k.left, "left"}, {k.right, "right"}, {k.scroll, "scroll"}, {k.copy, "copy"},
		{k.open, "new"}, {k.next, "next"}, {k.prev, "previous"}, {k.close, "close"}, {k.literal, "itself"}} {
		if b.Enabled() {
			out = append(out, b.Help().Key+" "+b.word)
		}
	}
	return strings.Join(out, "  ")
}

// newScrollBindings are the keys while looking back.
func newScrollBindings(keys keymap.Map) scrollBindings {
	b := func(a keymap.Action) key.Binding { return bound(keys, a, keymap.Scrollback) }
	return scrollBindings{
		up: b(keymap.Up), down: b(keymap.Down), pageUp: b(keymap.PageUp), pageDown: b(keymap.PageDown), first: b(keymap.Top), last: b(keymap.Bottom),
		mark: b(keymap.Mark), copy: b(keymap.Copy), search: b(keymap.Filter), again: b(keymap.NextHit), back: b(keymap.PrevHit), leave: b(keymap.Back),
	}
}

// line is what can be pressed while looking back.
func (b scrollBindings) line() string {
	var out []string
	for _, w := range []struct {
		word string
		of   []key.Binding
	}{{"move", []key.Binding{b.down, b.up}}, {"mark", []key.Binding{b.mark}}, {"copy", []key.Binding{b.copy}}, {"search", []key.Binding{b.search}}, {"back", []key.Binding{b.leave}}} {
		var keys []string
		for _, k := range w.of {
			if k.Enabled() {
				keys = append(keys, k.Help().Key)
			}
		}
		if len(keys) > 0 {
			out = append(out, strings.Join(keys, "/")+" "+w.word)
		}
	}
	return strings.Join(out, "  ")
}

// Keys are the bindings that work now, for help: what one needs first stands
// first, since a line may have no room for all.
func (m *Model) Keys() []key.Binding {
	if m.LooksBack() {
		k := m.scrollKeys
		return []key.Binding{k.leave, k.search, k.again, k.back, k.mark, k.copy, k.up, k.down, k.pageUp, k.pageDown, k.first, k.last}
	}
	k := m.keys
	return []key.Binding{k.leave, k.zoom, k.split, k.scroll, k.copy, k.open, k.other, k.close, k.next, k.prev, k.left, k.right, k.literal}
}

// LooksBack tells whether the session shown looks back at what has scrolled
// away: then keys are not the shell's, and need no leader.
func (m *Model) LooksBack() bool {
	s := m.shown()
	return s != nil && s.view != nil
}
