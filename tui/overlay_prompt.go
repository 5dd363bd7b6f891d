package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/edit"
	"berth/tui/feed"
	"berth/tui/text"
	"berth/tui/theme"
)

// prompt asks for one line of text.
type prompt struct {
	example string
	title   string
	hint    func(string) string
	field   edit.Field
	run     func(string) tea.Cmd
	empty   bool // nothing typed is an answer
}

// update edits the line until enter or escape.
func (o *prompt) update(_ *model, msg tea.Msg) (bool, tea.Cmd) {
	if k, ok := msg.(tea.KeyPressMsg); ok {
		switch k.String() {
		case "esc":
			return true, nil
		case "enter":
			if v := o.field.Value(); v != "" || o.empty {
				return true, o.run(v)
			}
			return false, nil
		}
	}
	o.field.Update(msg)
	return false, nil
}

// box draws the line and under it what enter will do.
func (o *prompt) box(m *model, width, _ int) (theme.Frame, []string) {
	w := min(78, width-2)
	lines := []string{"", " " + o.field.View(w-2, true) + " ", ""}
	for _, row := range text.Wrap(text.Clean(o.says()), w-2) {
		lines = append(lines, text.Fit(" "+m.theme.Dim.Render(row), w))
	}
	return theme.Frame{Title: m.theme.Strong.Render(o.title), Footer: m.theme.Dim.Render("⏎ does it  esc cancels")}, lines
}

// says is the command that enter stands for, or an example of what to type.
func (o *prompt) says() string {
	if o.field.Value() == "" && o.example != "" {
		return o.example
	}
	return o.hint(o.field.Value())
}

// prompt asks for a line; run is what enter does with it.
func (m *model) prompt(title, example, value string, hint func(string) string, run func(string) tea.Cmd) {
	p := &prompt{title: title, example: example, hint: hint, run: run}
	p.field.Set(value)
	m.overlay = p
}

// askTag asks for another name of the selected image, beginning with its own.
func (m *model) askTag() tea.Cmd {
	i, ok := m.currentImage()
	if !ok {
		return nil
	}
	m.prompt("tag "+i.Title(), "", i.Tag, func(s string) string { return "berth tag " + i.Ref() + " " + s },
		func(s string) tea.Cmd { return m.tagImage(i, s) })
	return nil
}

// askCommit asks for the name of the image that a container is to become.
func (m *model) askCommit() tea.Cmd {
	c, ok := m.current()
	if !ok {
		return nil
	}
	command := func(s string) string { return "berth commit " + c.Name + " " + s }
	m.prompt("make an image of "+c.Name, "", c.Name+":latest", command, func(s string) tea.Cmd {
		return m.order(command(s), feed.Done{Verb: "commit", Past: "made an image of " + c.Name + ",", Name: s},
			func(ctx context.Context, cl *client.Client) (string, error) {
				_, err := cl.ContainerCommit(ctx, c.ID, client.ContainerCommitOptions{Reference: s})
				return "", err
			})
	})
	return nil
}
