package screen

// reflow breaks the lines of the main screen and its history anew for another
// width, so that a narrower pane hides nothing and a wider one joins what was
// broken. The text around the cursor stays on the screen; the number of the
// oldest line stays what it is. The screen has t.height lines afterwards.
func (t *Terminal) reflow(width int) {
	cur := &t.cur
	if t.buf == &t.alt {
		cur = &t.main.saved
	}
	h := &t.history
	h.straighten()
	first, old := h.pushed-len(h.lines), len(h.lines)
	used := t.height // rows of the screen with something on them, or the cursor
	for used > cur.y+1 && textLength(t.main.lines[used-1].cells) == 0 {
		used--
	}
	lines := append(h.lines[:old:old], t.main.lines[:used]...)

	rows := make([]line, 0, len(lines)+t.height)
	top, at := 0, 0 // where the screen's first line and the cursor's have gone
	for i := 0; i < len(lines); {
		n := 1
		for lines[i+n-1].wrapped && i+n < len(lines) {
			n++
		}
		if i <= old && old < i+n {
			top = len(rows)
		}
		begin := len(rows)
		mine := old+cur.y >= i && old+cur.y < i+n // the cursor is in this text
		if n == 1 && !mine && textLength(lines[i].cells) <= width {
			cells := lines[i].cells
			rows = append(rows, line{cells: cells[:min(len(cells), width)]})
		} else {
			cells, offset := joined(lines[i:i+n], t.width, old+cur.y-i, cur)
			rows = broken(rows, cells, width)
			if mine {
				at = begin + placed(rows[begin:], offset, width, cur)
			}
		}
		i += n
	}

	start := len(rows) - t.height
	if used < t.height { // there was room below
		start = max(start, top)
	}
	start = clamp(start, 0, at)
	cur.y = at - start
	h.lines, h.pushed = nil, first+start
	for _, l := range rows[max(start-h.max, 0):start] {
		n := len(l.cells)
		for n > 0 && l.cells[n-1] == (Cell{}) {
			n--
		}
		h.lines = append(h.lines, line{l.cells[:n:n], l.wrapped}) // clipped: push writes into old lines
	}
	t.main.lines = make([]line, t.height)
	for y := range t.main.lines {
		row := make([]Cell, width)
		if start+y < len(rows) {
			copy(row, rows[start+y].cells)
			t.main.lines[y].wrapped = rows[start+y].wrapped
		}
		t.main.lines[y].cells = row
	}
	cur.y = min(cur.y, t.height-1)
}

// textLength is the number of cells up to the last with a character; what comes
// after it is only background.
func textLength(cells []Cell) int {
	n := len(cells)
	for n > 0 && cells[n-1].char == 0 {
		n--
	}
	return n
}

// joined is the text of lines of the given width that were broken for want of room,
// and how far into it the cursor is, which stands in line y.
func joined(lines []line, width, y int, cur *cursor) (cells []Cell, offset int) {
	for i, l := range lines {
		if i == y {
			offset = len(cells) + cur.x
			if cur.pending {
				offset++
			}
		}
		if i == len(lines)-1 {
			cells = append(cells, l.cells[:textLength(l.cells)]...)
			break
		}
		cells = append(cells, l.cells...)
		cells = append(cells, make([]Cell, max(width-len(l.cells), 0))...) // the history has no trailing blanks
		if next := lines[i+1].cells; len(next) > 0 && next[0].attr&wide != 0 && cells[len(cells)-1].char == 0 {
			cells = cells[:len(cells)-1] // the wide character had no room there
		}
	}
	return cells, offset
}

// broken appends cells to rows as lines of at most width cells.
func broken(rows []line, cells []Cell, width int) []line {
	for {
		n := min(len(cells), width)
		if n < len(cells) && n > 1 && cells[n].char == tail {
			n-- // a wide character goes over whole
		}
		rows = append(rows, line{cells: cells[:n], wrapped: n < len(cells)})
		if cells = cells[n:]; len(cells) == 0 {
			return rows
		}
	}
}

// placed sets the cursor's column to that of the cell at offset of the text in rows,
// and returns its row.
func placed(rows []line, offset, width int, cur *cursor) (y int) {
	for y < len(rows)-1 && offset >= len(rows[y].cells) {
		offset -= len(rows[y].cells)
		y++
	}
	cur.pending = offset == width && len(rows[y].cells) == width // what comes next goes below
	cur.x = min(offset, width-1)
	return y
}

// Paragraph counts the texts before the one that line n belongs to, from the oldest
// line on. Unlike n it stays the same in another width.
func (t *Terminal) Paragraph(n int) (p int) {
	for i := t.First(); i < min(n, t.Top()+t.height); i++ {
		if !t.line(i).wrapped {
			p++
		}
	}
	return p
}

// LineOf is the number of the first line of a paragraph, or of the last line there is.
func (t *Terminal) LineOf(paragraph int) int {
	n := t.First()
	for ; paragraph > 0 && n < t.Top()+t.height-1; n++ {
		if !t.line(n).wrapped {
			paragraph--
		}
	}
	return n
}
