package screen

import (
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Lines have numbers that stay while the screen scrolls: the oldest remembered
// line is First, the screen's top line is Top. On the alternate screen there
// is no history, First and Top are the same.

// First is the number of the oldest line that can be shown.
func (t *Terminal) First() int {
	if t.AltScreen() {
		return t.history.pushed
	}
	return t.history.pushed - len(t.history.lines)
}

// Top is the number of the screen's top line.
func (t *Terminal) Top() int { return t.history.pushed }

// line returns the line with the number n; an empty one where there is none.
func (t *Terminal) line(n int) line {
	switch i := n - t.history.pushed; {
	case i >= 0 && i < t.height:
		return t.buf.lines[i]
	case i < 0 && n >= t.First():
		return t.history.at(n - t.First())
	}
	return line{}
}

// AppendLine appends the line with the number n as text and SGR sequences, to
// exactly width cells, ending in the default style. Cells for which marked is
// true are drawn reversed; marked may be nil.
func (t *Terminal) AppendLine(dst []byte, n, width int, marked func(x int) bool) []byte {
	cells := t.line(n).cells
	var style Cell
	prev := rune(0)
	x := 0
	for ; x < min(width, len(cells)); x++ {
		c := cells[x]
		if c.char == tail {
			c.char = 0 // an orphan: the head draws its own tail
		}
		cols := 1
		if c.attr&wide != 0 {
			if x+1 >= width {
				c.char = 0 // cut by the edge
			} else {
				cols = 2
			}
		}
		want := Cell{fg: c.fg, bg: c.bg, attr: c.attr &^ (wide | Conceal)}
		if t.modes.has(modeReverse) {
			want.attr ^= Reverse
		}
		if marked != nil && marked(x) {
			want.attr ^= Reverse
		}
		if c.attr&Conceal != 0 {
			c.char = 0
			if cols == 2 {
				dst = append(dst, ' ')
			}
		}
		if joins(prev, c.char, &t.clusters) {
			c.char = 0
			if cols == 2 {
				dst = append(dst, ' ')
			}
		}
		if want != style {
			dst = appendStyle(dst, want)
			style = want
		}
		dst = t.clusters.appendChar(dst, c.char)
		prev = c.char
		x += cols - 1
	}
	rest := Cell{}
	if t.modes.has(modeReverse) {
		rest.attr = Reverse
	}
	if x < width && rest != style {
		dst = appendStyle(dst, rest)
		style = rest
	}
	for ; x < width; x++ {
		dst = append(dst, ' ')
	}
	if style != (Cell{}) {
		dst = append(dst, "\x1b[m"...)
	}
	return dst
}

// joins reports whether two cells side by side would be taken for one narrower
// grapheme cluster by the host, as an emoji and a skin tone are.
func joins(a, b rune, c *clusters) bool {
	if a == 0 || a == tail || b == 0 || b > 0 && (b < 0x300 || b >= 0x2500 && b < 0x2600 || b >= 0x3000 && b < 0xa4d0) {
		return false
	}
	s := string(c.appendChar(c.appendChar(nil, a), b))
	return ansi.StringWidth(s) != ansi.StringWidthWc(s)
}

// appendStyle appends an SGR sequence that sets exactly the style of c.
func appendStyle(dst []byte, c Cell) []byte {
	dst = append(dst, "\x1b[0"...)
	for i, code := range [...]byte{'1', '2', '3', '5', '7', '8', '9'} {
		if c.attr&(1<<i) != 0 {
			dst = append(dst, ';', code)
		}
	}
	switch u := int(c.attr&underlineMask) >> underlineShift; u {
	case 0:
	case 1:
		dst = append(dst, ";4"...)
	default:
		dst = append(dst, ";4:"...)
		dst = strconv.AppendInt(dst, int64(u), 10)
	}
	dst = appendColor(dst, c.fg, 30)
	dst = appendColor(dst, c.bg, 40)
	return append(dst, 'm')
}

// appendColor appends the parameters of a colour; base is 30 or 40.
func appendColor(dst []byte, c Color, base int64) []byte {
	num := func(v int64) { dst = strconv.AppendInt(append(dst, ';'), v, 10) }
	switch {
	case c.isZero():
	case c.isRGB():
		num(base + 8)
		num(2)
		num(int64(c >> 16 & 0xff))
		num(int64(c >> 8 & 0xff))
		num(int64(c & 0xff))
	case c.index() < 8:
		num(base + int64(c.index()))
	case c.index() < 16:
		num(base + 60 + int64(c.index()) - 8)
	default:
		num(base + 8)
		num(5)
		num(int64(c.index()))
	}
	return dst
}

// Text is the text of the lines numbered from to to, inclusive. Lines that
// were only wrapped are joined; trailing blanks go.
func (t *Terminal) Text(from, to int) string {
	var b strings.Builder
	for n := max(from, t.First()); n <= min(to, t.Top()+t.height-1); n++ {
		l := t.line(n)
		if l.wrapped {
			var raw []byte
			for _, c := range l.cells {
				raw = t.clusters.appendChar(raw, c.char)
			}
			b.Write(raw)
			continue
		}
		b.WriteString(t.lineText(l.cells))
		b.WriteByte('\n')
	}
	return b.String()
}

// lineText is the text of a row without its trailing blanks.
func (t *Terminal) lineText(cells []Cell) string {
	var raw []byte
	for _, c := range cells {
		raw = t.clusters.appendChar(raw, c.char)
	}
	return strings.TrimRight(string(raw), " ")
}
