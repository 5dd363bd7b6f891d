package term

import (
	"fmt"
	"strings"

	"berth/tui/text"
)

// View draws exactly width×height cells.
func (m *Model) View(width, height int) string {
	if width <= 0 || height <= 0 {
		return ""
	}
	s := m.shown()
	if s == nil {
		return m.empty(width, height)
	}
	lines := make([]string, 0, height)
	if of := m.of(m.container); len(of) > 1 {
		lines = append(lines, m.tabs(of, width))
	}
	rows := height - len(lines)
	switch h := m.halves(); {
	case rows < 1:
		lines = lines[:height]
	case len(h) == 2 && width == m.width:
		_, left := m.span(h[0])
		_, right := m.span(h[1])
		lines = append(lines, m.beside(m.part(h[0], left, rows), m.part(h[1], right, rows))...)
	default:
		lines = append(lines, m.part(s, width, rows)...)
	}
	return strings.Join(lines, "\n")
}

// part draws a session and what is to be said of it.
func (m *Model) part(s *session, width, height int) []string {
	lines := m.screen(s, nil, width, height)
	if status := m.status(s); status != "" {
		lines[len(lines)-1] = m.cfg.Theme.Cursor.Render(text.Fit(" "+status, width))
	}
	return lines
}

// screen appends the lines of the session up to height of them.
func (m *Model) screen(s *session, lines []string, width, height int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	top := s.scr.Top()
	var from, to = 0, -1
	if v := s.view; v != nil {
		top = max(v.top, s.scr.First())
		from, to = v.selection()
	}
	var buf []byte
	for n := top; len(lines) < height; n++ {
		var marked func(int) bool
		if n >= from && n <= to {
			marked = func(int) bool { return true }
		}
		buf = s.scr.AppendLine(buf[:0], n, width, marked)
		lines = append(lines, string(buf))
	}
	return lines
}

// status is what the last row says instead of the screen; "" for nothing.
func (m *Model) status(s *session) string {
	if m.leader && s == m.shown() {
		return m.afterLeader()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.view; v != nil {
		switch {
		case v.typing:
			return "/" + text.Clean(v.query) + "▏"
		case v.failed:
			return "no line has " + text.Clean(v.query)
		}
		_, height := s.scr.Size()
		total := s.scr.Top() + height - s.scr.First()
		return fmt.Sprintf("scroll %d/%d   %s", v.cursor-s.scr.First()+1, total, m.scrollKeys.line())
	}
	switch {
	case s.waiting:
		return "the stream has ended, and no engine answers: waiting for it   " + m.Leader() + " " + m.keys.close.Help().Key + " close"
	case s.state == connecting && s.kind == Attach:
		return "attaching to " + text.Clean(s.name) + " …"
	case s.state == connecting && s.kind == Command:
		return "starting " + text.Clean(s.name) + " …"
	case s.state == connecting:
		return "starting a shell in " + text.Clean(s.name) + " …"
	case s.state == ended && s.err != nil:
		return "failed   ⏎ again  esc close"
	case s.state == ended:
		return fmt.Sprintf("ended with exit status %d   ⏎ again  esc close", s.exitCode)
	}
	return ""
}

// tabs is the row of sessions of the container shown.
func (m *Model) tabs(of []*session, width int) string {
	var b strings.Builder
	for i, s := range of {
		label := m.tab(s, i)
		if s == m.shown() {
			label = m.cfg.Theme.Accent.Render(label)
		} else {
			label = m.cfg.Theme.Dim.Render(label)
		}
		b.WriteString(label)
	}
	return text.Fit(b.String(), width)
}

// tab is the text of one tab: ▸ before the one that is shown.
func (m *Model) tab(s *session, i int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	mark := " "
	if s == m.shown() {
		mark = "▸"
	}
	state := ""
	if s.state == ended {
		state = " ended"
	}
	return fmt.Sprintf("%s%d %s%s  ", mark, i+1, s.label(), state)
}

// tabAt is the index of the tab at column x, or -1.
func (m *Model) tabAt(x int) int {
	for i, s := range m.of(m.container) {
		if x -= text.Width(m.tab(s, i)); x < 0 {
			return i
		}
	}
	return -1
}

// empty is the pane without a session: it says what to press.
func (m *Model) empty(width, height int) string {
	hint := []string{"no shell is open in " + text.Clean(m.name), "", "E  opens one here: bash, else sh", "a  attaches to the main process"}
	switch {
	case m.container == "":
		hint = []string{"no container is selected"}
	case !m.running:
		hint = []string{text.Clean(m.name) + " is not running", "", "S  starts it"}
	}
	lines := make([]string, max(0, (height-len(hint))/2))
	block := 0
	for _, h := range hint {
		block = max(block, text.Width(h))
	}
	for _, h := range hint {
		lines = append(lines, text.Spaces(max(0, (width-block)/2))+m.cfg.Theme.Dim.Render(h))
	}
	return strings.Join(text.Block(lines, width, height), "\n")
}
