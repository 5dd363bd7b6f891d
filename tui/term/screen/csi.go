package screen

import "fmt"

// Shape is a cursor shape.
type Shape int

// The shapes, as DECSCUSR numbers them halved.
const (
	ShapeDefault Shape = iota
	ShapeBlock
	ShapeUnderline
	ShapeBar
)

// controlSequence executes a control sequence with the final byte b.
func (t *Terminal) controlSequence(b byte) {
	p := &t.parser
	switch {
	case p.prefix == 0 && p.inter == 0:
		t.plainSequence(b)
	case p.prefix == '?' && p.inter == 0:
		t.privateSequence(b)
	case p.prefix == '>' && p.inter == 0 && b == 'c' && p.param(0, 0) == 0:
		t.reply("\x1b[>1;277;0c") // a VT220 that knows SGR mouse reports
	case p.prefix == '=' && p.inter == 0 && b == 'c' && p.param(0, 0) == 0:
		t.reply("\x1bP!|00000000\x1b\\") // DA3: no serial number
	case p.prefix == '>' && p.inter == 0 && b == 'q' && p.param(0, 0) == 0:
		t.reply("\x1bP>|berth\x1b\\")
	case p.inter == '$' && b == 'p':
		t.reportMode(p.prefix == '?', p.param(0, 0))
	case p.prefix == 0 && p.inter == ' ' && b == 'q':
		t.shape = Shape(min(p.param(0, 0)+1, 6) / 2)
	case p.prefix == 0 && p.inter == '!' && b == 'p': // DECSTR
		t.modes = t.modes&(modeSync|modeAlt) | modeAutowrap | modeCursor
		t.cur.pen, t.cur.origin, t.cur.charset, t.cur.shifted = Cell{}, false, [2]bool{}, false
		t.buf.saved = cursor{}
		t.top, t.bottom = 0, t.height
	}
}

// plainSequence executes a sequence without prefix and intermediate bytes.
func (t *Terminal) plainSequence(b byte) {
	p := &t.parser
	n := p.param(0, 1)
	switch b {
	case '@': // ICH
		t.insertCells(n)
	case 'A': // CUU
		t.moveBy(0, -n)
	case 'B', 'e': // CUD, VPR
		t.moveBy(0, n)
	case 'C', 'a': // CUF, HPR
		t.moveBy(n, 0)
	case 'D': // CUB
		t.moveBy(-n, 0)
	case 'E': // CNL
		t.moveBy(-t.cur.x, n)
	case 'F': // CPL
		t.moveBy(-t.cur.x, -n)
	case 'G', '`': // CHA, HPA
		t.moveBy(n-1-t.cur.x, 0)
	case 'H', 'f': // CUP, HVP
		t.moveTo(p.param(1, 1)-1, n-1)
	case 'I': // CHT
		t.tab(n)
	case 'J': // ED
		t.eraseDisplay(p.param(0, 0))
	case 'K': // EL
		t.eraseLine(p.param(0, 0))
	case 'L', 'M': // IL, DL
		t.editLines(b, n)
	case 'P': // DCH
		t.deleteCells(n)
	case 'S': // SU
		t.scrollUp(t.top, n)
	case 'T': // SD
		if p.n <= 1 {
			t.scrollDown(t.top, n)
		}
	case 'X': // ECH
		t.erase(t.cur.y, t.cur.x, t.cur.x+n)
	case 'Z': // CBT
		t.tab(-n)
	case 'b': // REP
		if t.repeat != 0 {
			for range min(n, t.width*t.height) {
				t.print(t.repeat)
			}
		}
	case 'c': // DA1
		if p.param(0, 0) == 0 {
			t.reply("\x1b[?62;22c") // VT220 with colours
		}
	case 'd': // VPA
		x := t.cur.x
		t.moveTo(x, n-1)
	case 'g': // TBC
		switch p.param(0, 0) {
		case 0:
			t.tabs[t.cur.x] = false
		case 3:
			clear(t.tabs)
		}
	case 'h', 'l':
		t.setModes(b == 'h')
	case 'm': // SGR
		t.graphics()
	case 'n': // DSR
		t.report(p.param(0, 0))
	case 'r': // DECSTBM
		top, bottom := n-1, min(p.param(1, t.height), t.height)
		if top < bottom-1 {
			t.top, t.bottom = top, bottom
			t.moveTo(0, 0)
		}
	case 's': // SCOSC
		t.buf.saved = t.cur
	case 't': // XTWINOPS
		t.windowSequence(n)
	case 'u': // SCORC
		t.restore()
	}
	if b == '@' || b == 'J' || b == 'K' || b == 'L' || b == 'M' || b == 'P' || b == 'X' {
		t.cur.pending = false
	}
}

