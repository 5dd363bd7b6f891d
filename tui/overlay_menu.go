package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"berth/tui/state"
	"berth/tui/text"
	"berth/tui/theme"
)

// choice is one line of a menu.
type choice struct {
	key   string // a key that takes it at once
	label string
	hint  string // the equivalent command
	run   func() tea.Cmd
}

// menu asks which of some ways to do a thing; the last one does nothing.
type menu struct {
	title   string
	choices []choice
	cursor  int
}

// newMenu is a menu with a way out added at its end.
func newMenu(title string, choices ...choice) *menu {
	return &menu{title: title, choices: append(choices, choice{key: "n", label: "cancel", run: func() tea.Cmd { return nil }})}
}

// update moves, or takes a choice by its key or by enter.
func (o *menu) update(_ *model, msg tea.Msg) (bool, tea.Cmd) {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return false, nil
	}
	switch k.String() {
	case "esc", "q":
		return true, nil
	case "up", "k":
		o.cursor = max(o.cursor-1, 0)
	case "down", "j", "tab":
		o.cursor = min(o.cursor+1, len(o.choices)-1)
	case "enter":
		return true, o.choices[o.cursor].run()
	}
	for _, c := range o.choices {
		if c.key == k.String() {
			return true, c.run()
		}
	}
	return false, nil
}

// box draws a line for each choice: its key, what it does, the command for it.
func (o *menu) box(m *model, width, height int) (theme.Frame, []string) {
	label, hint := 0, 0
	for _, c := range o.choices {
		label, hint = max(label, text.Width(c.label)), max(hint, text.Width(c.hint))
	}
	w := min(5+label+3+hint+1, width-2)
	lines := []string{""}
	from, to := window(len(o.choices), o.cursor, max(height-4, 1))
	for i, c := range o.choices[from:to] {
		line := text.Fit(" "+c.key+"  "+text.Fit(c.label, label)+"   ", min(label+7, w))
		if from+i == o.cursor {
			lines = append(lines, m.theme.Cursor.Render(text.Fit(line+c.hint, w)))
			continue
		}
		line = " " + m.theme.Accent.Render(c.key) + line[1+len(c.key):]
		lines = append(lines, text.Fit(line+m.theme.Dim.Render(c.hint), w))
	}
	return theme.Frame{Title: m.theme.Strong.Render(o.title), Footer: m.theme.Dim.Render("⏎ does it  esc cancels")}, append(lines, "")
}

// askRemove asks how to remove what is chosen. What runs can only be removed
// with force, so that is what the first line says.
func (m *model) askRemove() tea.Cmd {
	chosen := m.targets()
	if len(chosen) == 0 {
		return nil
	}
	running := 0
	for _, c := range chosen {
		if c.Running() {
			running++
		}
	}
	names := things(len(chosen), chosen[0].Name, "containers")
	arg := names
	if len(chosen) > 1 {
		arg = "…"
	}
	do := func(v verb) func() tea.Cmd { return func() tea.Cmd { return m.act(v) } }
	if running > 0 {
		m.overlay = newMenu("remove "+names+"?",
			choice{"f", fmt.Sprintf("kill and remove (%d running)", running), "berth rm -f " + arg, do(removal(true, false))},
			choice{"v", "the same, with anonymous volumes", "berth rm -f -v " + arg, do(removal(true, true))})
		return nil
	}
	m.overlay = newMenu("remove "+names+"?",
		choice{"y", "remove", "berth rm " + arg, do(removal(false, false))},
		choice{"v", "remove, with anonymous volumes", "berth rm -v " + arg, do(removal(false, true))})
	return nil
}

// askKill asks before it kills: a key that is near others must not lose work.
func (m *model) askKill(v verb) tea.Cmd {
	chosen := m.conts.Chosen()
	if m.panel != containers || len(chosen) == 0 {
		return nil
	}
	names := things(len(chosen), chosen[0].Name, "containers")
	m.overlay = newMenu("kill "+names+"?", choice{"y", "kill", v.command(state.Container{Name: names}), func() tea.Cmd { return m.act(v) }})
	return nil
}

// askRemoveImage asks how to remove the chosen images, and says who uses them.
func (m *model) askRemoveImage() tea.Cmd {
	chosen := m.imgs.Chosen()
	if m.panel != images || len(chosen) == 0 {
		return nil
	}
	names, used := things(len(chosen), chosen[0].Title(), "images"), 0
	for _, i := range chosen {
		used += m.state.UsedBy(i.ID)
	}
	arg := names
	if len(chosen) > 1 {
		arg = "…"
	}
	label := "remove"
	if used > 0 {
		label = fmt.Sprintf("remove (used by %s)", things(used, "one container", "containers"))
	}
	m.overlay = newMenu("remove "+names+"?",
		choice{"y", label, "berth rmi " + arg, func() tea.Cmd { return m.removeImages(false) }},
		choice{"f", "remove by force", "berth rmi -f " + arg, func() tea.Cmd { return m.removeImages(true) }})
	return nil
}
