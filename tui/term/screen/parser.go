package screen

// state is a state of the parser.
type state uint8

const (
	ground    state = iota
	escape          // after ESC
	escapeInt       // after ESC and an intermediate byte
	csi             // in a control sequence
	csiIgnore       // in a broken one, until its final byte
	osc             // in an operating system command
	dcs             // in a device control string
	ignored         // in a string nobody wants (SOS, PM, APC)
)

const (
	maxParams = 32
	maxParam  = 65535
	// maxString bounds an OSC or DCS; what is longer is ignored as a whole.
	// A clipboard text (OSC 52) is the largest thing that is any use.
	maxString = 256 << 10
)

// parser holds what was read of the current sequence.
type parser struct {
	state  state
	prefix byte // one of <=>?
	inter  byte // the last intermediate byte
	params [maxParams]int
	sub    [maxParams]bool // the parameter was set off by a colon
	n      int             // parameters begun
	str    []byte
	over   bool // str is too long
	escStr bool // ESC was seen in the string: ST, or the end of it
	bel    bool // the string ended with BEL
}

// param returns parameter i, or def when it is missing or zero.
func (p *parser) param(i, def int) int {
	if i >= p.n || p.params[i] <= 0 {
		return def
	}
	return p.params[i]
}

// advance takes one byte outside of plain text.
func (t *Terminal) advance(b byte) {
	p := &t.parser
	if p.state >= osc {
		t.advanceString(b)
		return
	}
	switch {
	case b == 0x1b:
		p.state, p.prefix, p.inter, p.n = escape, 0, 0, 0
		return
	case b == 0x18 || b == 0x1a: // CAN, SUB
		p.state = ground
		return
	case b < 0x20:
		t.control(b) // controls work in the middle of sequences too
		return
	case b == 0x7f:
		return
	}
	switch p.state {
	case escape:
		t.advanceEscape(b)
	case escapeInt:
		switch {
		case b < 0x30:
			p.inter = b
		default:
			p.state = ground
			t.escapeSequence(b)
		}
	case csi:
		t.advanceCSI(b)
	case csiIgnore:
		if b >= 0x40 {
			p.state = ground
		}
	}
}

// advanceEscape takes the byte after ESC.
func (t *Terminal) advanceEscape(b byte) {
	p := &t.parser
	switch {
	case b == '[':
		p.state = csi
	case b == ']':
		t.beginString(osc)
	case b == 'P':
		t.beginString(dcs)
	case b == 'X' || b == '^' || b == '_':
		t.beginString(ignored)
	case b < 0x30:
		p.state, p.inter = escapeInt, b
	default:
		p.state = ground
		t.escapeSequence(b)
	}
}

// advanceCSI takes one byte of a control sequence: parameters, then the final byte.
func (t *Terminal) advanceCSI(b byte) {
	p := &t.parser
	switch {
	case b >= '0' && b <= '9':
		if p.inter != 0 {
			p.state = csiIgnore
			return
		}
		if p.n == 0 {
			p.begin(false)
		}
		v := &p.params[p.n-1]
		*v = min(max(*v, 0)*10+int(b-'0'), maxParam)
	case b == ';' || b == ':':
		if p.n == 0 {
			p.begin(false)
		}
		p.begin(b == ':')
	case b >= '<' && b <= '?':
		if p.n > 0 || p.prefix != 0 {
			p.state = csiIgnore
			return
		}
		p.prefix = b
	case b < 0x30:
		p.inter = b
	case b >= 0x40 && b < 0x7f:
		p.state = ground
		t.joinable = false
		t.controlSequence(b)
	default: // bytes of UTF-8 have no place here
		p.state = csiIgnore
	}
}

// begin starts a parameter; those past the last place overwrite it.
func (p *parser) begin(sub bool) {
	if p.n < maxParams {
		p.n++
	}
	p.params[p.n-1], p.sub[p.n-1] = -1, sub
}

// beginString begins to collect a string of the kind s.
func (t *Terminal) beginString(s state) {
	p := &t.parser
	p.state, p.str, p.over, p.escStr, p.bel = s, p.str[:0], false, false, false
}

// advanceString collects a string up to ST (ESC \), BEL for an OSC, or CAN.
func (t *Terminal) advanceString(b byte) {
	p := &t.parser
	if p.escStr {
		p.escStr = false
		s := p.state
		p.state = ground
		if b == '\\' {
			t.endString(s)
			return
		}
		// Another sequence began; the string is dropped as xterm does.
		p.state, p.prefix, p.inter, p.n = escape, 0, 0, 0
		t.advance(b)
		return
	}
	switch {
	case b == 0x1b:
		p.escStr = true
	case b == 0x07 && p.state == osc:
		p.state, p.bel = ground, true
		t.endString(osc)
	case b == 0x18 || b == 0x1a:
		p.state = ground
	case p.state == ignored || b < 0x20:
	case len(p.str) >= maxString:
		p.over = true
	default:
		p.str = append(p.str, b)
	}
}

// endString executes a complete string. A large one gives its memory back.
func (t *Terminal) endString(s state) {
	if t.parser.over {
		return
	}
	switch s {
	case osc:
		t.oscCommand(t.parser.str)
	case dcs:
		t.dcsCommand(t.parser.str)
	}
	if cap(t.parser.str) > 4096 {
		t.parser.str = nil
	}
}

// control executes one C0 control.
func (t *Terminal) control(b byte) {
	t.joinable = false
	switch b {
	case '\a':
		t.bells++
	case '\b':
		t.cur.x = max(t.cur.x-1, 0)
		t.cur.pending = false
	case '\t':
		if !t.cur.pending { // there is no stop past the last column: the wrap still waits
			t.tab(1)
		}
	case '\n', '\v', '\f':
		t.cur.pending = false
		t.index()
		if t.modes.has(modeNewline) {
			t.cur.x = 0
		}
	case '\r':
		t.cur.x, t.cur.pending = 0, false
	case 0x0e: // SO
		t.cur.shifted = true
	case 0x0f: // SI
		t.cur.shifted = false
	}
}

// escapeSequence executes ESC, an optional intermediate byte, and b.
func (t *Terminal) escapeSequence(b byte) {
	t.joinable = false
	switch t.parser.inter {
	case '(', ')':
		t.cur.charset[t.parser.inter-'('] = b == '0'
		return
	case '#':
		if b == '8' { // DECALN
			for y := range t.height {
				fill(t.buf.lines[y].cells, Cell{char: 'E'})
			}
			t.top, t.bottom = 0, t.height
			t.moveTo(0, 0)
		}
		return
	case 0:
	default:
		return
	}
	switch b {
	case '7': // DECSC
		t.buf.saved = t.cur
	case '8': // DECRC
		t.restore()
	case 'D': // IND
		t.index()
	case 'E': // NEL
		t.index()
		t.cur.x = 0
	case 'H': // HTS
		t.tabs[t.cur.x] = true
	case 'M': // RI
		t.reverseIndex()
	case 'c': // RIS
		t.reset()
	case '=': // DECKPAM
		t.modes.set(modeKeypad, true)
	case '>': // DECKPNM
		t.modes.set(modeKeypad, false)
	}
	if b != '=' && b != '>' && b != '7' {
		t.cur.pending = t.cur.pending && b == '8'
	}
}

// restore is DECRC; what was saved may be from a larger screen.
func (t *Terminal) restore() {
	t.cur = t.buf.saved
	t.cur.x, t.cur.y = min(t.cur.x, t.width-1), min(t.cur.y, t.height-1)
}
