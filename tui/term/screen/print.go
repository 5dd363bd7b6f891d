package screen

import (
	"github.com/charmbracelet/x/ansi"
)

// printASCII prints characters of one cell each; the path of nearly everything.
func (t *Terminal) printASCII(p []byte) {
	if t.modes.has(modeInsert) || t.lineDrawing() {
		for _, b := range p {
			t.print(rune(b))
		}
		return
	}
	c := t.cur.pen
	for len(p) > 0 {
		t.wrapPending()
		row := t.row()
		n := min(len(p), t.width-t.cur.x)
		t.split(row, t.cur.x)
		t.split(row, t.cur.x+n)
		cells := row[t.cur.x : t.cur.x+n]
		for i := range cells {
			c.char = rune(p[i])
			cells[i] = c
		}
		t.repeat = c.char
		p = p[n:]
		t.printed(t.cur.x+n-1, n)
		if len(p) > 0 && !t.modes.has(modeAutowrap) {
			p = p[len(p)-1:] // all that follow fall on the last column
		}
	}
}

// print prints one character, or joins it to the one before.
func (t *Terminal) print(r rune) {
	if r >= 0x80 {
		if r < 0xa0 || isBidi(r) || t.join(r) {
			return
		}
	}
	if t.lineDrawing() && r >= '`' && r <= '~' {
		r = lineDrawing[r-'`']
	}
	w := 1
	if r >= 0x80 {
		w = min(ansi.StringWidth(string(r)), 2)
	}
	if w == 0 || w > t.width {
		return
	}
	t.wrapPending()
	if w == 2 && t.cur.x == t.width-1 {
		if !t.modes.has(modeAutowrap) {
			return
		}
		t.cur.pending = true
		t.wrapPending()
	}
	row := t.row()
	if t.modes.has(modeInsert) {
		t.insertCells(w)
	}
	x := t.cur.x
	t.split(row, x)
	t.split(row, x+w)
	c := t.cur.pen
	c.char = r
	if w == 2 {
		row[x+1] = Cell{char: tail, fg: c.fg, bg: c.bg, attr: c.attr}
		c.attr |= wide
	}
	row[x] = c
	t.repeat = r
	t.printed(x, w)
}

// printed moves the cursor past w cells; the character at x may still be joined.
func (t *Terminal) printed(x, w int) {
	t.lastX, t.lastY, t.joinable = x, t.cur.y, true
	t.cur.x += w
	if t.cur.x >= t.width {
		t.cur.x = t.width - 1
		t.cur.pending = t.modes.has(modeAutowrap)
	}
}

// join adds r to the character printed just before, when both are one
// grapheme cluster (combining marks, emoji sequences, flags).
func (t *Terminal) join(r rune) bool {
	if !t.joinable {
		return false
	}
	row := t.buf.lines[t.lastY].cells
	cell := &row[t.lastX]
	if cell.char == 0 || cell.char == tail {
		return false
	}
	s := string(append(t.clusters.appendChar(nil, cell.char), string(r)...))
	first, w := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
	if len(first) != len(s) {
		return false
	}
	grows := w > 1 && cell.attr&wide == 0
	if grows && t.lastX+1 >= t.width {
		return true // no room to grow: the mark is dropped
	}
	char, ok := t.clusters.char(s)
	if !ok {
		return true
	}
	cell.char = char
	if grows {
		t.split(row, t.lastX+2)
		cell.attr |= wide
		row[t.lastX+1] = Cell{char: tail, fg: cell.fg, bg: cell.bg, attr: cell.attr &^ wide}
		x := t.lastX
		t.cur.x = x
		t.printed(x, 2)
	}
	return true
}

// wrapPending does the line break that the last column postponed.
func (t *Terminal) wrapPending() {
	if !t.cur.pending {
		return
	}
	t.cur.pending = false
	t.buf.lines[t.cur.y].wrapped = true
	t.cur.x = 0
	t.index()
}

// split blanks the wide character that the boundary before column x cuts.
func (t *Terminal) split(row []Cell, x int) {
	if x <= 0 || x >= len(row) || row[x].char != tail {
		return
	}
	row[x-1] = Cell{fg: row[x-1].fg, bg: row[x-1].bg}
	row[x] = Cell{fg: row[x].fg, bg: row[x].bg}
}

func (t *Terminal) row() []Cell { return t.buf.lines[t.cur.y].cells }

func (t *Terminal) lineDrawing() bool {
	if t.cur.shifted {
		return t.cur.charset[1]
	}
	return t.cur.charset[0]
}

// isBidi reports the controls of writing direction: a cell grid has one
// direction, and outside a cell they would reorder the host's line.
func isBidi(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}

// lineDrawing is the DEC special graphics set, from '`'.
var lineDrawing = []rune("◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")
