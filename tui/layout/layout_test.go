package layout

import (
	"image"
	"testing"
)

// Every cell of a screen that is not too small belongs to exactly one rectangle.
func TestRectanglesTileTheScreen(t *testing.T) {
	for w := 0; w <= 240; w += 7 {
		for h := 0; h <= 80; h += 3 {
			for mode := range 64 {
				in := Input{Width: w, Height: h, Hidden: []bool{mode&32 != 0, false, false, false}, Focused: mode & 1, Detail: mode&2 != 0, Zoom: mode&4 != 0, Strip: mode&8 != 0}
				if mode&16 != 0 {
					in.LogLines = 5
				}
				s := Of(in)
				if s.TooSmall {
					if w >= MinWidth && h >= MinHeight {
						t.Fatalf("%d×%d is too small", w, h)
					}
					continue
				}
				area := 0
				all := append([]image.Rectangle{s.Header, s.Detail, s.Strip, s.Commands, s.Keys, s.Message, s.Side}, s.Panels...)
				screen := image.Rect(0, 0, w, h)
				for i, r := range all {
					area += r.Dx() * r.Dy()
					if !r.In(screen) {
						t.Fatalf("%+v: %v is outside", in, r)
					}
					for _, o := range all[i+1:] {
						if r.Overlaps(o) {
							t.Fatalf("%+v: %v overlaps %v", in, r, o)
						}
					}
				}
				if area != w*h {
					t.Fatalf("%+v: %d of %d cells are covered", in, area, w*h)
				}
			}
		}
	}
}

func TestShapes(t *testing.T) {
	normal := Of(Input{Width: 120, Height: 36, Hidden: make([]bool, 2), Strip: true})
	if normal.Narrow || normal.Panels[0].Dx() != 40 || normal.Detail.Dx() != 80 || normal.Strip.Dy() != 4 {
		t.Errorf("120×36: %+v", normal)
	}
	if normal.Panels[0].Dy() <= normal.Panels[1].Dy() {
		t.Errorf("the focused panel has not grown: %+v", normal.Panels)
	}
	small := Of(Input{Width: 80, Height: 24, Hidden: make([]bool, 2), Strip: true})
	if small.Narrow || small.Strip.Dy() != 1 {
		t.Errorf("80×24: %+v", small)
	}
	list := Of(Input{Width: 60, Height: 20, Hidden: make([]bool, 2), Focused: 1})
	if !list.Narrow || list.Panels[1].Dx() != 60 || !list.Detail.Empty() || !list.Panels[0].Empty() {
		t.Errorf("60×20, list: %+v", list)
	}
	detail := Of(Input{Width: 60, Height: 20, Hidden: make([]bool, 2), Detail: true})
	if detail.Detail.Dx() != 60 || !detail.Panels[0].Empty() {
		t.Errorf("60×20, detail: %+v", detail)
	}
	wide := Of(Input{Width: 200, Height: 50, Hidden: make([]bool, 2), Strip: true})
	if wide.Side.Dx() != sideWidth || wide.Side.Min.X != wide.Detail.Max.X {
		t.Errorf("200×50: %+v", wide)
	}
	if c := Center(80, 24, 200, 10); c != image.Rect(0, 7, 80, 17) {
		t.Errorf("center: %v", c)
	}
}

// The focused panel is never smaller than the others, and none is lost while
// there is room for it.
func TestTheFocusedPanelGrows(t *testing.T) {
	for panels := 1; panels <= 7; panels++ {
		for h := NarrowHeight; h <= 100; h += 5 {
			for focused := range panels {
				s := Of(Input{Width: 120, Height: h, Hidden: make([]bool, panels), Focused: focused})
				for i, r := range s.Panels {
					if r.Dy() > s.Panels[focused].Dy() {
						t.Fatalf("%d panels in %d rows: %d is taller than the focused %d", panels, h, i, focused)
					}
					if r.Dy() < 3 && (r.Dy() < 1 || s.Panels[focused].Dy() > 2*lowFocused) {
						t.Fatalf("%d panels in %d rows: %d has %d rows", panels, h, i, r.Dy())
					}
				}
			}
		}
	}
	if s := Of(Input{Width: 120, Height: 36, Hidden: make([]bool, 2), Focused: 9}); s.Panels[0].Empty() {
		t.Error("a focus that does not exist hides the first panel")
	}
	if s := Of(Input{Width: 120, Height: 36}); s.Detail.Empty() {
		t.Error("without panels there is no detail")
	}
}

