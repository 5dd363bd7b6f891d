package tui

import (
	"slices"

	tea "charm.land/bubbletea/v2"
	"github.com/sahilm/fuzzy"

	"berth/tui/edit"
	"berth/tui/keymap"
	"berth/tui/settings"
	"berth/tui/text"
	"berth/tui/theme"
)

// palette finds an action by some letters of its name, and shows its key.
type palette struct {
	field  edit.Field
	all    []entry
	shown  []entry
	cursor int
}

// entry is an action, or a command of the user's.
type entry struct {
	keymap.Binding
	own *settings.Command
}

// newPalette offers what can be done where the focus is.
func newPalette(m *model) *palette {
	p := &palette{all: m.applicable()}
	p.find()
	return p
}

// source gives fuzzy the text of each action.
type source []entry

// String is what letters are looked for in: the action's name and its help.
func (s source) String(i int) string { return string(s[i].Action) + " " + s[i].Help }
func (s source) Len() int            { return len(s) }

// find filters the actions, the best match first.
func (o *palette) find() {
	o.shown, o.cursor = o.all, 0
	if o.field.Value() == "" {
		return
	}
	o.shown = nil
	for _, hit := range fuzzy.FindFrom(o.field.Value(), source(o.all)) {
		o.shown = append(o.shown, o.all[hit.Index])
	}
}

// update types letters, moves, or does the action under the cursor.
func (o *palette) update(m *model, msg tea.Msg) (bool, tea.Cmd) {
	if k, ok := msg.(tea.KeyPressMsg); ok {
		switch k.String() {
		case "esc":
			return true, nil
		case "up", "ctrl+p":
			o.cursor = max(o.cursor-1, 0)
			return false, nil
		case "down", "ctrl+n", "tab":
			o.cursor = max(min(o.cursor+1, len(o.shown)-1), 0)
			return false, nil
		case "enter":
			if o.cursor >= len(o.shown) {
				return false, nil
			}
			m.overlay = nil // the action may open another one
			if own := o.shown[o.cursor].own; own != nil {
				return false, m.runOwn(*own)
			}
			if o.shown[o.cursor].Scope == keymap.Layers {
				return false, m.browser.Do(o.shown[o.cursor].Action)
			}
			return false, m.perform(o.shown[o.cursor].Action)
		}
	}
	if o.field.Update(msg) {
		o.find()
	}
	return false, nil
}

// box draws the line that is typed and the actions, each with its key.
func (o *palette) box(m *model, width, height int) (theme.Frame, []string) {
	w := min(76, width-2)
	rows := max(min(14, height-4), 1)
	lines := []string{" " + m.theme.Accent.Render(":") + " " + o.field.View(w-4, true), m.theme.Border.Render(rule(w))}
	from, to := window(len(o.shown), o.cursor, rows)
	for i := from; i < to; i++ {
		b := o.shown[i]
		name, keys := text.Fit(string(b.Action), 16), text.FitLeft(b.Shown(), 9)
		why := m.unable(b.Action)
		if why != "" {
			b.Help = b.Help + ": " + why
		}
		if i == o.cursor {
			lines = append(lines, m.theme.Cursor.Render(text.Fit(" "+name+" "+text.Fit(b.Help, w-29)+" "+keys, w)))
			continue
		}
		if why != "" {
			lines = append(lines, m.theme.Dim.Render(text.Fit(" "+name+" "+text.Fit(b.Help, w-29)+" "+keys, w)))
			continue
		}
		lines = append(lines, " "+m.theme.Strong.Render(name)+" "+text.Fit(b.Help, w-29)+" "+m.theme.Accent.Render(keys))
	}
	if len(o.shown) == 0 {
		lines = append(lines, text.Fit(m.theme.Dim.Render(" no action has these letters"), w))
	}
	for len(lines) < rows+2 {
		lines = append(lines, text.Spaces(w))
	}
	return theme.Frame{Title: m.theme.Strong.Render("palette"), Footer: m.theme.Dim.Render("⏎ does it  esc closes")}, lines
}

// applicable are the actions that the palette offers where the focus is, and the
// user's commands.
func (m *model) applicable() []entry {
	own := m.pane().shape().scope
	scopes := m.scopes()
	if !slices.Contains(scopes, own) {
		scopes = append([]keymap.Scope{own}, scopes...)
	}
	var out []entry
	if m.detail && m.tab().isLayers() { // what moves about there has no word, and only makes sense as a key
		for _, b := range m.keys.In(keymap.Layers) {
			if b.Short != "" {
				out = append(out, entry{Binding: b})
			}
		}
	}
	inner := out
	for _, b := range m.keys.In(scopes...) {
		if !b.Silent && !slices.ContainsFunc(inner, func(e entry) bool { return e.Action == b.Action }) {
			out = append(out, entry{Binding: b})
		}
	}
	for _, c := range m.ownCommands() {
		b := keymap.Binding{Action: keymap.Action(text.Clean(c.Name)), Help: "your command"}
		if line, err := c.Line(m.values()); err == nil {
			b.Help += ": " + text.Clean(line)
		}
		if c.Key != "" {
			b.Keys = []string{c.Key}
		}
		out = append(out, entry{b, &c})
	}
	return out
}
