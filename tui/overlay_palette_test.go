package tui

import "testing"

// What the layer browser does can be found by name while it has the focus.
func TestThePaletteHasTheBrowsersActions(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("● web")
	r.Press(":")
	r.Type("compar")
	r.WaitFor("no action has these letters")
	r.Press("esc", "D")
	r.WaitFor("diff", "Waste", "writable layer")
	r.Press(":")
	r.Type("unchang")
	r.WaitFor("unchanged: shown or hidden", "ctrl+u")
	r.Press("enter")
	r.WaitFor("Files A+M+R ")
	r.Press(":")
	r.Type("compar")
	r.WaitFor("mark one side of a comparison")
	r.Press("enter")
	r.WaitFor("marked: choose the other side")
}
