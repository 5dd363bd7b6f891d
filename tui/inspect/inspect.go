// Package inspect shows indented JSON with colours, as lines of a pager.
package inspect

import (
	"strings"

	"berth/tui/text"
	"berth/tui/theme"
)

// Doc is a pager.Source over indented JSON. Lines are coloured when shown.
type Doc struct {
	lines []string
	theme theme.Theme
}

// New splits indented JSON.
func New(th theme.Theme, json []byte) *Doc {
	if len(json) == 0 {
		return &Doc{theme: th}
	}
	return &Doc{theme: th, lines: strings.Split(strings.TrimRight(string(json), "\n"), "\n")}
}

// First is 0.
func (d *Doc) First() int { return 0 }

// End is the number of lines.
func (d *Doc) End() int { return len(d.lines) }

// Line is line n in colour.
func (d *Doc) Line(n int) string { return Colour(d.theme, text.Clean(d.lines[n])) }

// Colour paints one line of indented JSON: at most one key, then one value or
// bracket.
func Colour(th theme.Theme, line string) string {
	body := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(body)]
	key := ""
	if end := stringEnd(body); end > 0 && strings.HasPrefix(body[end:], ":") {
		key = th.Key.Render(body[:end]) + th.Dim.Render(":") + " "
		body = strings.TrimPrefix(body[end+1:], " ")
	}
	comma := ""
	if strings.HasSuffix(body, ",") {
		body, comma = body[:len(body)-1], th.Dim.Render(",")
	}
	return indent + key + value(th, body) + comma
}

// value paints a JSON value by its first letter.
func value(th theme.Theme, s string) string {
	switch {
	case s == "":
		return ""
	case s[0] == '"':
		return th.String.Render(s)
	case strings.ContainsAny(s[:1], "{}[]"):
		return th.Dim.Render(s)
	case s == "true" || s == "false" || s == "null":
		return th.Literal.Render(s)
	}
	return th.Number.Render(s)
}

// stringEnd is the length of the JSON string that s begins with, or 0.
func stringEnd(s string) int {
	if s == "" || s[0] != '"' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}
