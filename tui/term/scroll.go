package term

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"berth/tui/term/screen"
)

// scrollView is a look back. Line numbers are those of the screen package:
// they stay while new lines arrive, so that what is looked at does not move.
type scrollView struct {
	top    int // the first line drawn
	cursor int // the line the keys move
	mark   int // where a selection began; -1: none
	query  string
	typing bool // the query is being typed
	failed bool // the last search found nothing
}

// startLooking begins a look back with the cursor on the newest line.
func (m *Model) startLooking(s *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	top := s.scr.Top()
	_, height := s.scr.Size()
	s.view = &scrollView{top: top, cursor: top + height - 1, mark: -1}
}

// keep returns what brings the look back to the same text when its lines have been
// broken anew, and so have other numbers.
func (v *scrollView) keep(scr *screen.Terminal) (restore func()) {
	top, cursor, mark := scr.Paragraph(v.top), scr.Paragraph(v.cursor), scr.Paragraph(v.mark)
	return func() {
		v.top, v.cursor = scr.LineOf(top), scr.LineOf(cursor)
		if v.mark >= 0 {
			v.mark = scr.LineOf(mark)
		}
	}
}

// scroll moves the cursor by n lines and the view with it; past the newest
// line the look back ends if it was the wheel or a page that went there.
func (m *Model) scroll(s *session, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.view
	_, height := s.scr.Size()
	rows := max(height-1, 1) // the status row covers one
	last := s.scr.Top() + height - 1
	v.cursor = max(s.scr.First(), min(v.cursor+n, last))
	v.top = max(v.top, s.scr.First())
	if v.cursor < v.top {
		v.top = v.cursor
	}
	if v.cursor >= v.top+rows {
		v.top = v.cursor - rows + 1
	}
	v.top = max(min(v.top, last-rows+1), s.scr.First())
}

// look handles a key while looking back.
func (m *Model) look(s *session, k tea.KeyPressMsg) tea.Cmd {
	v := s.view
	if v.typing {
		m.typeQuery(s, k)
		return nil
	}
	s.mu.Lock()
	_, height := s.scr.Size()
	s.mu.Unlock()
	page := max(height-2, 1)
	v.failed = false
	b := m.scrollKeys
	switch {
	case key.Matches(k, b.leave):
		s.view = nil
	case key.Matches(k, b.up):
		m.scroll(s, -1)
	case key.Matches(k, b.down):
		m.scroll(s, 1)
	case key.Matches(k, b.pageUp):
		m.scroll(s, -page)
	case key.Matches(k, b.pageDown):
		m.scroll(s, page)
	case key.Matches(k, b.first):
		m.scroll(s, -1<<30)
	case key.Matches(k, b.last):
		m.scroll(s, 1<<30)
	case key.Matches(k, b.mark):
		if v.mark >= 0 {
			v.mark = -1
		} else {
			v.mark = v.cursor
		}
	case key.Matches(k, b.copy):
		from, to := v.selection()
		s.mu.Lock()
		text := s.scr.Text(from, to)
		s.mu.Unlock()
		s.view = nil
		return copyText(text)
	case key.Matches(k, b.search):
		v.typing, v.query = true, ""
	case key.Matches(k, b.again):
		m.find(s, -1)
	case key.Matches(k, b.back):
		m.find(s, 1)
	}
	return nil
}

// selection is what y copies: the marked lines, or the cursor's.
func (v *scrollView) selection() (from, to int) {
	if v.mark < 0 {
		return v.cursor, v.cursor
	}
	return min(v.mark, v.cursor), max(v.mark, v.cursor)
}

// typeQuery edits the query; it is looked for when enter is pressed.
func (m *Model) typeQuery(s *session, k tea.KeyPressMsg) {
	v := s.view
	switch k.String() {
	case "enter":
		v.typing = false
		m.find(s, -1)
	case "esc", "ctrl+c":
		v.typing, v.query = false, ""
	case "backspace":
		if r := []rune(v.query); len(r) > 0 {
			v.query = string(r[:len(r)-1])
		}
	default:
		v.query += k.Text
	}
}

// find moves to the next line upwards (step -1) or downwards that has the
// query, ignoring case unless the query has capitals.
func (m *Model) find(s *session, step int) {
	v := s.view
	if v.query == "" {
		return
	}
	fold := strings.ToLower(v.query) == v.query
	s.mu.Lock()
	_, height := s.scr.Size()
	first, last := s.scr.First(), s.scr.Top()+height-1
	hit := -1
	for n := v.cursor + step; n >= first && n <= last; n += step {
		text := s.scr.Text(n, n)
		if !strings.HasSuffix(text, "\n") { // what begins in a broken line may end below it
			more := s.scr.Text(n, n+len(v.query))
			text = more[:min(len(more), len(text)+len(v.query)-1)]
		}
		if fold {
			text = strings.ToLower(text)
		}
		if strings.Contains(text, v.query) {
			hit = n
			break
		}
	}
	s.mu.Unlock()
	if v.failed = hit < 0; !v.failed {
		m.scroll(s, hit-v.cursor)
	}
}
