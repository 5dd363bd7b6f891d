package screen

// Color is a cell's colour: the default, one of 256, or a true colour.
type Color uint32

const (
	colorIndexed Color = 1 << 24
	colorRGB     Color = 2 << 24
	colorKind    Color = 3 << 24
)

func indexed(i int) Color    { return colorIndexed | Color(i&0xff) }
func rgb(r, g, b int) Color  { return colorRGB | Color(r&0xff)<<16 | Color(g&0xff)<<8 | Color(b&0xff) }
func (c Color) isRGB() bool  { return c&colorKind == colorRGB }
func (c Color) index() int   { return int(c & 0xff) }
func (c Color) isZero() bool { return c == 0 }

// Attr is a set of a cell's attributes; three bits hold the underline's style.
type Attr uint16

// The attributes.
const (
	Bold Attr = 1 << iota
	Faint
	Italic
	Blink
	Reverse
	Conceal
	Strike
	wide // the cell holds the left half of a wide character

	underlineShift      = 8
	underlineMask  Attr = 7 << underlineShift
)

// Cell is one place on the screen.
type Cell struct {
	// char is the character: 0 for a blank, tail for the right half of a wide
	// one, anything lower for a cluster of several code points.
	char   rune
	fg, bg Color
	attr   Attr
}

// tail marks the right half of a wide character.
const tail rune = -1

// maxClusters and maxClusterLen bound what hostile text can make us remember;
// past them combining marks are dropped.
const (
	maxClusters   = 1 << 16
	maxClusterLen = 64
)

// clusters interns grapheme clusters of several code points, so that a cell
// can name one by number. Index i is the character tail-1-i.
type clusters struct {
	list  []string
	index map[string]rune
}

// char returns the number of s, or false when there is no room for another.
func (c *clusters) char(s string) (rune, bool) {
	if r, ok := c.index[s]; ok {
		return r, true
	}
	if len(c.list) >= maxClusters || len(s) > maxClusterLen {
		return 0, false
	}
	if c.index == nil {
		c.index = make(map[string]rune)
	}
	r := tail - 1 - rune(len(c.list))
	c.list = append(c.list, s)
	c.index[s] = r
	return r, true
}

// appendChar appends the text of a cell; a blank is a space, a tail nothing.
func (c *clusters) appendChar(dst []byte, char rune) []byte {
	switch {
	case char == 0:
		return append(dst, ' ')
	case char > 0 && char < 0x80:
		return append(dst, byte(char))
	case char > 0:
		return append(dst, string(char)...)
	case char == tail:
		return dst
	}
	return append(dst, c.list[tail-1-char]...)
}

// history is a ring of the lines that scrolled off the top.
type history struct {
	max    int
	lines  []line
	start  int // index of the oldest
	pushed int // lines pushed ever
}

// push remembers a copy of l, without its trailing blanks.
func (h *history) push(l line) {
	h.pushed++
	if h.max == 0 {
		return
	}
	n := len(l.cells)
	for n > 0 && l.cells[n-1] == (Cell{}) {
		n--
	}
	if len(h.lines) < h.max {
		h.lines = append(h.lines, line{append([]Cell(nil), l.cells[:n]...), l.wrapped})
		return
	}
	old := &h.lines[h.start]
	if cap(old.cells) < n || cap(old.cells) > 4*n+64 {
		old.cells = make([]Cell, 0, n)
	}
	old.cells, old.wrapped = append(old.cells[:0], l.cells[:n]...), l.wrapped
	h.start = (h.start + 1) % h.max
}

// pop takes back the youngest line.
func (h *history) pop() (line, bool) {
	n := len(h.lines)
	if n == 0 {
		return line{}, false
	}
	h.straighten()
	l := h.lines[n-1]
	h.lines = h.lines[:n-1]
	h.pushed--
	return l, true
}

// straighten makes the oldest line the first of the slice, so that append and
// a shorter slice mean what they say.
func (h *history) straighten() {
	if h.start == 0 {
		return
	}
	h.lines = append(append(make([]line, 0, len(h.lines)), h.lines[h.start:]...), h.lines[:h.start]...)
	h.start = 0
}

// at returns the i-th line, the oldest being 0.
func (h *history) at(i int) line { return h.lines[(h.start+i)%len(h.lines)] }

// clear forgets all lines; their numbers are not used again.
func (h *history) clear() { h.lines, h.start = nil, 0 }
