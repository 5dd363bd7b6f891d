package theme

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// attributes are the words of a style beside its colours.
var attributes = map[string]string{"bold": "1", "dim": "2", "italic": "3", "underline": "4", "reverse": "7"}

// colours are the sixteen of the terminal, in their order.
var colours = []string{
	"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
	"bright-black", "bright-red", "bright-green", "bright-yellow", "bright-blue", "bright-magenta", "bright-cyan", "bright-white",
}

// Parse reads a style as people write it: words like bold, then a colour, then
// "on" and the colour behind it. A colour is one of the terminal's sixteen by
// name, a number up to 255, or #rrggbb. "none" is the terminal's own style.
func Parse(s string) (Style, error) {
	var params []string
	behind := false
	for _, word := range strings.Fields(strings.ToLower(s)) {
		switch {
		case attributes[word] != "":
			params = append(params, attributes[word])
		case word == "on":
			behind = true
		case word == "none":
		default:
			p, ok := colour(word, behind)
			if !ok {
				return "", fmt.Errorf("%q is no style: write e.g. \"bold #ffaf00 on black\", of %s, a colour's name, 0 to 255, or #rrggbb", s, "bold, dim, italic, underline, reverse")
			}
			params = append(params, p)
		}
	}
	if len(params) == 0 {
		return "", nil
	}
	return Style("\x1b[" + strings.Join(params, ";") + "m"), nil
}

// colour is the parameter of SGR for a colour, as that of the text or what is behind it.
func colour(word string, behind bool) (string, bool) {
	plain, bright, extended := 30, 90, "38"
	if behind {
		plain, bright, extended = 40, 100, "48"
	}
	if i := slices.Index(colours, word); i >= 8 {
		return strconv.Itoa(bright + i - 8), true
	} else if i >= 0 {
		return strconv.Itoa(plain + i), true
	}
	if hex, ok := strings.CutPrefix(word, "#"); ok && len(hex) == 6 {
		n, err := strconv.ParseUint(hex, 16, 24)
		return fmt.Sprintf("%s;2;%d;%d;%d", extended, n>>16, n>>8&0xff, n&0xff), err == nil
	}
	n, err := strconv.ParseUint(word, 10, 8)
	return fmt.Sprintf("%s;5;%d", extended, n), err == nil
}

// Meanings are the names of a theme's styles, as settings write them.
func Meanings() []string {
	t := reflect.TypeFor[Theme]()
	var out []string
	for i := range t.NumField() {
		out = append(out, strings.ToLower(t.Field(i).Name))
	}
	return out
}

// Set changes the style of a meaning; false when there is no such meaning.
func (t *Theme) Set(meaning string, st Style) bool {
	i := slices.Index(Meanings(), meaning)
	if i < 0 {
		return false
	}
	reflect.ValueOf(t).Elem().Field(i).SetString(string(st))
	return true
}

// Paint puts a line on the theme's base: what has no colour of its own gets the
// base's, also after a style has ended. A theme without a base leaves the line.
func (t Theme) Paint(line string) string {
	if t.Base == "" {
		return line
	}
	var b strings.Builder
	b.Grow(len(line) + len(line)/2)
	b.WriteString(string(t.Base))
	for {
		i := strings.Index(line, "\x1b[")
		if i < 0 {
			break
		}
		end := i + 2
		for end < len(line) && (line[end] >= '0' && line[end] <= '9' || line[end] == ';' || line[end] == ':') {
			end++
		}
		if end == len(line) {
			break
		}
		params := line[i+2 : end]
		switch {
		case line[end] != 'm' || !resets(params):
			b.WriteString(line[:end+1])
		default: // the base, then what follows the reset
			b.WriteString(line[:i] + ansi.ResetStyle + string(t.Base))
			if rest := afterReset(params); rest != "" {
				b.WriteString("\x1b[" + rest + "m")
			}
		}
		line = line[end+1:]
	}
	return b.String() + line + ansi.ResetStyle
}

// resets tells whether parameters of SGR begin by ending what was before, or
// ask for the terminal's own colours.
func resets(params string) bool {
	first, _, _ := strings.Cut(params, ";")
	return first == "" || first == "0" || first == "39" || first == "49"
}

// afterReset are the parameters after the first.
func afterReset(params string) string {
	_, rest, _ := strings.Cut(params, ";")
	return rest
}
