package layers

import (
	"context"
	"errors"
	"testing"

	"berth/engine/api/berthapi"
)

// imageOf is an engine with an image of the given layers, lowest first.
func imageOf(layers ...[]berthapi.Entry) *engine {
	e := &engine{asked: map[string]int{}, entries: map[string][]berthapi.Entry{}}
	for i, entries := range layers {
		l := berthapi.Layer{Index: i}
		for _, entry := range entries {
			l.Size += entry.Size
		}
		e.layers = append(e.layers, l)
		e.entries[string(rune('0'+i))] = entries
	}
	return e
}

func put(path string, kind berthapi.Kind, size int64) berthapi.Entry {
	return berthapi.Entry{Path: path, Kind: kind, Type: berthapi.File, Size: size}
}

// The scores are those of dive's definition, worked out by hand: the sum of
// the smallest versions over the sum of all, a removal counting what it removes.
func TestWaste(t *testing.T) {
	for name, c := range map[string]struct {
		layers [][]berthapi.Entry
		wasted int64 // as the engine counts it
		score  int
		files  []wasted
	}{
		"nothing is repeated": {
			layers: [][]berthapi.Entry{{put("/a", "A", 10)}, {put("/b", "A", 10)}},
			score:  100,
		},
		"a file is replaced by its like": {
			layers: [][]berthapi.Entry{{put("/a", "A", 100)}, {put("/a", "M", 100)}},
			wasted: 100, score: 50, files: []wasted{{"/a", 2, 200}},
		},
		"a file grows": {
			layers: [][]berthapi.Entry{{put("/a", "A", 10), put("/b", "A", 60)}, {put("/a", "M", 30)}},
			wasted: 10, score: 70, files: []wasted{{"/a", 2, 40}},
		},
		"a mode change copies the file": {
			layers: [][]berthapi.Entry{{put("/a", "A", 50)}, {put("/a", "M*", 50)}},
			wasted: 50, score: 50, files: []wasted{{"/a", 2, 100}},
		},
		"a file is removed": {
			layers: [][]berthapi.Entry{{put("/a", "A", 50), put("/b", "A", 50)}, {put("/a", "D", 0)}},
			wasted: 50, score: 66, files: []wasted{{"/a", 2, 100}},
		},
		"a directory is removed": {
			layers: [][]berthapi.Entry{
				{{Path: "/c", Kind: "A", Type: berthapi.Dir}, put("/c/a", "A", 40), put("/c/d/b", "A", 20), put("/e", "A", 40)},
				{put("/c", "D", 0)},
			},
			wasted: 60, score: 62, files: []wasted{{"/c", 3, 120}},
		},
		"a step without files lies between": {
			layers: [][]berthapi.Entry{{put("/a", "A", 10)}, nil, {put("/a", "M", 10)}},
			wasted: 10, score: 50, files: []wasted{{"/a", 2, 20}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := imageOf(c.layers...)
			e.layers[0].Wasted = c.wasted
			if name == "a step without files lies between" {
				e.layers[1].Empty = true
			}
			got, err := measureWaste(t.Context(), e, "x", e.layers)
			if err != nil {
				t.Fatal(err)
			}
			if got.bytes != c.wasted || got.score != c.score {
				t.Errorf("%d bytes, score %d; want %d, %d", got.bytes, got.score, c.wasted, c.score)
			}
			if len(got.files) != len(c.files) {
				t.Fatalf("files %+v", got.files)
			}
			for i, f := range c.files {
				if got.files[i] != f {
					t.Errorf("file %+v, want %+v", got.files[i], f)
				}
			}
		})
	}
}

// An image without waste is not read at all.
func TestNoWasteIsFree(t *testing.T) {
	e := imageOf([]berthapi.Entry{put("/a", "A", 10)})
	if w, err := measureWaste(t.Context(), e, "x", e.layers); err != nil || w.score != 100 || e.count("entries 0") != 0 {
		t.Errorf("%+v %v, read %d times", w, err, e.count("entries 0"))
	}
}

func TestWasteOfWhatCannotBeRead(t *testing.T) {
	e := imageOf([]berthapi.Entry{put("/a", "A", 10)}, []berthapi.Entry{put("/a", "M", 10)})
	e.layers[0].Wasted = 10
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := measureWaste(ctx, e, "x", e.layers); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	e.layers[0].Size, e.layers[1].Size = 0, 0
	if w, err := measureWaste(t.Context(), e, "x", e.layers); err != nil || w.score != 100 {
		t.Errorf("an image of no size: %+v %v", w, err)
	}
}

func TestTheReportIsBounded(t *testing.T) {
	var lower, upper []berthapi.Entry
	for i := range 3 * maxWasted {
		path := "/f" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		lower, upper = append(lower, put(path, "A", int64(i+1))), append(upper, put(path, "M", 1))
	}
	e := imageOf(lower, upper)
	e.layers[0].Wasted = 1
	w, err := measureWaste(t.Context(), e, "x", e.layers)
	if err != nil || len(w.files) != maxWasted || w.files[0].bytes != 3*maxWasted+1 {
		t.Errorf("%d files, the largest %+v, %v", len(w.files), w.files[0], err)
	}
}
