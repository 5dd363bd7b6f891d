package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/docker/go-units"

	"berth/tui/text"
	"berth/tui/theme"
)

// frame is a frame with a title and nothing else.
func frame(title string, focused bool) theme.Frame {
	return theme.Frame{Title: title, Focused: focused}
}

// rule is a horizontal line.
func rule(width int) string { return strings.Repeat("─", max(width, 0)) }

// size writes bytes in at most five cells: 71M, 1.2G, 812k.
func size(n uint64) string {
	s := units.CustomSize("%.3g%s", float64(n), 1000.0, []string{"B", "k", "M", "G", "T", "P"})
	return s
}

// panelTitle is the number key, the name and how many rows there are.
func (m *model) panelTitle(key, name string, shown, total int, focused bool) string {
	count := fmt.Sprint(total)
	if shown != total {
		count = fmt.Sprintf("%d/%d", shown, total)
	}
	style := m.theme.Text
	if focused {
		style = m.theme.Accent
	}
	return m.theme.Dim.Render(key) + " " + style.Render(name) + " " + m.theme.Dim.Render(count)
}

// styled gives a row its cursor and its mark.
func (m *model) styled(row string, marked, cursor, focused, active bool, width int) string {
	if marked {
		row = m.theme.Mark.Render("▌") + text.Cut(row, 1, width)
	}
	switch {
	case cursor && focused:
		return m.theme.Cursor.Render(text.Fit(text.Strip(row), width))
	case cursor && active:
		return m.theme.Faded.Render(text.Fit(text.Strip(row), width))
	}
	return text.Fit(row, width)
}

// teach is a sentence and keys with what they do.
func (m *model) teach(width int, what string, keys ...string) []string {
	out := []string{"", " " + m.theme.Dim.Render(what), ""}
	for i := 0; i+1 < len(keys); i += 2 {
		if a, ok := m.keys.Find(keys[i], m.pane().shape().scope); ok && m.unable(a) != "" {
			continue
		}
		out = append(out, "   "+m.theme.Accent.Render(keys[i])+"  "+keys[i+1])
	}
	return out
}

// stamp writes a time as the user's clock shows it.
func stamp(unix int64) string { return time.Unix(unix, 0).Format("2006-01-02 15:04") }
