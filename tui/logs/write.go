package logs

import (
	"io"

	"berth/tui/list"
	"berth/tui/text"
)

// Writer writes lines out as the containers wrote them.
type Writer struct {
	Times bool
	Names []string    // of the sources, when there are several
	Only  list.Filter // lines that it does not let through are left out
}

// Line writes one line, and tells whether it was one to write.
func (w Writer) Line(to io.Writer, l Line) (bool, error) {
	if w.Only.Active() && !w.Only.Match(text.Clean(l.Text)) {
		return false, nil
	}
	s := l.Text + "\n"
	if l.Source < len(w.Names) {
		s = w.Names[l.Source] + " | " + s
	}
	if w.Times && l.Time != "" {
		s = l.Time + " " + s
	}
	_, err := io.WriteString(to, s)
	return true, err
}
