package tui

import (
	"image"

	tea "charm.land/bubbletea/v2"

	"berth/tui/text"
	"berth/tui/theme"
)

// overlay is a box over the screen that has all keys while it is there.
type overlay interface {
	// update handles a key or a paste, and tells whether the box is done.
	update(m *model, msg tea.Msg) (closed bool, cmd tea.Cmd)
	// box draws the content in at most width×height cells.
	box(m *model, width, height int) (frame theme.Frame, lines []string)
}

// cover draws the overlay in the middle of the screen, which is dimmed.
func (m *model) cover(base []string) []string {
	frame, lines, r := m.overlayBox()
	return paste(m.theme, base, frame.Draw(m.theme, lines, r.Dx(), r.Dy()), r)
}

// paste puts a block over dimmed lines.
func paste(th theme.Theme, base, block []string, at image.Rectangle) []string {
	out := make([]string, len(base))
	for y, line := range base {
		plain := text.Strip(line)
		if y < at.Min.Y || y >= at.Max.Y {
			out[y] = th.Dim.Render(plain)
			continue
		}
		width := text.Width(plain)
		left := text.Fit(text.Cut(plain, 0, at.Min.X), at.Min.X)
		right := text.FitLeft(text.Cut(plain, at.Max.X, width), width-at.Max.X)
		out[y] = th.Dim.Render(left) + block[y-at.Min.Y] + th.Dim.Render(right)
	}
	return out
}

// window returns the part of n rows that shows the cursor in height rows.
func window(n, cursor, height int) (from, to int) {
	if height <= 0 {
		return 0, 0
	}
	from = max(min(cursor-height/2, n-height), 0)
	return from, min(from+height, n)
}
