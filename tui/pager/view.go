package pager

import (
	"strings"

	"berth/tui/text"
	"berth/tui/theme"
)

// View draws exactly height rows of exactly width cells.
func (p *Pager) View(th theme.Theme, width, height int) []string {
	p.width, p.height = width, height
	out := make([]string, 0, height)
	p.clamp()
	n, sub := p.top, p.sub
	if p.follow {
		n, sub = p.bottom()
	}
	n, ok := p.next(n - 1)
	for ok && len(out) < height {
		for i, row := range p.draw(th, n) {
			if i >= sub && len(out) < height {
				out = append(out, text.Fit(row, width))
			}
		}
		sub = 0
		n, ok = p.next(n)
	}
	return text.Block(out, width, height)
}

// draw returns the rows of a line, hits marked.
func (p *Pager) draw(th theme.Theme, n int) []string {
	var rows []string
	for line := range strings.SplitSeq(p.src.Line(n), "\n") {
		if p.query.Active() {
			plain := text.Strip(line)
			if at := p.query.Spots(plain); at != nil {
				style := th.Match
				if n == p.hit {
					style = th.Hit
				}
				line = text.Highlight(plain, at, string(style))
			}
		}
		switch {
		case p.wrap:
			rows = append(rows, text.Wrap(line, p.width)...)
			continue
		case p.left > 0:
			line = text.Cut(line, p.left, p.left+p.width)
		case text.Width(line) > p.width:
			line = text.Fit(line, p.width)
		}
		rows = append(rows, line)
	}
	return rows
}

// Text is the plain text of the visible lines, for copying.
func (p *Pager) Text() string {
	var b strings.Builder
	first, last := p.visible()
	for n, ok := p.next(first - 1); ok && n <= last; n, ok = p.next(n) {
		b.WriteString(strings.TrimRight(text.Strip(p.src.Line(n)), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// Static is a Source that does not change.
type Static []string

// First is 0.
func (s Static) First() int { return 0 }

// End is the number of lines.
func (s Static) End() int { return len(s) }

// Line returns line n.
func (s Static) Line(n int) string { return s[n] }
