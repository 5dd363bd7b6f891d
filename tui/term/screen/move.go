package screen

// index moves down a line, scrolling at the region's end.
func (t *Terminal) index() {
	switch t.cur.y {
	case t.bottom - 1:
		t.scrollUp(t.top, 1)
	case t.height - 1:
	default:
		t.cur.y++
	}
}

// reverseIndex moves up a line, scrolling at the region's start.
func (t *Terminal) reverseIndex() {
	switch t.cur.y {
	case t.top:
		t.scrollDown(t.top, 1)
	case 0:
	default:
		t.cur.y--
	}
}

// scrollUp drops n lines from y on, within the region. Lines that leave the
// main screen at its very top become history.
func (t *Terminal) scrollUp(y, n int) {
	lines := t.buf.lines[y:t.bottom]
	n = min(n, len(lines))
	if y == 0 && t.buf == &t.main {
		for i := range n {
			t.history.push(lines[i])
		}
	}
	rotate(lines, n)
	for i := len(lines) - n; i < len(lines); i++ {
		t.blank(&lines[i])
	}
	t.joinable = false
}

// scrollDown opens n blank lines at y, within the region.
func (t *Terminal) scrollDown(y, n int) {
	lines := t.buf.lines[y:t.bottom]
	n = min(n, len(lines))
	rotate(lines, len(lines)-n)
	for i := range n {
		t.blank(&lines[i])
	}
	t.joinable = false
}

// rotate moves the first n lines behind the others. One line at a time is the
// common case, and needs no memory.
func rotate(lines []line, n int) {
	if n == 1 {
		first := lines[0]
		copy(lines, lines[1:])
		lines[len(lines)-1] = first
		return
	}
	first := append([]line(nil), lines[:n]...)
	copy(lines, lines[n:])
	copy(lines[len(lines)-n:], first)
}

// empty is a blank cell in the pen's background (bce of terminfo).
func (t *Terminal) empty() Cell { return Cell{bg: t.cur.pen.bg} }

// blank empties a line.
func (t *Terminal) blank(l *line) {
	l.wrapped = false
	fill(l.cells, t.empty())
}

// fill sets all cells to c.
func fill(cells []Cell, c Cell) {
	if c == (Cell{}) {
		clear(cells)
		return
	}
	for i := range cells {
		cells[i] = c
	}
}

// erase blanks the cells from x0 to before x1 of row y.
func (t *Terminal) erase(y, x0, x1 int) {
	x1 = min(x1, t.width)
	if x0 >= x1 {
		return
	}
	l := &t.buf.lines[y]
	t.split(l.cells, x0)
	t.split(l.cells, x1)
	fill(l.cells[x0:x1], t.empty())
	if x1 == t.width {
		l.wrapped = false
	}
}

// eraseDisplay is ED.
func (t *Terminal) eraseDisplay(how int) {
	switch how {
	case 0:
		t.erase(t.cur.y, t.cur.x, t.width)
		for y := t.cur.y + 1; y < t.height; y++ {
			t.blank(&t.buf.lines[y])
		}
	case 1:
		for y := range t.cur.y {
			t.blank(&t.buf.lines[y])
		}
		t.erase(t.cur.y, 0, t.cur.x+1)
	case 2:
		for y := range t.height {
			t.blank(&t.buf.lines[y])
		}
	case 3:
		t.history.clear()
	}
}

// eraseLine is EL.
func (t *Terminal) eraseLine(how int) {
	switch how {
	case 0:
		t.erase(t.cur.y, t.cur.x, t.width)
	case 1:
		t.erase(t.cur.y, 0, t.cur.x+1)
	case 2:
		t.erase(t.cur.y, 0, t.width)
	}
}

// insertCells opens n blank cells at the cursor.
func (t *Terminal) insertCells(n int) {
	row := t.row()
	x := t.cur.x
	n = min(n, t.width-x)
	t.split(row, x)
	t.split(row, t.width-n)
	copy(row[x+n:], row[x:t.width-n])
	fill(row[x:x+n], t.empty())
}

