// Package screen is a terminal emulator without a terminal: bytes that a
// program writes go in, a grid of cells comes out.
//
// It speaks what xterm-256color promises and what today's programs use beyond
// that: the alternate screen, scroll regions, 256 and true colours, bracketed
// paste, mouse modes, cursor shapes, synchronised output. A cell is 16 bytes
// and a scrolled line is only as long as its text, so that ten thousand lines
// of history cost one or two megabytes.
//
// Answers to status queries are collected for the caller to take (Replies);
// nothing here blocks, does I/O or locks. A Terminal belongs to whoever holds
// the lock around it.
//
// References: ECMA-48; the DEC VT510 manual; Xterm Control Sequences
// (invisible-island.net/xterm/ctlseqs); the parser is the state machine of
// vt100.net/emu/dec_ansi_parser, fed with UTF-8.
package screen

import (
	"bytes"
	"unicode/utf8"
)

// maxReplies bounds the answers kept for a caller that does not take them: a
// flood of queries costs this much memory and no more.
const maxReplies = 16 << 10

// Terminal is one emulated terminal.
type Terminal struct {
	width, height int
	main, alt     buffer
	buf           *buffer // the one shown
	history       history // lines that left the top of main

	cur         cursor
	top, bottom int // scroll region, bottom exclusive
	modes       modes
	tabs        []bool
	shape       Shape

	// last is the cell printed last, which a combining mark may still join.
	lastX, lastY int
	joinable     bool
	repeat       rune // what REP repeats

	clusters clusters
	parser   parser
	utf      [utf8.UTFMax]byte // a character cut off by the end of a Write
	nutf     int

	title     string
	titles    []string // put aside by programs (XTWINOPS 22)
	bells     int
	clipboard []byte
	// TakeClipboard makes OSC 52 available through Clipboard; it is ignored otherwise.
	TakeClipboard bool
	replies       []byte
}

// cursor is what DECSC saves.
type cursor struct {
	x, y    int
	pending bool // the next character wraps first
	pen     Cell // only its colours and attributes
	origin  bool
	charset [2]bool // G0 and G1 are the line drawing set
	shifted bool    // G1 is in use
}

// buffer is one of the two screens.
type buffer struct {
	lines []line
	saved cursor
}

// line is one row; wrapped means that its text goes on in the next.
type line struct {
	cells   []Cell
	wrapped bool
}

// New returns a terminal of the given size that remembers scrollback lines.
func New(width, height, scrollback int) *Terminal {
	t := &Terminal{width: max(width, 1), height: max(height, 1)}
	t.history.max = max(scrollback, 0)
	t.reset()
	return t
}

// reset is RIS: everything but the history and the size goes back to the start.
func (t *Terminal) reset() {
	t.main, t.alt = newBuffer(t.width, t.height), newBuffer(t.width, t.height)
	t.buf = &t.main
	t.cur = cursor{}
	t.top, t.bottom = 0, t.height
	t.modes = modeAutowrap | modeCursor
	t.shape = ShapeDefault
	t.title, t.titles = "", nil
	t.joinable = false
	t.resetTabs()
}

// newBuffer is a blank screen; its rows share one allocation until they move.
func newBuffer(width, height int) buffer {
	b := buffer{lines: make([]line, height)}
	all := make([]Cell, width*height)
	for i := range b.lines {
		b.lines[i].cells = all[i*width : (i+1)*width : (i+1)*width]
	}
	return b
}

// Write feeds what the program wrote. It takes everything and never fails.
func (t *Terminal) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if t.parser.state != ground {
			t.advance(p[0])
			p = p[1:]
			continue
		}
		switch b := p[0]; {
		case t.nutf > 0 || b >= utf8.RuneSelf:
			p = p[t.decode(p):]
		case b >= 0x20 && b != 0x7f:
			n := 1
			for n < len(p) && p[n] >= 0x20 && p[n] < 0x7f {
				n++
			}
			t.printASCII(p[:n])
			p = p[n:]
		default:
			t.advance(b)
			p = p[1:]
		}
	}
	return total, nil
}

// decode prints the character at the start of p, whose first bytes may have
// come with an earlier Write, and returns how many bytes of p it used.
func (t *Terminal) decode(p []byte) int {
	had := t.nutf
	n := copy(t.utf[had:], p)
	seq := t.utf[:had+n]
	if !utf8.FullRune(seq) {
		t.nutf = len(seq)
		return n
	}
	r, size := utf8.DecodeRune(seq)
	t.nutf = 0
	if r == utf8.RuneError && size == 1 {
		// A sequence that breaks off is one replacement character; the byte
		// that broke it is looked at again.
		for size < len(seq) && !utf8.FullRune(seq[:size+1]) {
			size++
		}
	}
	t.print(r)
	return size - had
}

// Replies takes the answers to the queries written so far.
func (t *Terminal) Replies() []byte {
	r := t.replies
	t.replies = nil
	return r
}

// reply queues an answer, or drops it when nobody takes the earlier ones.
func (t *Terminal) reply(s string) {
	if len(t.replies)+len(s) <= maxReplies {
		t.replies = append(t.replies, s...)
	}
}

// Size is the terminal's size in cells.
func (t *Terminal) Size() (width, height int) { return t.width, t.height }

// Title is the window title the program set, without control characters.
func (t *Terminal) Title() string { return t.title }

// Bells counts the bells rung so far.
func (t *Terminal) Bells() int { return t.bells }

// Clipboard takes what the program last put on the clipboard, if that is allowed.
func (t *Terminal) Clipboard() (text []byte, ok bool) {
	text = t.clipboard
	t.clipboard = nil
	return text, text != nil
}

// Cursor is the cell of the cursor, its shape, and whether it is to be seen.
func (t *Terminal) Cursor() (x, y int, shape Shape, visible bool) {
	return t.cur.x, t.cur.y, t.shape, t.modes.has(modeCursor)
}

// String is the text shown, lines without their trailing blanks.
func (t *Terminal) String() string {
	var b bytes.Buffer
	for y := range t.height {
		b.WriteString(t.lineText(t.buf.lines[y].cells))
		b.WriteByte('\n')
	}
	return b.String()
}
