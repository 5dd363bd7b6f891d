package layers

import (
	"cmp"
	"context"
	"path"
	"slices"

	tea "charm.land/bubbletea/v2"

	"berth/engine/api/berthapi"
)

// maxWasted bounds the report.
const maxWasted = 100

// waste is what an image carries in vain.
type waste struct {
	bytes int64 // hidden by later layers
	score int   // 0..100; 100 when nothing is
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

// loadWaste computes the report. The score is dive's efficiency: of each path
// the smallest version that any layer holds counts as needed, all versions
// together as carried; a removal carries once more what it removes.
func (m *Model) loadWaste() tea.Cmd {
	gen, ctx, berth, image, layers := m.gen, m.ctx, m.cfg.Berth, m.subject.Image, m.layers
	return func() tea.Msg {
		w, err := measureWaste(ctx, berth, image, layers)
		return wasteMsg{gen, w, err}
	}
}

// measureWaste reads the layers from the top down: a path matters only once a
// layer above changed or removed it, so that memory follows what is repeated
// and not what is there. The directory a removal names stands for all below.
func measureWaste(ctx context.Context, berth Berth, image string, layers []berthapi.Layer) (waste, error) {
	var out waste
	var carried int64
	for _, l := range layers {
		out.bytes += l.Wasted
		carried += l.Size
	}
	out.score = 100
	if out.bytes == 0 || carried == 0 {
		return out, nil
	}
	type seen struct {
		times     int
		sum, need int64 // need is -1 until a version is seen
		removed   bool  // by a layer above; what it removes is still to come
		dir       bool  // it stands for all that lay below it
	}
	paths := map[string]*seen{}
	find := func(p string) (s *seen, below bool) {
		if s := paths[p]; s != nil {
			return s, false
		}
		for at := path.Dir(p); len(at) > 1; at = path.Dir(at) {
			if s := paths[at]; s != nil && s.removed {
				return s, true
			}
		}
		return nil, false
	}
	for _, l := range slices.Backward(layers) {
		if l.Empty {
			continue
		}
		for e, err := range berth.Entries(ctx, image, l.Index, false) {
			if err != nil {
				return waste{}, err
			}
			if e.Type == berthapi.Dir && e.Kind != berthapi.Deleted {
				continue
			}
			s, below := find(e.Path)
			if s == nil {
				if e.Kind == berthapi.Added {
					continue
				}
				s = &seen{need: -1}
				paths[e.Path] = s
			}
			s.times++
			switch {
			case e.Kind == berthapi.Deleted:
				s.removed = s.removed || !below
			case below:
				s.dir = true
				s.sum += 2 * e.Size
				s.need = max(s.need, 0) + e.Size
				carried += e.Size
			default:
				s.sum += e.Size
				if s.removed {
					s.sum += e.Size
					carried += e.Size
				}
				if !s.dir && (s.need < 0 || e.Size < s.need) {
					s.need = e.Size
				}
				s.removed = false
			}
		}
	}
	var spare int64
	for p, s := range paths {
		if s.times < 2 || s.sum == 0 {
			continue
		}
		spare += s.sum - max(s.need, 0)
		out.files = append(out.files, wasted{p, s.times, s.sum})
	}
	slices.SortFunc(out.files, func(a, b wasted) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.path, b.path))
	})
	out.files = out.files[:min(len(out.files), maxWasted)]
	if carried > 0 {
		out.score = int(100 * (carried - spare) / carried)
	}
	return out, nil
}
