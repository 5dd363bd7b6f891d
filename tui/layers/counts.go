package layers

import (
	"slices"

	tea "charm.land/bubbletea/v2"

	"berth/engine/api/berthapi"
)

// Late is a Berth whose Layers tell counts and sizes only once files were looked at.
type Late interface{ CountsLate() }

// countsMsg is the list of layers again, with counts.
type countsMsg struct {
	gen    int
	layers []berthapi.Layer
}

// recount asks for the layers again after the first files came, when nothing was counted before: an
// engine that is not berth's has to export the image before it knows.
func (m *Model) recount() tea.Cmd {
	if _, late := m.cfg.Berth.(Late); !late || m.counted || slices.ContainsFunc(m.layers, func(l berthapi.Layer) bool { return l.Added+l.Modified+l.Deleted > 0 }) {
		return nil
	}
	m.counted = true
	gen, ctx, berth, image := m.gen, m.ctx, m.cfg.Berth, m.subject.Image
	return func() tea.Msg {
		layers, err := berth.Layers(ctx, image)
		if err != nil {
			return nil // the list that is shown is right, it only tells less
		}
		return countsMsg{gen, layers}
	}
}

// recounted takes the counts in; the chosen row and the mark stay on their layers.
func (m *Model) recounted(msg countsMsg) tea.Cmd {
	if msg.gen != m.gen {
		return nil
	}
	old := m.layers
	m.layers = slices.DeleteFunc(msg.layers, func(l berthapi.Layer) bool { return l.Empty })
	for _, row := range []*int{&m.row, &m.mark} {
		switch {
		case *row >= len(old):
			*row += len(m.layers) - len(old) // the writable layer
		case *row >= 0:
			*row = max(0, slices.IndexFunc(m.layers, func(l berthapi.Layer) bool { return l.Index == old[*row].Index }))
		}
	}
	return m.loadWaste()
}
