package term

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// narrowestHalf is the least that each half of a split pane has; in a narrower
// pane only the one with the keys is drawn, over all of it.
const narrowestHalf = 10

// pair is two sessions side by side, left and right.
type pair [2]*session

// halves are the sessions that are drawn, from the left: one, or two.
func (m *Model) halves() []*session {
	if p, ok := m.split[m.container]; ok && m.width >= 2*narrowestHalf+1 {
		return p[:]
	}
	if s := m.shown(); s != nil {
		return []*session{s}
	}
	return nil
}

// leftWidth is the width of the left half; a line stands between the two.
func (m *Model) leftWidth() int { return (m.width - 1) / 2 }

// span is where a session is drawn: its first column and its width. A session
// that is not drawn has the size that it would have alone.
func (m *Model) span(s *session) (x, width int) {
	if h := m.halves(); len(h) == 2 {
		switch s {
		case h[0]:
			return 0, m.leftWidth()
		case h[1]:
			return m.leftWidth() + 1, m.width - m.leftWidth() - 1
		}
	}
	return 0, m.width
}

// toggleSplit opens a shell beside the session shown, or gives that the whole
// pane again; the other one lives on.
func (m *Model) toggleSplit() tea.Cmd {
	if _, ok := m.split[m.container]; ok {
		m.unsplit(m.container)
		return nil
	}
	old := m.shown()
	cmd := m.OpenShell()
	if now := m.shown(); now != old && slices.Contains(m.sessions, old) {
		m.split[m.container] = pair{old, now}
		m.fit()
	}
	return cmd
}

// unsplit makes one pane of two.
func (m *Model) unsplit(container string) {
	delete(m.split, container)
	m.fit()
}

// show gives a session the keys. In a split pane one that is not drawn takes the
// place of the one that has them.
func (m *Model) show(s *session) {
	was := m.last[s.container]
	if was == s {
		return
	}
	if p, ok := m.split[s.container]; ok && p[0] != s && p[1] != s {
		p[slices.Index(p[:], was)] = s
		m.split[s.container] = p
	}
	focused := m.focused
	m.setFocus(false)
	m.last[s.container] = s
	m.setFocus(focused)
	m.fit()
}

// other gives the keys to the other half.
func (m *Model) other() {
	if p, ok := m.split[m.container]; ok {
		m.show(p[1-slices.Index(p[:], m.shown())])
	}
}

// half gives the keys to the left half (0) or the right one (1).
func (m *Model) half(n int) {
	if p, ok := m.split[m.container]; ok {
		m.show(p[n])
	}
}

// at is the session drawn at a column, or nil.
func (m *Model) at(x int) *session {
	for _, s := range m.halves() {
		if from, width := m.span(s); x >= from && x < from+width {
			return s
		}
	}
	return nil
}

// beside joins two blocks of lines with a line between them.
func (m *Model) beside(left, right []string) []string {
	out := make([]string, len(left))
	for i := range left {
		var b strings.Builder
		b.WriteString(left[i])
		b.WriteString(m.cfg.Theme.Border.Render("│"))
		b.WriteString(right[i])
		out[i] = b.String()
	}
	return out
}
