package files

import (
	"context"
	"fmt"
	"io"

	tea "charm.land/bubbletea/v2"

	"berth/engine/api/berthapi"
	"berth/tui/keymap"
	"berth/tui/layers"
	"berth/tui/list"
	"berth/tui/text"
)

// Search filters the directory by name, or searches the file that is shown.
func (m *Model) Search(q list.Filter) {
	if m.viewing != "" {
		m.viewer.Search(q)
		return
	}
	m.rows.SetFilter(q)
}

// Query is the filter or search in effect.
func (m *Model) Query() list.Filter {
	if m.viewing != "" {
		return m.viewer.Query()
	}
	return m.rows.Filter()
}

// Text is what is worth copying: what is visible of a file, or the path of the row.
func (m *Model) Text() (what, content string) {
	if m.viewing != "" {
		return "what is visible", m.viewer.Text()
	}
	e, ok := m.rows.Current()
	if !ok {
		return "", ""
	}
	return e.Path, e.Path
}

// Do does an action that is not about moving.
func (m *Model) Do(a keymap.Action) tea.Cmd {
	switch {
	case a == keymap.Extract:
		return m.save()
	case m.viewing == "":
	case a == keymap.NextHit:
		m.viewer.Step(1)
	case a == keymap.PrevHit:
		m.viewer.Step(-1)
	case a == keymap.OnlyHits:
		m.viewer.ToggleOnlyHits()
	}
	return nil
}

// save is the command that writes the file under the cursor, which may be shown, into
// the working directory.
func (m *Model) save() tea.Cmd {
	e, ok := m.rows.Current()
	switch {
	case !ok:
		return nil
	case e.Type != berthapi.File && e.Type != berthapi.Symlink:
		return say(layers.NoticeMsg{Text: "files can be saved here, one at a time; this is a " + string(e.Type)})
	}
	t, ctx := m.tree, m.ctx
	return func() tea.Msg {
		to, n, err := layers.Save(ctx, ".", e.Path, e.FileMode(), func(ctx context.Context) (io.ReadCloser, error) { return t.Open(ctx, e.Path) })
		if err != nil {
			return layers.NoticeMsg{Err: fmt.Errorf("saving %s: %w", text.Clean(e.Path), err)}
		}
		return layers.NoticeMsg{Text: fmt.Sprintf("saved %s (%s) to %s", text.Clean(e.Path), bytesOf(n), text.Clean(to))}
	}
}

// say is a command that puts something on the message line.
func say(n layers.NoticeMsg) tea.Cmd { return func() tea.Msg { return n } }