// deleteCells removes n cells at the cursor.
func (t *Terminal) deleteCells(n int) {
	row := t.row()
	x := t.cur.x
	n = min(n, t.width-x)
	t.split(row, x)
	t.split(row, x+n)
	copy(row[x:], row[x+n:])
	fill(row[t.width-n:], t.empty())
}

// moveTo places the cursor, in the scroll region while origin mode is set.
func (t *Terminal) moveTo(x, y int) {
	lo, hi := 0, t.height
	if t.cur.origin {
		lo, hi = t.top, t.bottom
		y += lo
	}
	t.cur.x = clamp(x, 0, t.width-1)
	t.cur.y = clamp(y, lo, hi-1)
	t.cur.pending = false
}

// moveBy moves the cursor; the region's edges stop it when it starts inside.
func (t *Terminal) moveBy(dx, dy int) {
	lo, hi := 0, t.height-1
	if dy < 0 && t.cur.y >= t.top {
		lo = t.top
	}
	if dy > 0 && t.cur.y < t.bottom {
		hi = t.bottom - 1
	}
	t.cur.x = clamp(t.cur.x+dx, 0, t.width-1)
	if dy != 0 {
		t.cur.y = clamp(t.cur.y+dy, lo, hi)
	}
	t.cur.pending = false
}

// clamp is v, or the nearest of lo and hi.
func clamp(v, lo, hi int) int { return max(lo, min(v, hi)) }

// resetTabs sets a tab stop every eight columns.
func (t *Terminal) resetTabs() {
	t.tabs = make([]bool, t.width)
	for x := 8; x < t.width; x += 8 {
		t.tabs[x] = true
	}
}

// tab moves n tab stops, back when n is negative.
func (t *Terminal) tab(n int) {
	step := 1
	if n < 0 {
		step, n = -1, -n
	}
	for range min(n, t.width) {
		x := t.cur.x + step
		for x > 0 && x < t.width-1 && !t.tabs[x] {
			x += step
		}
		t.cur.x = clamp(x, 0, t.width-1)
	}
	t.cur.pending = false
}

// Resize sets the size. The main screen's text is broken anew for another width;
// lines that no longer fit above the cursor become history, and come back when the
// screen grows again. A program on the alternate screen draws that anew itself.
func (t *Terminal) Resize(width, height int) {
	width, height = max(width, 1), max(height, 1)
	if width == t.width && height == t.height {
		return
	}
	if width != t.width {
		t.reflow(width)
	}
	mainCur := &t.cur
	if t.buf == &t.alt {
		mainCur = &t.main.saved
	}
	for mainCur.y >= height && len(t.main.lines) > 1 {
		t.history.push(t.main.lines[0])
		t.main.lines = t.main.lines[1:]
		mainCur.y--
	}
	for grow := height - len(t.main.lines); grow > 0 && len(t.main.lines) >= t.height; grow-- {
		l, ok := t.history.pop()
		if !ok {
			break
		}
		t.main.lines = append([]line{l}, t.main.lines...)
		mainCur.y++
	}
	t.main.lines = resized(t.main.lines, width, height)
	t.alt.lines = resized(t.alt.lines, width, height)
	t.width, t.height = width, height
	t.top, t.bottom = 0, height
	t.joinable = false
	t.resetTabs()
	for _, c := range []*cursor{&t.cur, &t.main.saved, &t.alt.saved} {
		c.x, c.y, c.pending = clamp(c.x, 0, width-1), clamp(c.y, 0, height-1), c.pending && c == mainCur && c.x == width-1
	}
}

// resized returns lines as height lines of width cells.
func resized(lines []line, width, height int) []line {
	out := make([]line, height)
	for y := range out {
		row := make([]Cell, width)
		if y < len(lines) {
			copy(row, lines[y].cells)
			out[y].wrapped = lines[y].wrapped && len(lines[y].cells) == width
		}
		if last := &row[width-1]; last.attr&wide != 0 {
			*last = Cell{bg: last.bg} // its right half was cut off
		}
		out[y].cells = row
	}
	return out
}
