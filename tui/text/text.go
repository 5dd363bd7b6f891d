// Package text makes foreign text safe to show and fits it into cells.
//
// Names, labels, logs and file names come from containers, so they may hold
// anything. Everything shown passes through [Clean] (one line, no escape
// sequence at all) or [CleanSGR] (one line, colours kept). What they return
// has one width only: every grapheme cluster is as wide to a terminal that
// counts code points as to one that counts clusters, so borders stay aligned
// on both.
//
// The package depends on nothing of berth.
package text

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Ellipsis ends what [Fit] had to cut.
const Ellipsis = "…"

// Width is the number of cells that s takes, escape sequences not counted.
func Width(s string) int { return ansi.StringWidth(s) }

// Fit returns s in exactly width cells: padded with spaces, or cut with an
// ellipsis. A style that is open at the cut is closed.
func Fit(s string, width int) string {
	if width <= 0 {
		return ""
	}
	w := ansi.StringWidth(s)
	if w > width {
		s = ansi.Truncate(s, width, Ellipsis)
		w = ansi.StringWidth(s)
	}
	if w < width {
		return s + Spaces(width-w)
	}
	return s
}

// FitLeft is [Fit] with the text at the right edge; the left end is cut.
func FitLeft(s string, width int) string {
	if width <= 0 {
		return ""
	}
	w := ansi.StringWidth(s)
	if w > width {
		s = ansi.TruncateLeft(s, w-width+1, Ellipsis)
		w = ansi.StringWidth(s)
	}
	if w > width { // a wide rune lay across the cut
		return Fit(s, width)
	}
	return Spaces(width-w) + s
}

// Cut returns the cells [from, to) of s, styles kept.
func Cut(s string, from, to int) string {
	if to <= from {
		return ""
	}
	return ansi.Cut(s, from, to)
}

// Strip removes escape sequences.
func Strip(s string) string { return ansi.Strip(s) }

const blanks = "                                                                                                                                "

// Spaces is a string of n spaces.
func Spaces(n int) string {
	if n <= 0 {
		return ""
	}
	if n <= len(blanks) {
		return blanks[:n]
	}
	return strings.Repeat(" ", n)
}

// Block returns exactly height lines of exactly width cells: lines are fitted,
// missing ones are blank, surplus ones dropped.
func Block(lines []string, width, height int) []string {
	if height < 0 {
		height = 0
	}
	out := make([]string, height)
	for i := range out {
		if i < len(lines) {
			out[i] = Fit(lines[i], width)
		} else {
			out[i] = Spaces(width)
		}
	}
	return out
}

// Beside joins blocks of the same height line by line.
func Beside(blocks ...[]string) []string {
	if len(blocks) == 0 {
		return nil
	}
	out := make([]string, len(blocks[0]))
	for i := range out {
		var b strings.Builder
		for _, block := range blocks {
			if i < len(block) {
				b.WriteString(block[i])
			}
		}
		out[i] = b.String()
	}
	return out
}
