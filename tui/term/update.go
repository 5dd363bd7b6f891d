package term

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// wheelLines is how far one step of the mouse wheel goes.
const wheelLines = 3

// Update handles one message.
func (m *Model) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case paintMsg:
		return m.painted(msg.session)
	case tea.KeyPressMsg:
		if m.focused {
			return m.pressed(msg)
		}
	case tea.PasteMsg:
		if s := m.shown(); m.focused && s != nil && s.view == nil {
			s.mu.Lock()
			bracketed := s.scr.BracketedPaste()
			s.mu.Unlock()
			return m.typed(s, encodePaste(msg.Content, bracketed))
		}
	case tea.MouseMsg:
		return m.mouse(msg)
	}
	return nil
}

// painted goes on waiting for a session, or reports its end, once.
func (m *Model) painted(id string) tea.Cmd {
	for _, s := range m.sessions {
		if s.id != id {
			continue
		}
		s.mu.Lock()
		done, clip, copied := s.state == ended, []byte(nil), false
		clip, copied = s.scr.Clipboard()
		end := EndedMsg{Session: s.label(), Container: s.container, ExitCode: s.exitCode, Err: s.err}
		detached := s.detached
		s.mu.Unlock()
		var cmds []tea.Cmd
		if copied {
			cmds = append(cmds, func() tea.Msg { return CopyMsg{Text: string(clip)} })
		}
		if !done {
			return tea.Batch(append(cmds, s.wait(m.paintRate(s)))...)
		}
		if !s.reported {
			s.reported = true
			cmds = append(cmds, func() tea.Msg { return end })
			// A shell that ended well has nothing left to read.
			if end.Err == nil && (detached || s.kind == Shell && end.ExitCode == 0) {
				wasShown := s == m.shown()
				m.drop(s)
				if wasShown && m.focused && m.shown() == nil {
					cmds = append(cmds, func() tea.Msg { return LeaveMsg{} })
				}
			}
		}
		return tea.Batch(cmds...)
	}
	return nil
}

// pressed handles a key while the pane has the focus.
func (m *Model) pressed(k tea.KeyPressMsg) tea.Cmd {
	s := m.shown()
	switch {
	case m.leader:
		m.leader = false
		return m.command(k)
	case key.Matches(k, m.keys.leader):
		m.leader = true
		return nil
	case s != nil && s.view != nil:
		return m.look(s, k)
	case s == nil:
		switch k.String() {
		case "e", "E", "enter":
			return m.OpenShell()
		case "a":
			return m.OpenAttach()
		case "esc", "q", "ctrl+c":
			return m.leave()
		}
		return nil
	case s.isEnded():
		switch k.String() {
		case "enter":
			m.drop(s)
			return m.openAs(s.kind, func(again *session) {
				if s.kind == Command {
					again.command, again.environ, again.name = s.command, s.environ, s.name
				}
			})
		case "esc", "q", "x", "ctrl+c":
			m.drop(s)
			if m.shown() == nil {
				return m.leave()
			}
		}
		return nil
	}
	return m.toProgram(s, k)
}

// leave gives the keys back: at once, since the next one may come before the message.
func (m *Model) leave() tea.Cmd {
	m.Blur()
	return func() tea.Msg { return LeaveMsg{} }
}

// toProgram sends a key. For the main process, ctrl+p ctrl+q detaches as it
// does with docker attach.
func (m *Model) toProgram(s *session, k tea.KeyPressMsg) tea.Cmd {
	s.mu.Lock()
	modes := keyModes{cursorKeys: s.scr.AppCursorKeys(), keypad: s.scr.AppKeypad()}
	raw := s.rawInput
	s.mu.Unlock()
	p := encodeKey(tea.Key(k), modes)
	if s.kind == Attach {
		switch {
		case s.heldP && k.String() == "ctrl+q":
			s.heldP = false
			m.drop(s)
			return m.leave()
		case s.heldP:
			s.heldP = false
			p = append([]byte{0x10}, p...)
		case k.String() == "ctrl+p":
			s.heldP = true
			return nil
		}
		if !raw { // no terminal at the other end: lines end in LF, and nobody echoes
			for i, b := range p {
				if b == '\r' {
					p[i] = '\n'
				}
			}
			s.output(p)
		}
	}
	return m.typed(s, p)
}

