package layers

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"berth/tui/edit"
	"berth/tui/layers/tree"
	"berth/tui/list"
	"berth/tui/pager"
)

// viewerKey handles a key of the viewer.
func (m *Model) viewerKey(k tea.KeyPressMsg) tea.Cmd {
	v, p, b := m.viewer, m.viewer.pager, m.keys
	if v.typing != nil {
		switch k.String() {
		case "enter", "esc":
			v.typing = nil
		default:
			if v.typing.Update(k) {
				p.Search(list.NewFilter(v.typing.Value()))
			}
		}
		return nil
	}
	switch {
	case key.Matches(k, b.back), k.String() == "q":
		m.viewer = nil
		m.focus = onFiles
	case key.Matches(k, b.next):
		m.focus = onLayers
	case key.Matches(k, b.up):
		p.Scroll(-1)
	case key.Matches(k, b.down):
		p.Scroll(1)
	case key.Matches(k, b.pageUp):
		p.Page(-1)
	case key.Matches(k, b.pageDown, b.fold):
		p.Page(1)
	case key.Matches(k, b.first):
		p.Home()
	case key.Matches(k, b.last):
		p.End()
	case key.Matches(k, b.left):
		p.Sideways(-8)
	case key.Matches(k, b.right):
		p.Sideways(8)
	case key.Matches(k, b.wrap):
		p.ToggleWrap()
	case key.Matches(k, b.filter):
		v.typing = &edit.Field{}
	case key.Matches(k, b.hit):
		p.Step(1)
	case key.Matches(k, b.hitBack):
		p.Step(-1)
	case key.Matches(k, b.diff):
		if v.msg.diff != nil && v.file.kind != tree.Deleted {
			v.asDiff = !v.asDiff
			p.SetSource(pager.Static(v.lines()))
		}
	case key.Matches(k, b.open, b.whole):
		v.whole = !v.whole
	case key.Matches(k, b.copy):
		return copyText(v.file.path)
	case key.Matches(k, b.extract):
		if n := m.view.Tree().Find(v.file.path); n != tree.None {
			return m.extract(n)
		}
	}
	return nil
}
