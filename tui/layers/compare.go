package layers

import (
	"context"
	"fmt"
	"iter"

	"berth/engine/api/berthapi"
)

// entries yields what a place shows: what a layer holds, or the difference
// between two sides when one was marked.
func (s source) entries(ctx context.Context, p place) iter.Seq2[berthapi.Entry, error] {
	if p.against == 0 {
		return s.berth.Entries(ctx, s.image, p.layer, p.union)
	}
	return s.compared(ctx, s.tree(p.against-1), s.tree(p.layer))
}

// compared yields what has to be done to one tree to get another. The engine
// compares them: neither is sent here.
func (s source) compared(ctx context.Context, from, to string) iter.Seq2[berthapi.Entry, error] {
	return func(yield func(berthapi.Entry, error) bool) {
		for d, err := range s.berth.Diff(ctx, from, to, berthapi.DiffOptions{IgnoreTimes: true}) {
			var e berthapi.Entry
			switch {
			case err != nil:
			case d.New != nil:
				e = *d.New
			case d.Old != nil:
				e = *d.Old
				e.Size = 0 // nothing of it is there
			}
			e.Kind = d.Kind
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// tree is what the engine calls the files of a row: everything up to a layer,
// or all that the container sees but for what is mounted.
func (s source) tree(layer int) string {
	if layer == live {
		return "container:" + s.id
	}
	return fmt.Sprintf("image:%s@layer%d", s.image, layer)
}
