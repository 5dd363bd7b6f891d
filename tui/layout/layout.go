// Package layout computes every rectangle of the console, in one place.
//
// There are four shapes. Wide enough, the screen is a left third of panels,
// one above the other with the focused one grown, and the detail beside it
// with the strip of stats under it; from [WideWidth] on a third column stands
// at the right. Below [NarrowWidth]×[NarrowHeight] only one
// pane is shown, the focused list or the detail. Below [MinWidth]×[MinHeight]
// nothing is laid out and [Screen.TooSmall] is set.
package layout

import "image"

// Limits of the shapes, in cells.
const (
	MinWidth, MinHeight       = 40, 10
	NarrowWidth, NarrowHeight = 80, 24
	WideWidth                 = 200
)

// Input is what the rectangles depend on.
type Input struct {
	Width, Height int
	Hidden        []bool // for each panel of the left third, whether it is left out
	Rows          []int  // how many lines each of them could fill; none: all it can get
	Focused       int    // which of them has grown
	Detail        bool   // the detail has the focus; decides what a narrow screen shows
	Zoom          bool   // the detail takes the whole body
	Strip         bool   // a strip of stats is wanted
	LogLines      int    // lines wanted by the command log, 0 when hidden
}

// Screen is the result. Empty rectangles are not drawn.
type Screen struct {
	TooSmall bool
	Narrow   bool
	Header   image.Rectangle
	Panels   []image.Rectangle
	Detail   image.Rectangle
	Strip    image.Rectangle
	Commands image.Rectangle // the command log
	Keys     image.Rectangle
	Message  image.Rectangle
	Side     image.Rectangle // a third column, on wide screens
}

// Of lays out a screen.
func Of(in Input) Screen {
	w, h := in.Width, in.Height
	s := Screen{Panels: make([]image.Rectangle, len(in.Hidden))}
	if w < MinWidth || h < MinHeight {
		s.TooSmall = true
		return s
	}
	s.Header = image.Rect(0, 0, w, 1)
	s.Keys = image.Rect(0, h-2, w, h-1)
	s.Message = image.Rect(0, h-1, w, h)
	body := image.Rect(0, 1, w, h-2)

	if in.LogLines > 0 && body.Dy() >= 12 {
		n := min(in.LogLines+2, body.Dy()/3)
		s.Commands = image.Rect(0, body.Max.Y-n, w, body.Max.Y)
		body.Max.Y -= n
	}
	s.Narrow = w < NarrowWidth || h < NarrowHeight
	right := body
	switch {
	case in.Zoom || s.Narrow && in.Detail:
	case s.Narrow:
		if in.Focused >= 0 && in.Focused < len(in.Hidden) {
			s.Panels[in.Focused] = body
		}
		return s
	default:
		left := image.Rect(0, body.Min.Y, leftWidth(w), body.Max.Y)
		stack(left, s.Panels, in)
		right.Min.X = left.Max.X
	}
	if w >= WideWidth && !in.Zoom {
		s.Side = image.Rect(right.Max.X-sideWidth, right.Min.Y, right.Max.X, right.Max.Y)
		right.Max.X -= sideWidth
	}
	if in.Strip {
		if n := stripHeight(h); right.Dy() > n+6 {
			s.Strip = image.Rect(right.Min.X, right.Max.Y-n, right.Max.X, right.Max.Y)
			right.Max.Y -= n
		}
	}
	s.Detail = right
	return s
}

// sideWidth is the width of the third column.
const sideWidth = 46

// leftWidth is a third, but wide enough for a name and its numbers, and not
// wider than a list can use.
func leftWidth(w int) int { return min(max(w/3, 34), 64) }

// stripHeight is one line on a small screen, a framed box on a larger one.
func stripHeight(h int) int {
	if h < 30 {
		return 1
	}
	return 4
}

// lowFocused is the least that the focused panel must get for the others to
// have a frame; below it each of them is one line, its title.
const lowFocused = 12

// border is what a frame takes of the lines of a panel.
const border = 2

// stack divides area among the panels that are not hidden: the focused one gets
// about half, the others share the rest. Where there is little room they have
// three lines, or one. Lines that the focused panel cannot fill go to those
// that have more rows than they show.
func stack(area image.Rectangle, panels []image.Rectangle, in Input) {
	hidden, focused := in.Hidden, in.Focused
	shown := 0
	for _, h := range hidden {
		if !h {
			shown++
		}
	}
	if shown == 0 {
		return
	}
	if focused < 0 || focused >= len(panels) || hidden[focused] {
		focused = 0
		for hidden[focused] {
			focused++
		}
	}
	rest := 0
	if others := shown - 1; others > 0 {
		rest = max(area.Dy()/2/others, 3)
		if area.Dy()-rest*others < lowFocused {
			rest = min(1, area.Dy()/shown)
		}
	}
	heights := make([]int, len(panels))
	for i := range panels {
		switch {
		case hidden[i]:
		case i == focused:
			heights[i] = area.Dy() - rest*(shown-1)
		default:
			heights[i] = rest
		}
	}
	if rest > 1 {
		lend(heights, in.Rows, focused)
	}
	y := area.Min.Y
	for i, height := range heights {
		panels[i] = image.Rect(area.Min.X, y, area.Max.X, y+height)
		y += height
		if height == 0 {
			panels[i] = image.Rectangle{}
		}
	}
}

// lend gives lines of the focused panel that its rows do not fill to the other
// panels, from the first on, one to each in a round, until none needs more. The
// focused panel remains the tallest, so that a glance finds it.
func lend(heights, rows []int, focused int) {
	if len(rows) != len(heights) {
		return
	}
	for spare := heights[focused] - max(rows[focused]+border, lowFocused); spare > 0; {
		lent := 0
		for i := range heights {
			if i == focused || heights[i] == 0 || heights[i] >= rows[i]+border || spare == lent || heights[i] >= heights[focused]-lent-1 {
				continue
			}
			heights[i]++
			lent++
		}
		if lent == 0 {
			return
		}
		heights[focused] -= lent
		spare -= lent
	}
}

// Center places a box of at most width×height cells in the middle of the screen.
func Center(screenWidth, screenHeight, width, height int) image.Rectangle {
	width, height = min(width, screenWidth), min(height, screenHeight)
	x, y := (screenWidth-width)/2, (screenHeight-height)/2
	return image.Rect(x, y, x+width, y+height)
}
