package term

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// Model is the shell pane. Its methods are called from the console's Update
// and View alone.
//
// While Focused, the console hands every key, paste and mouse message to
// Update and treats none of them as its own; LeaveMsg ends that.
type Model struct {
	cfg           Config
	keys          keyMap
	container     string // the ID of the container shown
	name          string
	running       bool
	focused       bool
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
	return &Model{cfg: cfg, keys: newKeyMap(), width: 80, height: 24}
}

// SetContainer chooses the container whose sessions are shown. The sessions of
// the others live on.
func (m *Model) SetContainer(id, name string, running bool) {
	m.container, m.name, m.running = id, name, running
}

// Focus makes the pane take the keys, Blur gives them back.
func (m *Model) Focus() { m.focused = true }

// Blur gives the keys back.
func (m *Model) Blur() { m.focused = false }

// Focused reports whether the pane takes the keys.
func (m *Model) Focused() bool { return m.focused }

// SetSize sets the pane's size in cells; the sessions shown in it follow.
func (m *Model) SetSize(width, height int) { m.width, m.height = width, height }

// Keys are the bindings to show as help: the leader and what follows it.
func (m *Model) Keys() []key.Binding {
	k := m.keys
	return []key.Binding{k.leave, k.zoom, k.scroll, k.copy, k.open, k.next, k.prev, k.close, k.literal}
}

// Update handles one message.
func (m *Model) Update(msg tea.Msg) tea.Cmd { return nil }

// View draws exactly width×height cells.
func (m *Model) View(width, height int) string {
	return box("no shell open · e opens one, a attaches to the main process", width, height)
}

// box centres one line of text in width×height cells.
func box(text string, width, height int) string {
	if width <= 0 || height <= 0 {
		return ""
	}
	text = ansi.Truncate(text, width, "…")
	left := (width - ansi.StringWidth(text)) / 2
	blank := strings.Repeat(" ", width)
	lines := make([]string, height)
	for i := range lines {
		lines[i] = blank
	}
	lines[height/2] = blank[:left] + text + strings.Repeat(" ", width-left-ansi.StringWidth(text))
	return strings.Join(lines, "\n")
}

// OpenShell starts a new shell in the container shown.
func (m *Model) OpenShell() tea.Cmd { return nil }

// OpenAttach attaches to the main process of the container shown, or shows the
// attachment that exists already.
func (m *Model) OpenAttach() tea.Cmd { return nil }

// Sessions counts the live sessions of a container.
func (m *Model) Sessions(container string) int { return 0 }

// Title names the session shown, for the pane's border.
func (m *Model) Title() string { return "" }

// Cursor is where the terminal's cursor belongs, relative to the pane's upper
// left cell; nil while there is none to show.
func (m *Model) Cursor() *tea.Cursor { return nil }

// WantsMouse reports whether the program shown asked for mouse events.
func (m *Model) WantsMouse() bool { return false }

// Close ends the streams of all sessions. Shells end with their stream, main
// processes run on.
func (m *Model) Close() {}
