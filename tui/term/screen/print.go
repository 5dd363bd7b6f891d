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
	w := 1
	if r >= 0x80 {
		if r < 0xa0 || isBidi(r) {
			return
		}
		if r, w = oneWidth(r); w == 0 {
			t.join(r)
			return
		}
	} else if t.lineDrawing() && r >= '`' && r <= '~' {
		r = lineDrawing[r-'`']
	}
	if w > t.width {
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

// oneWidth returns r with the width that all terminals give it. Programs count
// code points (wcwidth), the host's terminal may count grapheme clusters; a
// character on which they differ is replaced: a regional indicator by its
// letter, anything else by U+FFFD.
func oneWidth(r rune) (rune, int) {
	if r >= 0x1f1e6 && r <= 0x1f1ff {
		return 'A' + r - 0x1f1e6, 1
	}
	switch { // the bulk of what is not ASCII
	case r >= 0x4e00 && r <= 0x9fff, r >= 0xac00 && r <= 0xd7a3:
		return r, 2
	case r >= 0x2500 && r <= 0x259f:
		return r, 1
	}
	s := string(r)
	w := ansi.StringWidthWc(s)
	// With a letter after it: some characters form a cluster with what follows.
	if w > 0 && w+1 != ansi.StringWidth(s+"a") || w > 2 {
		return '\uFFFD', 1
	}
	return r, max(w, 0)
}

// join adds the combining mark r to the character printed just before. A mark
// that would change the width of the whole (the joiner and the selectors of
// emoji sequences) is dropped.
func (t *Terminal) join(r rune) {
	if !t.joinable {
		return
	}
	cell := &t.buf.lines[t.lastY].cells[t.lastX]
	if cell.char == 0 || cell.char == tail {
		return
	}
	base := t.clusters.appendChar(nil, cell.char)
	w := ansi.StringWidth(string(base))
	s := string(base) + string(r)
	if ansi.StringWidth(s+"a") != w+1 || ansi.StringWidthWc(s) != w || r == 0x200d {
		return
	}
	if char, ok := t.clusters.char(s); ok {
		cell.char = char
	}
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

// wrapPending does the line break that the last column postponed.
func (t *Terminal) wrapPending() {
	if !t.cur.pending {
		return
	}
	t.cur.pending = false
	if !t.modes.has(modeAutowrap) { // switched off since then
		return
	}
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

// row is the cells of the cursor's line.
func (t *Terminal) row() []Cell { return t.buf.lines[t.cur.y].cells }

// lineDrawing reports whether letters are drawn as lines now.
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