// typed sends what the user typed or pasted.
func (m *Model) typed(s *session, p []byte) tea.Cmd {
	if s.send(p) {
		return nil
	}
	return notice(NoticeMsg{Text: "the program does not read: the input was dropped"})
}

// command handles the key after the leader.
func (m *Model) command(k tea.KeyPressMsg) tea.Cmd {
	s := m.shown()
	switch {
	case key.Matches(k, m.keys.leave):
		return m.leave()
	case key.Matches(k, m.keys.zoom):
		return func() tea.Msg { return ZoomMsg{} }
	case key.Matches(k, m.keys.open):
		return m.OpenShell()
	case key.Matches(k, m.keys.split) && s != nil:
		return m.toggleSplit()
	case s == nil:
	case key.Matches(k, m.keys.literal):
		return m.toProgram(s, k)
	case key.Matches(k, m.keys.scroll):
		m.startLooking(s)
	case key.Matches(k, m.keys.copy):
		s.mu.Lock()
		top := s.scr.Top()
		_, height := s.scr.Size()
		text := s.scr.Text(top, top+height-1)
		s.mu.Unlock()
		return copyText(text)
	case key.Matches(k, m.keys.left):
		m.half(0)
	case key.Matches(k, m.keys.right):
		m.half(1)
	case key.Matches(k, m.keys.other):
		m.other()
	case key.Matches(k, m.keys.next):
		m.cycle(1)
	case key.Matches(k, m.keys.prev):
		m.cycle(-1)
	case key.Matches(k, m.keys.close):
		m.drop(s)
		if m.shown() == nil {
			return m.leave()
		}
	default:
		if n := k.Code - '1'; n >= 0 && n < 9 {
			if of := m.of(m.container); int(n) < len(of) {
				m.show(of[n])
			}
		}
	}
	return nil
}

// mouse passes an event on if the program wants it; the wheel scrolls otherwise.
func (m *Model) mouse(msg tea.MouseMsg) tea.Cmd {
	mouse := msg.Mouse()
	x, y := mouse.X, mouse.Y
	if of := m.of(m.container); len(of) > 1 {
		y--
		if _, click := msg.(tea.MouseClickMsg); click && y < 0 {
			if i := m.tabAt(x); i >= 0 {
				m.show(of[i])
			}
			return nil
		}
	}
	s := m.shown()
	switch msg.(type) {
	case tea.MouseClickMsg, tea.MouseWheelMsg: // where they happen is where the keys go
		if under := m.at(x); under != nil {
			s = under
			m.show(s)
		}
	}
	if s == nil || s.isEnded() && s.view == nil {
		return nil
	}
	from, _ := m.span(s)
	x -= from
	s.mu.Lock()
	clicks, drags, motion, sgr := s.scr.Mouse()
	alt, arrows := s.scr.AltScreen(), keyModes{cursorKeys: s.scr.AppCursorKeys()}
	width, height := s.scr.Size()
	s.mu.Unlock()
	if s.view == nil && clicks {
		if _, moved := msg.(tea.MouseMotionMsg); moved && !motion && (!drags || mouse.Button == tea.MouseNone) {
			return nil
		}
		if x < 0 || y < 0 || x >= width || y >= height {
			return nil
		}
		return m.typed(s, encodeMouse(msg, x, y, sgr))
	}
	wheel, ok := msg.(tea.MouseWheelMsg)
	up := wheel.Button == tea.MouseWheelUp
	switch {
	case !ok || !up && wheel.Button != tea.MouseWheelDown:
	case s.view == nil && alt:
		code := tea.KeyDown
		if up {
			code = tea.KeyUp
		}
		var p []byte
		for range wheelLines {
			p = append(p, encodeKey(tea.Key{Code: code}, arrows)...)
		}
		return m.typed(s, p)
	case s.view == nil && up:
		m.startLooking(s)
		m.scroll(s, -wheelLines)
	case s.view != nil && up:
		m.scroll(s, -wheelLines)
	case s.view != nil:
		m.scroll(s, wheelLines)
	}
	return nil
}

// copyText is a command that puts text on the clipboard.
func copyText(text string) tea.Cmd {
	return func() tea.Msg { return CopyMsg{Text: text} }
}
