// Package edit is a one-line text field with the usual shell keys.
package edit

import (
	"slices"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"berth/tui/text"
	"berth/tui/theme"
)

// Field is text being edited. The zero value is empty.
type Field struct {
	runes []rune
	pos   int
}

// Set replaces the text and puts the cursor at its end.
func (f *Field) Set(s string) { f.runes = []rune(s); f.pos = len(f.runes) }

// Value is the text.
func (f *Field) Value() string { return string(f.runes) }

// AtEnd tells whether the cursor is behind the last letter.
func (f *Field) AtEnd() bool { return f.pos == len(f.runes) }

// Update handles a key or a paste and tells whether it was one for the field.
func (f *Field) Update(msg tea.Msg) bool {
	switch msg := msg.(type) {
	case tea.PasteMsg:
		f.insert(text.Clean(msg.Content))
		return true
	case tea.KeyPressMsg:
		return f.key(msg)
	}
	return false
}

// key handles one key. The names are those of readline, as every shell has them.
func (f *Field) key(k tea.KeyPressMsg) bool {
	switch k.String() {
	case "left", "ctrl+b":
		f.pos = max(f.pos-1, 0)
	case "right", "ctrl+f":
		f.pos = min(f.pos+1, len(f.runes))
	case "home", "ctrl+a":
		f.pos = 0
	case "end", "ctrl+e":
		f.pos = len(f.runes)
	case "alt+left", "alt+b", "ctrl+left":
		f.pos = f.wordStart()
	case "alt+right", "alt+f", "ctrl+right":
		f.pos = f.wordEnd()
	case "backspace", "ctrl+h":
		f.remove(max(f.pos-1, 0), f.pos)
	case "delete", "ctrl+d":
		f.remove(f.pos, min(f.pos+1, len(f.runes)))
	case "ctrl+w", "alt+backspace":
		f.remove(f.wordStart(), f.pos)
	case "ctrl+u":
		f.remove(0, f.pos)
	case "ctrl+k":
		f.remove(f.pos, len(f.runes))
	default:
		if k.Text == "" {
			return false
		}
		f.insert(text.Clean(k.Text))
	}
	return true
}

// insert puts text at the cursor, which goes behind it.
func (f *Field) insert(s string) {
	r := []rune(s)
	f.runes = slices.Insert(f.runes, f.pos, r...)
	f.pos += len(r)
}

// remove takes out the runes [from, to); the cursor goes where they were.
func (f *Field) remove(from, to int) {
	f.runes = slices.Delete(f.runes, from, to)
	f.pos = from
}

// wordStart is where the word before the cursor begins; words are what blanks
// part, as ctrl+w of a shell sees them.
func (f *Field) wordStart() int {
	i := f.pos
	for i > 0 && unicode.IsSpace(f.runes[i-1]) {
		i--
	}
	for i > 0 && !unicode.IsSpace(f.runes[i-1]) {
		i--
	}
	return i
}

// wordEnd is where the word after the cursor ends.
func (f *Field) wordEnd() int {
	i := f.pos
	for i < len(f.runes) && unicode.IsSpace(f.runes[i]) {
		i++
	}
	for i < len(f.runes) && !unicode.IsSpace(f.runes[i]) {
		i++
	}
	return i
}

// View draws the field in width cells, scrolled so that the cursor is seen.
func (f *Field) View(width int, focused bool) string {
	if width <= 0 {
		return ""
	}
	if !focused {
		return text.Fit(string(f.runes), width)
	}
	before, under, after := string(f.runes[:f.pos]), " ", ""
	if f.pos < len(f.runes) {
		under, after = string(f.runes[f.pos]), string(f.runes[f.pos+1:])
	}
	if text.Width(under) == 0 {
		under = " "
	}
	if room := width - text.Width(under); text.Width(before) > room {
		before = text.FitLeft(before, room)
	}
	return text.Fit(before+cursor.Render(under)+after, width)
}

// ViewWith draws the field with the cursor at its end and a continuation behind
// it that is only proposed; the cursor stands on its first letter.
func (f *Field) ViewWith(width int, style theme.Style, proposed string) string {
	first, rest := proposed, ""
	for i := range proposed {
		if i > 0 {
			first, rest = proposed[:i], proposed[i:]
			break
		}
	}
	typed := string(f.runes)
	if first == "" || text.Width(typed)+text.Width(proposed) >= width {
		return f.View(width, true)
	}
	return text.Fit(typed+cursor.Render(first)+style.Render(rest), width)
}

// cursor is reverse video on any theme.
const cursor = theme.Style("\x1b[7m")
