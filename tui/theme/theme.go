// Package theme names what colours mean in the console.
//
// A [Style] is the escape sequence that starts it. The default theme uses the
// sixteen colours of the terminal only, so that it follows the user's palette,
// dark or light; [Mono] does without colour, for NO_COLOR and old terminals.
// The others have colours of their own, also for the screen ([Theme.Paint]);
// [Parse] reads styles as people write them.
package theme

import "github.com/charmbracelet/x/ansi"

// Style starts a rendition; "" is the terminal's own.
type Style string

// Render wraps s, which must not end the style itself, in the style.
func (st Style) Render(s string) string {
	if st == "" || s == "" {
		return s
	}
	return string(st) + s + ansi.ResetStyle
}

// Theme is one set of meanings.
type Theme struct {
	Base   Style // the whole screen; none leaves it the terminal's own
	Text   Style // normal
	Dim    Style // secondary: units, borders of what has no focus
	Strong Style // names
	Accent Style // focus, active tab, keys
	Good   Style // running, healthy
	Warn   Style // paused, starting, attention
	Bad    Style // failed, errors
	Info   Style // numbers, links
	Mark   Style // marked rows
	Cursor Style // the row under the cursor in the focused list; no style inside
	Faded  Style // the same in a list without focus
	Match  Style // search hits
	Hit    Style // the current search hit
	Banner Style // engine gone
	Title  Style // program name
	Border Style // border of a pane without focus
	Focus  Style // border of the pane with focus

	Key, String, Number, Literal Style // JSON
}

// ANSI16 is the default theme.
func ANSI16() Theme {
	return Theme{
		Dim:    "\x1b[90m",
		Strong: "\x1b[1m",
		Accent: "\x1b[1;36m",
		Good:   "\x1b[32m",
		Warn:   "\x1b[33m",
		Bad:    "\x1b[1;31m",
		Info:   "\x1b[34m",
		Mark:   "\x1b[1;35m",
		Cursor: "\x1b[1;97;44m",
		Faded:  "\x1b[1;97;100m",
		Match:  "\x1b[30;43m",
		Hit:    "\x1b[1;97;45m",
		Banner: "\x1b[1;97;41m",
		Title:  "\x1b[1;36m",
		Border: "\x1b[90m",
		Focus:  "\x1b[36m",
		Key:    "\x1b[36m", String: "\x1b[32m", Number: "\x1b[33m", Literal: "\x1b[35m",
	}
}

// Mono is the theme without colours.
func Mono() Theme {
	return Theme{
		Dim:    "\x1b[2m",
		Strong: "\x1b[1m",
		Accent: "\x1b[1m",
		Warn:   "\x1b[1m",
		Bad:    "\x1b[1m",
		Mark:   "\x1b[1m",
		Cursor: "\x1b[7m",
		Faded:  "\x1b[1;4m",
		Match:  "\x1b[4m",
		Hit:    "\x1b[1;7m",
		Banner: "\x1b[1;7m",
		Title:  "\x1b[1m",
		Focus:  "\x1b[1m",
		Key:    "\x1b[1m",
	}
}
