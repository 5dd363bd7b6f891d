package term

import (
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// keyModes are the terminal's modes that change what a key sends.
type keyModes struct {
	cursorKeys bool // DECCKM
	keypad     bool // DECKPAM
}

// encodeKey returns the bytes that xterm sends for a key press; nil for keys
// that send nothing (a modifier alone, media keys).
func encodeKey(k tea.Key, m keyModes) []byte {
	if seq := specialKey(k, m); seq != "" {
		return []byte(seq)
	}
	var out []byte
	if k.Mod.Contains(tea.ModAlt) {
		out = append(out, 0x1b)
	}
	switch {
	case k.Mod.Contains(tea.ModCtrl):
		if b, ok := controlByte(k.Code); ok {
			return append(out, b)
		}
		return nil
	case k.Text != "":
		return append(out, k.Text...)
	case k.Code == tea.KeyEnter, k.Code == tea.KeyKpEnter:
		return append(out, '\r')
	case k.Code == tea.KeyTab:
		return append(out, '\t')
	case k.Code == tea.KeyBackspace:
		return append(out, 0x7f)
	case k.Code == tea.KeyEscape:
		return append(out, 0x1b)
	case k.Code >= ' ' && k.Code < tea.KeyExtended:
		r := k.Code
		if k.Mod.Contains(tea.ModShift) {
			if k.ShiftedCode != 0 {
				r = k.ShiftedCode
			} else {
				r = []rune(strings.ToUpper(string(r)))[0]
			}
		}
		return append(out, string(r)...)
	}
	return nil
}

// controlByte is what ctrl and a key give.
func controlByte(code rune) (byte, bool) {
	switch {
	case code >= 'a' && code <= 'z':
		return byte(code) & 0x1f, true
	case code >= '@' && code <= '_':
		return byte(code) & 0x1f, true
	}
	switch code {
	case ' ', '2', '`':
		return 0, true
	case '3', tea.KeyEscape:
		return 0x1b, true
	case '4':
		return 0x1c, true
	case '5':
		return 0x1d, true
	case '6', '~':
		return 0x1e, true
	case '7', '/', '-':
		return 0x1f, true
	case '8', '?':
		return 0x7f, true
	case tea.KeyBackspace:
		return 0x08, true
	case tea.KeyEnter, tea.KeyKpEnter:
		return '\r', true
	case tea.KeyTab:
		return '\t', true
	}
	return 0, false
}

// letterKeys end in a letter: CSI 1;mod letter, or SS3 letter.
var letterKeys = map[rune]byte{
	tea.KeyUp: 'A', tea.KeyDown: 'B', tea.KeyRight: 'C', tea.KeyLeft: 'D', tea.KeyBegin: 'E', tea.KeyEnd: 'F', tea.KeyHome: 'H',
	tea.KeyKpUp: 'A', tea.KeyKpDown: 'B', tea.KeyKpRight: 'C', tea.KeyKpLeft: 'D', tea.KeyKpBegin: 'E', tea.KeyKpEnd: 'F', tea.KeyKpHome: 'H',
	tea.KeyF1: 'P', tea.KeyF2: 'Q', tea.KeyF3: 'R', tea.KeyF4: 'S',
}

// tildeKeys are CSI number;mod ~.
var tildeKeys = map[rune]int{
	tea.KeyInsert: 2, tea.KeyDelete: 3, tea.KeyPgUp: 5, tea.KeyPgDown: 6, tea.KeyFind: 1, tea.KeySelect: 4,
	tea.KeyKpInsert: 2, tea.KeyKpDelete: 3, tea.KeyKpPgUp: 5, tea.KeyKpPgDown: 6,
	tea.KeyF5: 15, tea.KeyF6: 17, tea.KeyF7: 18, tea.KeyF8: 19, tea.KeyF9: 20, tea.KeyF10: 21, tea.KeyF11: 23, tea.KeyF12: 24,
	tea.KeyF13: 25, tea.KeyF14: 26, tea.KeyF15: 28, tea.KeyF16: 29, tea.KeyF17: 31, tea.KeyF18: 32, tea.KeyF19: 33, tea.KeyF20: 34,
}

// keypadKeys: what they print, and their SS3 letter in application mode.
var keypadKeys = map[rune][2]byte{
	tea.KeyKp0: {'0', 'p'}, tea.KeyKp1: {'1', 'q'}, tea.KeyKp2: {'2', 'r'}, tea.KeyKp3: {'3', 's'}, tea.KeyKp4: {'4', 't'},
	tea.KeyKp5: {'5', 'u'}, tea.KeyKp6: {'6', 'v'}, tea.KeyKp7: {'7', 'w'}, tea.KeyKp8: {'8', 'x'}, tea.KeyKp9: {'9', 'y'},
	tea.KeyKpMultiply: {'*', 'j'}, tea.KeyKpPlus: {'+', 'k'}, tea.KeyKpComma: {',', 'l'}, tea.KeyKpMinus: {'-', 'm'},
	tea.KeyKpDecimal: {'.', 'n'}, tea.KeyKpDivide: {'/', 'o'}, tea.KeyKpEnter: {'\r', 'M'}, tea.KeyKpEqual: {'=', 'X'},
}

// specialKey encodes the keys that have a sequence; "" for all others.
func specialKey(k tea.Key, m keyModes) string {
	mod := modifier(k.Mod)
	if letter, ok := letterKeys[k.Code]; ok {
		switch {
		case mod > 1:
			return "\x1b[1;" + strconv.Itoa(mod) + string(letter)
		case letter >= 'P' || m.cursorKeys:
			return "\x1bO" + string(letter)
		}
		return "\x1b[" + string(letter)
	}
	if n, ok := tildeKeys[k.Code]; ok {
		if mod > 1 {
			return "\x1b[" + strconv.Itoa(n) + ";" + strconv.Itoa(mod) + "~"
		}
		return "\x1b[" + strconv.Itoa(n) + "~"
	}
	if kp, ok := keypadKeys[k.Code]; ok && mod == 1 {
		if m.keypad {
			return "\x1bO" + string(kp[1])
		}
		return string(kp[0])
	}
	if k.Code == tea.KeyTab && k.Mod.Contains(tea.ModShift) {
		return "\x1b[Z"
	}
	return ""
}

// modifier is xterm's number for a set of modifiers; 1 is none.
func modifier(m tea.KeyMod) int {
	n := 1
	for i, bit := range []tea.KeyMod{tea.ModShift, tea.ModAlt, tea.ModCtrl, tea.ModMeta} {
		if m.Contains(bit) {
			n += 1 << i
		}
	}
	return n
}

// encodeMouse returns the report of a mouse event at the cell x, y of the
// screen, in SGR form or in that of X10; nil for what has no report.
func encodeMouse(msg tea.MouseMsg, x, y int, sgr bool) []byte {
	mouse := msg.Mouse()
	_, release := msg.(tea.MouseReleaseMsg)
	_, motion := msg.(tea.MouseMotionMsg)
	var b int
	switch mouse.Button {
	case tea.MouseLeft, tea.MouseMiddle, tea.MouseRight:
		b = int(mouse.Button - tea.MouseLeft)
	case tea.MouseWheelUp, tea.MouseWheelDown, tea.MouseWheelLeft, tea.MouseWheelRight:
		b = 64 + int(mouse.Button-tea.MouseWheelUp)
	case tea.MouseNone:
		b = 3
	default:
		return nil
	}
	if motion {
		b += 32
	}
	for bit, mod := range map[int]tea.KeyMod{4: tea.ModShift, 8: tea.ModAlt, 16: tea.ModCtrl} {
		if mouse.Mod.Contains(mod) {
			b += bit
		}
	}
	if sgr {
		end := "M"
		if release {
			end = "m"
		}
		return []byte("\x1b[<" + strconv.Itoa(b) + ";" + strconv.Itoa(x+1) + ";" + strconv.Itoa(y+1) + end)
	}
	if release {
		b = b&^3 | 3
	}
	if x > 222 || y > 222 {
		return nil // X10 reports end there
	}
	return []byte{0x1b, '[', 'M', byte(32 + b), byte(33 + x), byte(33 + y)}
}

// encodePaste makes pasted text what a terminal sends: line ends become
// carriage returns, and no part of the text can end the bracket.
func encodePaste(text string, bracketed bool) []byte {
	text = strings.NewReplacer("\r\n", "\r", "\n", "\r", "\x1b", "").Replace(text)
	if bracketed {
		return []byte("\x1b[200~" + text + "\x1b[201~")
	}
	return []byte(text)
}
