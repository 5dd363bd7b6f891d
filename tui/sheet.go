package tui

import (
	"strings"

	"berth/tui/state"
	"berth/tui/text"
)

// sheet writes the text of a detail: titles, and tables whose columns are as
// wide as what is in them.
type sheet struct {
	m     *model
	width int
	lines []string
	rows  [][]string
}

// title begins a part.
func (s *sheet) title(name string) {
	if len(s.lines) > 0 {
		s.lines = append(s.lines, "")
	}
	s.lines = append(s.lines, " "+s.m.theme.Accent.Render(strings.ToUpper(name)))
}

// note is a sentence by itself.
func (s *sheet) note(what string) {
	s.lines = append(s.lines, "", " "+s.m.theme.Dim.Render(what))
}

// row adds a row to the table under way; one whose only value is empty is left out.
func (s *sheet) row(cells ...string) {
	if len(cells) == 2 {
		if cells[1] == "" {
			return
		}
		cells[0] = s.m.theme.Dim.Render(cells[0])
	}
	s.rows = append(s.rows, cells)
}

// table writes the rows. Columns that do not fit beside the first two go to a
// line of their own.
func (s *sheet) table() {
	var widths []int
	for _, r := range s.rows {
		for i, c := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], text.Width(c))
		}
	}
	for _, r := range s.rows {
		line, gap := "   ", ""
		for i, c := range r {
			if text.Width(line+gap+c) > s.width && i > 1 {
				s.lines = append(s.lines, line)
				line, gap = "       ", ""
			}
			line += gap + c
			gap = text.Spaces(widths[i] - text.Width(c) + 2)
		}
		s.lines = append(s.lines, line)
	}
	s.rows = nil
}

// pairs writes labels or options, when there are any.
func (s *sheet) pairs(name string, all map[string]string) {
	list := state.Pairs(all)
	if len(list) == 0 {
		return
	}
	s.title(name)
	for _, p := range list {
		k, v, _ := strings.Cut(p, "=")
		for i, row := range text.Wrap(s.m.theme.Info.Render(k)+s.m.theme.Dim.Render("=")+v, max(s.width-5, 10)) {
			s.lines = append(s.lines, text.Spaces(3+min(i, 1))+row)
		}
	}
}
