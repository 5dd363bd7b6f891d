package pager

import (
	"math"
	"strings"

	"berth/tui/text"
)

// Select is the plain text between two cells of what is drawn, both of them
// included, in the order of reading. It is as the source has it: a line that is
// wrapped is one, and one that is selected to the right edge is so to its end.
func (p *Pager) Select(x0, y0, x1, y1 int) string {
	var b strings.Builder
	p.clamp()
	n, sub := p.top, p.sub
	if p.follow {
		n, sub = p.bottom()
	}
	n, ok := p.next(n - 1)
	for y := 0; ok && y <= min(y1, p.height-1); n, ok = p.next(n) {
		for line := range strings.SplitSeq(text.Strip(p.src.Line(n)), "\n") {
			rows := []string{line}
			if p.wrap {
				rows = text.Wrap(line, p.width)
			}
			for i, row := range rows[min(sub, len(rows)):] {
				from, to := 0, math.MaxInt32
				if y == y0 {
					from = x0
				}
				if y == y1 && x1 < p.width-1 {
					to = p.left + x1 + 1
				}
				if y >= y0 && y <= y1 {
					b.WriteString(text.Cut(row, p.left+from, to))
					if sub+i == len(rows)-1 && y < y1 {
						b.WriteByte('\n')
					}
				}
				y++
			}
			sub = max(sub-len(rows), 0)
		}
	}
	return b.String()
}
