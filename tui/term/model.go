package term

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
	"berth/tui/term/screen"
	"berth/tui/text"
	"berth/tui/theme"
)

// Model is the shell pane. Its methods are called from the console's Update
// and View alone.
//
// While Focused, the console hands every key, paste and mouse message to
// Update (the mouse with coordinates relative to the pane) and treats none of
// them as its own; LeaveMsg asks it to end that.
type Model struct {
	cfg           Config
	keys          bindings
	scrollKeys    scrollBindings
	sessions      []*session
	last          map[string]*session // the one shown, by container
	split         map[string]pair     // the two drawn side by side, by container
	created       int
	container     string // the ID of the container shown
	name          string
	running       bool
	focused       bool
	leader        bool // the leader was pressed
	width, height int
}

// New returns a pane that shows no container and has no sessions.
func New(cfg Config) *Model {
	if cfg.Go == nil {
		cfg.Go = func(f func()) { go f() }
	}
	if cfg.Scrollback == 0 {
		cfg.Scrollback = 10_000
	}
	if cfg.Theme == (theme.Theme{}) {
		cfg.Theme = theme.ANSI16()
	}
	if cfg.Keys == nil {
		cfg.Keys = keymap.Default()
	}
	return &Model{cfg: cfg, keys: newBindings(cfg.Keys), scrollKeys: newScrollBindings(cfg.Keys), last: map[string]*session{}, split: map[string]pair{}, width: 80, height: 24}
}

// SetTheme changes the colours of what the pane itself draws.
func (m *Model) SetTheme(th theme.Theme) { m.cfg.Theme = th }

// SetContainer chooses the container whose sessions are shown. The sessions of
// the others live on.
func (m *Model) SetContainer(id, name string, running bool) {
	m.container, m.name, m.running = id, name, running
	m.fit()
}

// Focus makes the pane take the keys.
func (m *Model) Focus() { m.setFocus(true) }

// Blur gives the keys back.
func (m *Model) Blur() { m.setFocus(false) }

// setFocus changes the focus and tells the program, if it wants to know.
func (m *Model) setFocus(on bool) {
	if m.focused == on {
		return
	}
	m.focused, m.leader = on, false
	s := m.shown()
	if s == nil {
		return
	}
	s.mu.Lock()
	wants := s.scr.FocusEvents()
	s.mu.Unlock()
	if wants {
		s.send([]byte(map[bool]string{true: "\x1b[I", false: "\x1b[O"}[on]))
	}
}

// Focused reports whether the pane takes the keys.
func (m *Model) Focused() bool { return m.focused }

// SetSize sets the pane's size in cells; the sessions shown in it follow.
func (m *Model) SetSize(width, height int) {
	m.width, m.height = width, height
	m.fit()
}

// fit gives the sessions of the container shown the size they are drawn in.
func (m *Model) fit() {
	height := m.height
	of := m.of(m.container)
	if len(of) > 1 {
		height-- // the row of tabs
	}
	if m.width < 1 || height < 1 {
		return // nothing is shown; a program need not know
	}
	for _, s := range of {
		_, width := m.span(s)
		s.resize(width, height)
		if s.view != nil {
			m.scroll(s, 0)
		}
	}
}

// of returns the sessions of a container, oldest first.
func (m *Model) of(container string) []*session {
	var of []*session
	for _, s := range m.sessions {
		if s.container == container {
			of = append(of, s)
		}
	}
	return of
}

// shown is the session to draw, or nil.
func (m *Model) shown() *session { return m.last[m.container] }

// Sessions counts the sessions of a container, ended ones that are still
// looked at included.
func (m *Model) Sessions(container string) int { return len(m.of(container)) }

// Live counts the sessions whose program has not ended.
func (m *Model) Live() int {
	n := 0
	for _, s := range m.sessions {
		if !s.isEnded() {
			n++
		}
	}
	return n
}

// OpenShell starts a new shell in the container shown.
func (m *Model) OpenShell() tea.Cmd { return m.open(Shell) }

// OpenAttach attaches to the main process of the container shown, or shows the
// attachment that exists already.
func (m *Model) OpenAttach() tea.Cmd {
	for _, s := range m.of(m.container) {
		if s.kind == Attach && !s.isEnded() {
			m.show(s)
			return nil
		}
	}
	return m.open(Attach)
}

// open starts a session in the container shown and shows it.
func (m *Model) open(kind Kind) tea.Cmd { return m.openAs(kind, func(*session) {}) }