// What the focused panel cannot fill goes to the panels that have more rows than
// they show; a row more somewhere moves at most one line, and never takes one
// from the panel that got the row.
func TestLinesThatTheFocusedPanelCannotFill(t *testing.T) {
	in := Input{Width: 120, Height: 36, Hidden: make([]bool, 5), Rows: []int{5, 9, 2, 3, 0}}
	heights := func() (out []int) {
		for _, r := range Of(in).Panels {
			out = append(out, r.Dy())
		}
		return out
	}
	if h := heights(); h[0] != 12 || h[1] != 8 || h[2] != 4 || h[3] != 5 || h[4] != 4 {
		t.Errorf("5 rows of the focused panel: %v", h)
	}
	in.Rows[0] = 40
	if h := heights(); h[0] != 17 || h[1] != 4 {
		t.Errorf("a focused panel with 40 rows lent some of its lines: %v", h)
	}
	in.Rows = nil
	if h := heights(); h[0] != 17 {
		t.Errorf("without rows: %v", h)
	}
	for height := NarrowHeight; height <= 80; height += 3 {
		for panel := range 5 {
			in := Input{Width: 120, Height: height, Hidden: make([]bool, 5), Focused: 2, Rows: []int{7, 3, 6, 4, 9}}
			before := Of(in).Panels
			for range 30 {
				in.Rows[panel]++
				after := Of(in).Panels
				for i := range after {
					grown := after[i].Dy() - before[i].Dy()
					if grown < -1 || grown > 1 || i == panel && grown < 0 {
						t.Fatalf("%d lines, rows %v: panel %d went from %d lines to %d", height, in.Rows, i, before[i].Dy(), after[i].Dy())
					}
					if after[i].Dy() > after[2].Dy() {
						t.Fatalf("%d lines, rows %v: panel %d is taller than the focused one", height, in.Rows, i)
					}
				}
				before = after
			}
		}
	}
}

// A panel that is hidden leaves its lines to the others.
func TestHiddenPanels(t *testing.T) {
	s := Of(Input{Width: 120, Height: 36, Hidden: []bool{true, false, true, false}, Focused: 0})
	if !s.Panels[0].Empty() || !s.Panels[2].Empty() || s.Panels[1].Dy()+s.Panels[3].Dy() != 33 {
		t.Errorf("%+v", s.Panels)
	}
	if s := Of(Input{Width: 120, Height: 36, Hidden: []bool{true, true}}); s.Detail.Empty() {
		t.Error("without a panel there is no detail")
	}
}

func TestZoomGivesTheDetailAll(t *testing.T) {
	for _, w := range []int{60, 120, 240} {
		s := Of(Input{Width: w, Height: 40, Hidden: make([]bool, 2), Zoom: true, Strip: true})
		if s.Detail.Dx() != w || !s.Side.Empty() || !s.Panels[0].Empty() {
			t.Errorf("%d columns: %+v", w, s)
		}
	}
}

func TestTheCommandLogWaitsForRoom(t *testing.T) {
	if s := Of(Input{Width: 80, Height: 12, Hidden: make([]bool, 2), LogLines: 5}); !s.Commands.Empty() {
		t.Errorf("in 12 rows: %v", s.Commands)
	}
	if s := Of(Input{Width: 80, Height: 60, Hidden: make([]bool, 2), LogLines: 5}); s.Commands.Dy() != 7 {
		t.Errorf("in 60 rows: %v", s.Commands)
	}
}
