package layers

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"berth/engine/api/berthapi"
)

// maxWasted bounds the report.
const maxWasted = 100

// waste is what an image carries in vain.
type waste struct {
	bytes int64 // hidden by later layers
	score int   // dive's efficiency, 0..100; 100 when nothing is
	files []wasted
}

// wasted is one path that several layers hold.
type wasted struct {
	path  string
	times int
	bytes int64 // in all layers together
}

type wasteMsg struct {
	gen   int
	waste waste
	err   error
}

// loadWaste fetches the report. The engine counts it from the indexes of the
// layers, whatever their size.
func (m *Model) loadWaste() tea.Cmd {
	gen, ctx, berth, image, layers := m.gen, m.ctx, m.cfg.Berth, m.subject.Image, m.layers
	return func() tea.Msg {
		w, err := wasteOf(ctx, berth, image, layers)
		return wasteMsg{gen, w, err}
	}
}

func wasteOf(ctx context.Context, berth Berth, image string, layers []berthapi.Layer) (waste, error) {
	out := waste{score: 100}
	for _, l := range layers {
		out.bytes += l.Wasted
	}
	if out.bytes == 0 {
		return out, nil
	}
	w, err := berth.Waste(ctx, image)
	if err != nil {
		return waste{}, err
	}
	out.score = int(100 * w.Efficiency)
	for _, f := range w.Files[:min(len(w.Files), maxWasted)] {
		if f.Size > 0 {
			out.files = append(out.files, wasted{f.Path, f.Count, f.Size})
		}
	}
	return out, nil
}