// openAs is open with a word about the session before it starts.
func (m *Model) openAs(kind Kind, prepare func(*session)) tea.Cmd {
	if m.container == "" {
		return nil
	}
	if !m.running && kind != Command {
		return notice(NoticeMsg{Err: fmt.Errorf("%s is not running: start it first (S)", m.name)})
	}
	if s := m.shown(); s != nil && s.isEnded() {
		m.drop(s)
	}
	m.created++
	number := 1
	for _, s := range m.of(m.container) {
		number = max(number, s.number+1)
	}
	s := newSession(strconv.Itoa(m.created), m.container, m.name, number, kind, max(m.width, 1), max(m.height, 1), m.cfg.Scrollback)
	s.scr.TakeClipboard = m.cfg.AllowClipboard
	prepare(s)
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	m.sessions = append(m.sessions, s)
	m.show(s)
	m.fit()
	start := func() tea.Msg {
		m.cfg.Go(func() { s.run(ctx, m.cfg.Engine, m.cfg.Go) })
		return nil
	}
	return tea.Batch(start, s.wait(paintEvery))
}

// notice is a command that says something on the message line.
func notice(n NoticeMsg) tea.Cmd { return func() tea.Msg { return n } }

// drop forgets a session, and shows another one of its container.
func (m *Model) drop(s *session) {
	s.end()
	m.sessions = slices.DeleteFunc(m.sessions, func(o *session) bool { return o == s })
	p, paired := m.split[s.container]
	if paired && (p[0] == s || p[1] == s) {
		delete(m.split, s.container)
	}
	if m.last[s.container] == s {
		delete(m.last, s.container)
		if paired {
			m.last[s.container] = p[1-slices.Index(p[:], s)]
		} else if of := m.of(s.container); len(of) > 0 {
			m.last[s.container] = of[len(of)-1]
		}
	}
	m.fit()
}

// cycle shows the session step places further on.
func (m *Model) cycle(step int) {
	of := m.of(m.container)
	if i := slices.Index(of, m.shown()); i >= 0 {
		m.show(of[(i+step+len(of))%len(of)])
	}
}

// Close ends the streams of all sessions. Shells end with it, main processes
// run on.
func (m *Model) Close() {
	for _, s := range m.sessions {
		s.end()
	}
	m.sessions = nil
	clear(m.last)
	clear(m.split)
}

// isEnded reports whether the process or its stream has ended.
func (s *session) isEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == ended
}

// Title names the session shown: what the program calls itself, or what it is.
func (m *Model) Title() string {
	s := m.shown()
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	label := s.label()
	if t := s.scr.Title(); t != "" {
		label += " · " + t
	}
	return label
}

// label is the session's name among the tabs; its lock is held.
func (s *session) label() string {
	name := "shell"
	if s.kind == Attach {
		name = "main process"
	}
	if s.kind == Command {
		name = text.Clean(s.name)
	}
	if s.number > 1 {
		name += " " + strconv.Itoa(s.number)
	}
	return name
}

// Cursor is where the terminal's cursor belongs, relative to the pane's upper
// left cell; nil while there is none to show.
func (m *Model) Cursor() *tea.Cursor {
	s := m.shown()
	if s == nil || !m.focused || s.view != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, y, shape, visible := s.scr.Cursor()
	if !visible || s.state != running {
		return nil
	}
	if len(m.of(m.container)) > 1 {
		y++
	}
	from, width := m.span(s)
	if x >= width || y >= m.height {
		return nil
	}
	c := tea.NewCursor(from+x, y)
	switch shape {
	case screen.ShapeUnderline:
		c.Shape = tea.CursorUnderline
	case screen.ShapeBar:
		c.Shape = tea.CursorBar
	}
	return c
}

// WantsMouse reports whether the program shown asked for mouse events.
func (m *Model) WantsMouse() bool {
	clicks, _ := m.mouseModes()
	return clicks
}

// WantsMotion reports whether it wants those without a button too.
func (m *Model) WantsMotion() bool {
	_, motion := m.mouseModes()
	return motion
}

// mouseModes are the modes of the program shown; while looking back, none are.
func (m *Model) mouseModes() (clicks, motion bool) {
	s := m.shown()
	if s == nil || s.view != nil {
		return false, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clicks, _, motion, _ = s.scr.Mouse()
	return clicks, motion
}

// paintRate is how often a session may ask for a repaint.
func (m *Model) paintRate(s *session) time.Duration {
	if slices.Contains(m.halves(), s) {
		return paintEvery
	}
	return paintHidden
}
