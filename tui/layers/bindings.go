package layers

import (
	"io/fs"

	"charm.land/bubbles/v2/key"
)

// bindings are the browser's keys: dive's for the files, the console's for
// moving about.
type bindings struct {
	up, down, pageUp, pageDown, first, last, left, right, next, back key.Binding
	open, fold, foldAll, added, modified, removed, unchanged         key.Binding
	filter, order, attrs, extract, union, compare, copy              key.Binding
	diff, wrap, whole, hit, hitBack                                  key.Binding
}

// newBindings are the default keys, with what help says of each.
func newBindings() bindings {
	b := func(shown, help string, keys ...string) key.Binding {
		return key.NewBinding(key.WithKeys(keys...), key.WithHelp(shown, help))
	}
	return bindings{
		up:        b("k", "up", "k", "up"),
		down:      b("j", "down", "j", "down"),
		pageUp:    b("pgup", "page up", "pgup"),
		pageDown:  b("pgdn", "page down", "pgdown"),
		first:     b("g", "first", "g", "home"),
		last:      b("G", "last", "G", "end"),
		left:      b("h", "layers", "h", "left"),
		right:     b("l", "files", "l", "right"),
		next:      b("tab", "layers, files, file", "tab", "shift+tab"),
		back:      b("esc", "back", "esc"),
		open:      b("⏎", "view", "enter"),
		fold:      b("space", "fold", "space"),
		foldAll:   b("ctrl+space", "fold all", "ctrl+space", "ctrl+@"),
		added:     b("ctrl+a", "added", "ctrl+a"),
		modified:  b("M", "modified", "M"),
		removed:   b("ctrl+r", "removed", "ctrl+r"),
		unchanged: b("ctrl+u", "unchanged", "ctrl+u"),
		filter:    b("/", "filter names", "/"),
		order:     b("ctrl+o", "order", "ctrl+o"),
		attrs:     b("ctrl+b", "attributes", "ctrl+b"),
		extract:   b("ctrl+e", "save", "ctrl+e"),
		union:     b("u", "union of layers", "u"),
		compare:   b("c", "compare with", "c"),
		copy:      b("y", "copy path", "y"),
		diff:      b("d", "diff or file", "d"),
		wrap:      b("w", "wrap", "w"),
		whole:     b("z", "all the room", "z"),
		hit:       b("n", "next match", "n"),
		hitBack:   b("N", "previous match", "N"),
	}
}

// Keys are the bindings that work now, for help.
func (m *Model) Keys() []key.Binding {
	b := m.keys
	if m.focus == onFile && m.viewer != nil {
		search := b.filter
		search.SetHelp("/", "search")
		return []key.Binding{b.diff, search, b.hit, b.hitBack, b.wrap, b.whole, b.extract, b.copy, b.next, b.back}
	}
	if m.focus == onLayers {
		open := b.open
		open.SetHelp("⏎", "files")
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
