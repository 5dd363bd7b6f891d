package screen

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// oscCommand executes an operating system command. Titles are kept, colour
// queries answered, the clipboard passed on if allowed; hyperlinks, working
// directories, notifications and palettes are not for the host's terminal.
func (t *Terminal) oscCommand(data []byte) {
	number, text, _ := strings.Cut(string(data), ";")
	switch number {
	case "0", "2":
		t.title = cleanTitle(text)
	case "4":
		t.palette(text)
	case "10", "12":
		t.reportColor(number, text, 0xcccccc)
	case "11":
		t.reportColor(number, text, 0)
	case "52":
		_, payload, ok := strings.Cut(text, ";")
		if !ok || !t.TakeClipboard || payload == "?" {
			return // reading the host's clipboard is never allowed
		}
		if decoded, err := base64.StdEncoding.DecodeString(payload); err == nil {
			t.clipboard = decoded
		}
	}
}

// reportColor answers a query of a default colour, so that a program can tell a
// dark terminal from a light one. Setting one is not for the container to do.
func (t *Terminal) reportColor(what, text string, rgb uint32) {
	if text != "?" {
		return
	}
	end := "\x1b\\"
	if t.parser.bel { // as the question ended
		end = "\a"
	}
	r, g, b := rgb>>16&0xff, rgb>>8&0xff, rgb&0xff
	t.reply(fmt.Sprintf("\x1b]%s;rgb:%02x%02[2]x/%02[3]x%02[3]x/%02[4]x%02[4]x%[5]s", what, r, g, b, end))
}

// palette answers queries of OSC 4, which are pairs of a colour's number and "?".
func (t *Terminal) palette(text string) {
	fields := strings.Split(text, ";")
	for i := 0; i+1 < len(fields); i += 2 {
		if n, err := strconv.ParseUint(fields[i], 10, 8); err == nil {
			t.reportColor("4;"+strconv.FormatUint(n, 10), fields[i+1], xtermColor(int(n)))
		}
	}
}

// xtermColor is the colour with a number in xterm's palette: sixteen named ones,
// a cube of 6×6×6 and a ramp of greys.
func xtermColor(n int) uint32 {
	switch {
	case n < 16:
		return namedColors[n]
	case n >= 232:
		return uint32(8+10*(n-232)) * 0x010101
	}
	level := func(i int) uint32 {
		if i == 0 {
			return 0
		}
		return uint32(55 + 40*i)
	}
	n -= 16
	return level(n/36)<<16 | level(n/6%6)<<8 | level(n%6)
}

var namedColors = [16]uint32{
	0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5,
	0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
}

// maxTitle is the length of a title, in characters.
const maxTitle = 200

// cleanTitle drops what is not printable, and what would reorder text.
func cleanTitle(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > maxTitle || !unicode.IsPrint(r) || isBidi(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// maxTitles bounds the stack of titles; what is pushed past it pushes out the oldest.
const maxTitles = 10

// windowSequence is XTWINOPS, as far as it is about cells and the title.
func (t *Terminal) windowSequence(what int) {
	switch what {
	case 18:
		t.reply(fmt.Sprintf("\x1b[8;%d;%dt", t.height, t.width))
	case 19: // the largest size there is
		t.reply(fmt.Sprintf("\x1b[9;%d;%dt", t.height, t.width))
	case 22, 23:
		if t.parser.param(1, 0) == 1 { // the icon's alone: there is none
			return
		}
		if what == 22 {
			t.titles = append(t.titles[max(len(t.titles)+1-maxTitles, 0):], t.title)
		} else if n := len(t.titles); n > 0 {
			t.title, t.titles = t.titles[n-1], t.titles[:n-1]
		}
	}
}

// dcsCommand answers requests for settings (DECRQSS), and for termcap entries with
// "no such thing", since a program that asks waits for some answer.
func (t *Terminal) dcsCommand(data []byte) {
	switch s := string(data); {
	case s == "$qm":
		style := string(appendStyle(nil, t.cur.pen))
		t.reply("\x1bP1$r" + strings.TrimPrefix(style, "\x1b[") + "\x1b\\")
	case s == "$qr":
		t.reply(fmt.Sprintf("\x1bP1$r%d;%dr\x1b\\", t.top+1, t.bottom))
	case s == "$q q":
		t.reply(fmt.Sprintf("\x1bP1$r%d q\x1b\\", 2*t.shape))
	case strings.HasPrefix(s, "$q"):
		t.reply("\x1bP0$r\x1b\\")
	case strings.HasPrefix(s, "+q"):
		t.reply("\x1bP0+r\x1b\\")
	}
}