// editLines is IL and DL: they work from the cursor to the region's end.
func (t *Terminal) editLines(b byte, n int) {
	if t.cur.y < t.top || t.cur.y >= t.bottom {
		return
	}
	if b == 'L' {
		t.scrollDown(t.cur.y, n)
	} else {
		t.deleteLines(n)
	}
	t.cur.x = 0
}

// deleteLines is DL; unlike a scroll it makes no history.
func (t *Terminal) deleteLines(n int) {
	lines := t.buf.lines[t.cur.y:t.bottom]
	n = min(n, len(lines))
	rotate(lines, n)
	for i := len(lines) - n; i < len(lines); i++ {
		t.blank(&lines[i])
	}
}

// privateSequence executes a sequence with the prefix "?".
func (t *Terminal) privateSequence(b byte) {
	p := &t.parser
	switch b {
	case 'h', 'l':
		for i := range p.n {
			t.setPrivateMode(p.params[i], b == 'h')
		}
	case 'J':
		t.eraseDisplay(p.param(0, 0))
	case 'K':
		t.eraseLine(p.param(0, 0))
	case 'n':
		if p.param(0, 0) == 6 {
			t.reply(fmt.Sprintf("\x1b[?%d;%d;1R", t.reportedRow(), t.cur.x+1))
		}
	}
}

// reportedRow is the cursor's row as programs count it, from 1, and from the
// region's top in origin mode.
func (t *Terminal) reportedRow() int {
	if t.cur.origin {
		return t.cur.y - t.top + 1
	}
	return t.cur.y + 1
}

// report is DSR.
func (t *Terminal) report(what int) {
	switch what {
	case 5:
		t.reply("\x1b[0n")
	case 6:
		t.reply(fmt.Sprintf("\x1b[%d;%dR", t.reportedRow(), t.cur.x+1))
	}
}

// graphics is SGR.
func (t *Terminal) graphics() {
	p := &t.parser
	pen := &t.cur.pen
	if p.n == 0 {
		*pen = Cell{}
		return
	}
	for i := 0; i < p.n; i++ {
		switch v := max(p.params[i], 0); {
		case v == 0:
			*pen = Cell{}
		case v == 4:
			style := 1
			if i+1 < p.n && p.sub[i+1] {
				style = clamp(p.params[i+1], 0, 5)
			}
			pen.underline(style)
		case v == 21:
			pen.underline(2)
		case v == 24:
			pen.underline(0)
		case v <= 9:
			pen.attr |= sgrSet[v]
		case v >= 22 && v <= 29:
			pen.attr &^= sgrReset[v-22]
		case v >= 30 && v <= 37:
			pen.fg = indexed(v - 30)
		case v == 39:
			pen.fg = 0
		case v >= 40 && v <= 47:
			pen.bg = indexed(v - 40)
		case v == 49:
			pen.bg = 0
		case v >= 90 && v <= 97:
			pen.fg = indexed(v - 90 + 8)
		case v >= 100 && v <= 107:
			pen.bg = indexed(v - 100 + 8)
		case v == 38 || v == 48 || v == 58:
			c, ok, used := p.color(i + 1)
			if ok && v == 38 {
				pen.fg = c
			} else if ok && v == 48 {
				pen.bg = c
			}
			i += used
		}
		for i+1 < p.n && p.sub[i+1] {
			i++ // sub-parameters belong to what was just read
		}
	}
}

var (
	sgrSet   = [10]Attr{1: Bold, 2: Faint, 3: Italic, 5: Blink, 6: Blink, 7: Reverse, 8: Conceal, 9: Strike}
	sgrReset = [8]Attr{Bold | Faint, Italic, 0, Blink, 0, Reverse, Conceal, Strike}
)

// underline sets the style of the underline, 0 for none.
func (c *Cell) underline(style int) {
	c.attr = c.attr&^underlineMask | Attr(style)<<underlineShift
}

// color reads a colour from parameter i on: 5;n, 2;r;g;b, and the colon forms,
// of which 2 may carry a colour space before its numbers. used counts the
// parameters separated by semicolons, which belong to the colour.
func (p *parser) color(i int) (c Color, ok bool, used int) {
	if i >= p.n {
		return 0, false, 0
	}
	at := func(k int) int { return max(p.params[min(k, maxParams-1)], 0) }
	colons := 0
	for k := i; k < p.n && p.sub[k]; k++ {
		colons++
	}
	switch {
	case colons > 0 && at(i) == 5 && colons >= 2:
		return indexed(at(i + 1)), true, 0
	case colons > 0 && at(i) == 2 && colons >= 4:
		k := i + colons - 3
		if colons >= 5 {
			k = i + 2
		}
		return rgb(at(k), at(k+1), at(k+2)), true, 0
	case colons > 0:
		return 0, false, 0
	case at(i) == 5 && i+1 < p.n:
		return indexed(at(i + 1)), true, 2
	case at(i) == 2 && i+3 < p.n:
		return rgb(at(i+1), at(i+2), at(i+3)), true, 4
	}
	return 0, false, p.n - i
}
