package layers

import (
	"io/fs"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
)

// bindings are the browser's keys: dive's for the files, the console's for
// moving about.
type bindings struct {
	up, down, pageUp, pageDown, first, last, left, right, next, back key.Binding
	open, fold, foldAll, added, modified, removed, unchanged         key.Binding
	filter, order, attrs, extract, union, compare, copy              key.Binding
	diff, wrap, whole, hit, hitBack                                  key.Binding
}

// newBindings are the browser's part of a key map.
func newBindings(keys keymap.Map) bindings {
	b := func(a keymap.Action) key.Binding {
		of, ok := keys.Of(a, keymap.Layers)
		if !ok {
			return key.NewBinding(key.WithDisabled())
		}
		out := key.NewBinding(key.WithKeys(append([]string{named(a)}, of.Keys...)...))
		if len(of.Keys) > 0 {
			out.SetHelp(keymap.Pretty(of.Keys[0]), of.Short)
		}
		return out
	}
	return bindings{
		up: b(keymap.Up), down: b(keymap.Down), pageUp: b(keymap.PageUp), pageDown: b(keymap.PageDown), first: b(keymap.Top), last: b(keymap.Bottom),
		left: b(keymap.Left), right: b(keymap.Right), next: b(keymap.NextPane), back: b(keymap.Back),
		open: b(keymap.Open), fold: b(keymap.Fold), foldAll: b(keymap.FoldAll),
		added: b(keymap.Added), modified: b(keymap.Modified), removed: b(keymap.Removed), unchanged: b(keymap.Unchanged),
		filter: b(keymap.Filter), order: b(keymap.Sort), attrs: b(keymap.Attributes), extract: b(keymap.Extract), union: b(keymap.Union),
		compare: b(keymap.Compare), copy: b(keymap.Copy),
		diff: b(keymap.AsDiff), wrap: b(keymap.Wrap), whole: b(keymap.Whole), hit: b(keymap.NextHit), hitBack: b(keymap.PrevHit),
	}
}

// named is what an action is pressed by that has no key, or whose key nobody pressed.
func named(a keymap.Action) string { return "action " + string(a) }

// Do does an action of the scope Layers, as its key would.
func (m *Model) Do(a keymap.Action) tea.Cmd { return m.Update(tea.KeyPressMsg{Text: named(a)}) }

// Keys are the bindings that work now, for help.
func (m *Model) Keys() []key.Binding {
	b := m.keys
	if m.focus == onFile && m.viewer != nil {
		search := b.filter
		search.SetHelp(search.Help().Key, "search")
		return []key.Binding{b.diff, search, b.hit, b.hitBack, b.wrap, b.whole, b.extract, b.copy, b.next, b.back}
	}
	if m.focus == onLayers {
		open := b.open
		open.SetHelp(open.Help().Key, "files")
		return []key.Binding{open, b.union, b.compare, b.next, b.filter, b.added, b.modified, b.removed, b.unchanged, b.order, b.copy, b.back}
	}
	return []key.Binding{
		b.open, b.fold, b.extract, b.filter, b.order, b.added, b.modified, b.removed, b.unchanged, b.union, b.compare, b.attrs, b.foldAll, b.copy, b.next, b.back,
	}
}

// typeName names what is not a regular file, for a message.
func typeName(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m.IsDir():
		return "directory"
	case m&fs.ModeDevice != 0:
		return "device"
	case m&fs.ModeNamedPipe != 0:
		return "pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	}
	return "special file"
}
