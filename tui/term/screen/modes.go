package screen

import "fmt"

// modes is the set of modes in force.
type modes uint32

const (
	modeCursorKeys modes = 1 << iota
	modeReverse
	modeAutowrap
	modeCursor
	modeInsert
	modeNewline
	modeKeypad
	modeMouseX10
	modeMouseClick
	modeMouseDrag
	modeMouseAll
	modeMouseSGR
	modeFocus
	modeAltScroll
	modePaste
	modeSync
	modeOrigin
	modeAlt

	modeMouse = modeMouseX10 | modeMouseClick | modeMouseDrag | modeMouseAll
)

// privateModes are the DEC modes that are plain switches.
var privateModes = map[int]modes{
	1: modeCursorKeys, 5: modeReverse, 7: modeAutowrap, 25: modeCursor, 66: modeKeypad,
	9: modeMouseX10, 1000: modeMouseClick, 1002: modeMouseDrag, 1003: modeMouseAll, 1006: modeMouseSGR,
	1004: modeFocus, 1007: modeAltScroll, 2004: modePaste, 2026: modeSync,
}

// has reports whether any of x is in force.
func (m modes) has(x modes) bool { return m&x != 0 }

// set switches x on or off.
func (m *modes) set(x modes, on bool) {
	if on {
		*m |= x
	} else {
		*m &^= x
	}
}

// setModes is SM and RM.
func (t *Terminal) setModes(on bool) {
	for i := range t.parser.n {
		switch t.parser.params[i] {
		case 4:
			t.modes.set(modeInsert, on)
		case 20:
			t.modes.set(modeNewline, on)
		}
	}
}

// setPrivateMode is DECSET and DECRST of one mode.
func (t *Terminal) setPrivateMode(n int, on bool) {
	if m, ok := privateModes[n]; ok {
		if m&modeMouse != 0 {
			t.modes.set(modeMouse, false) // the mouse modes exclude each other
		}
		t.modes.set(m, on)
		return
	}
	switch n {
	case 6:
		t.cur.origin = on
		t.moveTo(0, 0)
	case 47, 1047:
		t.showAlt(on, n == 1047)
	case 1048:
		if on {
			t.buf.saved = t.cur
		} else {
			t.restore()
		}
	case 1049:
		if on == (t.buf == &t.alt) {
			return
		}
		if on {
			t.main.saved = t.cur
			t.showAlt(true, true)
		} else {
			t.showAlt(false, false)
			t.restore()
		}
	}
}

// showAlt switches between the screens; the alternate one is cleared on entry
// when wipe is set. The cursor stays where it is.
func (t *Terminal) showAlt(on, wipe bool) {
	if on == (t.buf == &t.alt) {
		return
	}
	t.joinable = false
	t.modes.set(modeAlt, on)
	if !on {
		t.buf = &t.main
		return
	}
	if t.buf == &t.main {
		t.main.saved.x, t.main.saved.y = t.cur.x, t.cur.y
	}
	t.buf = &t.alt
	if wipe {
		for y := range t.height {
			t.blank(&t.alt.lines[y])
		}
	}
}

// reportMode is DECRQM: 1 set, 2 reset, 0 not known.
func (t *Terminal) reportMode(private bool, n int) {
	known, on, mark := false, false, ""
	if private {
		mark = "?"
		m, ok := privateModes[n]
		known, on = ok, t.modes.has(m)
		switch n {
		case 6:
			known, on = true, t.cur.origin
		case 47, 1047, 1049:
			known, on = true, t.buf == &t.alt
		}
	} else if n == 4 || n == 20 {
		known, on = true, n == 4 && t.modes.has(modeInsert) || n == 20 && t.modes.has(modeNewline)
	}
	state := 0
	if known && on {
		state = 1
	} else if known {
		state = 2
	}
	t.reply(fmt.Sprintf("\x1b[%s%d;%d$y", mark, n, state))
}

// AltScreen reports whether a full-screen program has the screen.
func (t *Terminal) AltScreen() bool { return t.modes.has(modeAlt) }

// AppCursorKeys reports whether arrow keys are sent as ESC O (DECCKM).
func (t *Terminal) AppCursorKeys() bool { return t.modes.has(modeCursorKeys) }

// AppKeypad reports whether the keypad sends its own codes (DECKPAM).
func (t *Terminal) AppKeypad() bool { return t.modes.has(modeKeypad) }

// BracketedPaste reports whether pastes are to be marked as such.
func (t *Terminal) BracketedPaste() bool { return t.modes.has(modePaste) }

// FocusEvents reports whether the program wants to know about focus.
func (t *Terminal) FocusEvents() bool { return t.modes.has(modeFocus) }

// Holding reports a synchronised update in progress: what is on the screen
// now is not meant to be seen.
func (t *Terminal) Holding() bool { return t.modes.has(modeSync) }

// Mouse tells which mouse events the program wants, and how they are written.
func (t *Terminal) Mouse() (clicks, drags, motion, sgr bool) {
	motion = t.modes.has(modeMouseAll)
	drags = motion || t.modes.has(modeMouseDrag)
	return t.modes.has(modeMouse), drags, motion, t.modes.has(modeMouseSGR)
}
