package layers

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// Model is the browser. Its methods are called from the console's Update and
// View alone.
type Model struct {
	cfg           Config
	subject       Subject
	visible       bool
	width, height int
}

// New returns a browser that shows nothing yet.
func New(cfg Config) *Model { return &Model{cfg: cfg} }

// Show makes s the subject and returns the command that fetches it. Showing
// the same subject again keeps selection, folds and filters.
func (m *Model) Show(s Subject) tea.Cmd { m.subject = s; return nil }

// SetVisible tells whether the browser is on the screen: the live difference
// is refreshed only while it is.
func (m *Model) SetVisible(visible bool) tea.Cmd { m.visible = visible; return nil }

// Capturing reports whether a text field or an inner view has the keys, so
// that the console must hand over even those that it uses itself (q, /, :).
func (m *Model) Capturing() bool { return false }

// SetSize sets the size in cells.
func (m *Model) SetSize(width, height int) { m.width, m.height = width, height }

// Keys are the bindings that work now, for help.
func (m *Model) Keys() []key.Binding { return nil }

// Title names the subject, for a border.
func (m *Model) Title() string { return m.subject.ImageName }

// Update handles one message.
func (m *Model) Update(msg tea.Msg) tea.Cmd { return nil }

// View draws exactly width×height cells.
func (m *Model) View(width, height int) string { return "" }
