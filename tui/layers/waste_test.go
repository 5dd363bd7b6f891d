package layers

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"berth/engine/api/berthapi"
)

func TestWasteIsTheEngines(t *testing.T) {
	e := newEngine()
	e.waste = berthapi.Waste{Efficiency: 0.625, Wasted: 60, Files: []berthapi.WastedFile{{Path: "/a", Count: 3, Size: 60}, {Path: "/empty", Count: 2}}}
	w, err := wasteOf(t.Context(), e, "x", e.layers)
	if err != nil || w.score != 62 || w.bytes != 12_000_000 || len(w.files) != 1 || w.files[0] != (wasted{"/a", 3, 60}) {
		t.Errorf("%+v, %v", w, err)
	}
}

// An image without waste is not asked about.
func TestNoWasteIsFree(t *testing.T) {
	e := newEngine()
	for i := range e.layers {
		e.layers[i].Wasted = 0
	}
	if w, err := wasteOf(t.Context(), e, "x", e.layers); err != nil || w.score != 100 || e.count("waste") != 0 {
		t.Errorf("%+v %v, asked %d times", w, err, e.count("waste"))
	}
}

func TestWasteThatCannotBeHad(t *testing.T) {
	e := newEngine()
	e.err = context.Canceled
	if _, err := wasteOf(t.Context(), e, "x", e.layers); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTheReportIsBounded(t *testing.T) {
	e := newEngine()
	e.waste.Files = nil
	for i := range 3 * maxWasted {
		e.waste.Files = append(e.waste.Files, berthapi.WastedFile{Path: fmt.Sprint("/f", i), Count: 2, Size: int64(1000 - i)})
	}
	if w, err := wasteOf(t.Context(), e, "x", e.layers); err != nil || len(w.files) != maxWasted || w.files[0].path != "/f0" {
		t.Errorf("%d files, the largest %+v, %v", len(w.files), w.files[0], err)
	}
}
