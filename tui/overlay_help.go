package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
	"berth/tui/pager"
	"berth/tui/text"
	"berth/tui/theme"
)

// help shows all keys, made from the key map and from what the embedded panes
// say of theirs.
type help struct{ pager *pager.Pager }

// newHelp is the help at its top, laid out for the screen of the moment.
func newHelp(m *model) *help {
	return &help{pager: pager.New(pager.Static(helpLines(m, min(m.width-6, 150))), false)}
}

// section is the keys of one scope.
type section struct {
	title string
	rows  []helpRow
}

// helpRow is a key and what it does, grey when the engine cannot do that.
type helpRow struct {
	keys, what string
	grey       bool
}

// helpSections collects the keys: the map's by scope, then those of the user's
// commands. What comes after the shell's leader is told from what is pressed alone.
func helpSections(m *model) []section {
	var out []section
	for _, s := range m.keys.Scopes() {
		sec := section{title: string(s)}
		if s == keymap.Shell {
			sec.title += ", after " + m.shell.Leader()
		} else if s == keymap.Scrollback {
			sec.title += " of the shell"
		}
		for _, b := range m.keys.In(s) {
			row := helpRow{keys: b.Shown(), what: b.Help}
			if why := m.unable(b.Action); why != "" {
				row.what, row.grey = b.Help+": "+why, true
			}
			sec.rows = append(sec.rows, row)
		}
		out = append(out, sec)
	}
	if own := m.ownSection(); len(own.rows) > 0 {
		out = append(out, own)
	}
	return out
}

// helpLines sets the sections in one column, or two when there is room.
func helpLines(m *model, width int) []string {
	columns := 1
	if width >= 110 {
		columns = 2
	}
	w := width/columns - 1
	blocks := make([][]string, columns)
	for _, s := range helpSections(m) {
		keys := 0
		for _, r := range s.rows {
			keys = max(keys, text.Width(r.keys))
		}
		shortest := 0
		for i := range blocks {
			if len(blocks[i]) < len(blocks[shortest]) {
				shortest = i
			}
		}
		b := append(blocks[shortest], " "+m.theme.Accent.Render(strings.ToUpper(s.title)))
		for _, r := range s.rows {
			key, what := text.FitLeft(r.keys, keys), text.Fit(r.what, min(text.Width(r.what), max(w-keys-6, 0)))
			if r.grey {
				b = append(b, "   "+m.theme.Dim.Render(key+"  "+what))
				continue
			}
			b = append(b, "   "+m.theme.Strong.Render(key)+"  "+what)
		}
		blocks[shortest] = append(b, "")
	}
	height := 0
	for _, b := range blocks {
		height = max(height, len(b))
	}
	for i := range blocks {
		blocks[i] = text.Block(blocks[i], w, height)
	}
	return text.Beside(blocks...)
}

// update scrolls with the keys of the detail.
func (o *help) update(m *model, msg tea.Msg) (bool, tea.Cmd) {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return false, nil
	}
	a, _ := m.keys.Find(k.String(), keymap.Detail, keymap.Everywhere)
	switch a {
	case keymap.Up:
		o.pager.Scroll(-1)
	case keymap.Down:
		o.pager.Scroll(1)
	case keymap.PageDown:
		o.pager.Page(1)
	case keymap.PageUp:
		o.pager.Page(-1)
	case keymap.DetailHalfDown:
		o.pager.Half(1)
	case keymap.DetailHalfUp:
		o.pager.Half(-1)
	case keymap.Top:
		o.pager.Home()
	case keymap.Bottom:
		o.pager.End()
	case keymap.Back, keymap.Quit, keymap.Help, keymap.OnlyHits:
		return true, nil
	}
	return false, nil
}

// box draws the help; it is laid out again, since the screen may have changed.
func (o *help) box(m *model, width, height int) (theme.Frame, []string) {
	lines := helpLines(m, min(width-2, 150))
	w := 0
	for _, l := range lines {
		w = max(w, text.Width(l))
	}
	h := min(len(lines), height-2)
	foot := "esc closes"
	if len(lines) > h {
		foot = "j k scroll  " + foot
	}
	return theme.Frame{Title: m.theme.Strong.Render("all keys"), Footer: m.theme.Dim.Render(foot)}, o.pager.View(m.theme, w, h)
}
