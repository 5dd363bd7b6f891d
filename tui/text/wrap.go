package text

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Wrap breaks a cleaned line into rows of at most width cells. A colour that is
// open at a break is closed there and opened again on the next row, so every
// row can be drawn by itself. The result has at least one row.
func Wrap(s string, width int) []string {
	if width <= 0 || Width(s) <= width {
		return []string{s}
	}
	var (
		rows  []string
		row   strings.Builder
		style string // the sequences since the last reset
		col   int
		state byte
	)
	flush := func() {
		if style != "" {
			row.WriteString(ansi.ResetStyle)
		}
		rows = append(rows, row.String())
		row.Reset()
		row.WriteString(style)
		col = 0
	}
	for len(s) > 0 {
		seq, w, n, next := ansi.DecodeSequence(s, state, nil)
		if n <= 0 {
			break
		}
		state = next
		s = s[n:]
		if w == 0 {
			switch {
			case seq == ansi.ResetStyle || seq == "\x1b[0m":
				style = ""
			case isSGR(seq):
				style += seq
			}
			row.WriteString(seq)
			continue
		}
		if col+w > width && col > 0 {
			flush()
		}
		row.WriteString(seq)
		col += w
	}
	if style != "" {
		row.WriteString(ansi.ResetStyle)
	}
	return append(rows, row.String())
}

// Highlight returns plain text with the given byte ranges wrapped in a style.
// Ranges are sorted and do not overlap, as regexp's FindAllStringIndex gives them.
func Highlight(plain string, ranges [][]int, start string) string {
	var b strings.Builder
	at := 0
	for _, r := range ranges {
		if r[0] == r[1] {
			continue
		}
		b.WriteString(plain[at:r[0]])
		b.WriteString(start)
		b.WriteString(plain[r[0]:r[1]])
		b.WriteString(ansi.ResetStyle)
		at = r[1]
	}
	b.WriteString(plain[at:])
	return b.String()
}
