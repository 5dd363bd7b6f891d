package theme

import (
	"strings"

	"berth/tui/text"
)

// Frame is a pane's border with what is written into it.
type Frame struct {
	Title   string // top left, may be styled
	Right   string // top right
	Footer  string // bottom right
	Left    string // bottom left
	Focused bool
}

// Draw puts lines into the frame, which takes exactly width×height cells.
func (f Frame) Draw(th Theme, lines []string, width, height int) []string {
	if width < 2 || height < 2 {
		return text.Block(lines, width, height)
	}
	border := th.Border
	if f.Focused {
		border = th.Focus
	}
	out := make([]string, 0, height)
	out = append(out, edge(border, "╭", f.Title, f.Right, "╮", width))
	side := border.Render("│")
	for i := range height - 2 {
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		out = append(out, side+text.Fit(line, width-2)+side)
	}
	return append(out, edge(border, "╰", f.Left, f.Footer, "╯", width))
}

// edge is one horizontal border with a label at either end. The right label
// gives way first when both do not fit.
func edge(border Style, from, left, right, to string, width int) string {
	room := width - 2
	l, r := 0, 0
	if left != "" {
		if l = text.Width(left) + 3; l > room {
			left, l = text.Fit(left, max(room-3, 0)), room
		}
		if room < 4 {
			left, l = "", 0
		}
	}
	if right != "" {
		if r = text.Width(right) + 3; l+r > room {
			right, r = "", 0
		}
	}
	var b strings.Builder
	b.WriteString(string(border) + from)
	if left != "" {
		b.WriteString("─ " + reset(border) + left + reset(border) + string(border) + " ")
	}
	b.WriteString(strings.Repeat("─", room-l-r))
	if right != "" {
		b.WriteString(" " + reset(border) + right + reset(border) + string(border) + " ─")
	}
	b.WriteString(to + reset(border))
	return b.String()
}

// reset ends a style; a border without one has nothing to end.
func reset(st Style) string {
	if st == "" {
		return ""
	}
	return "\x1b[m"
}

// Line is the frame of a pane that has one line only: its title in a rule.
func (f Frame) Line(th Theme, width int) string {
	if width < 2 {
		return text.Spaces(width)
	}
	border := th.Border
	if f.Focused {
		border = th.Focus
	}
	return edge(border, "─", f.Title, f.Right, "─", width)
}
