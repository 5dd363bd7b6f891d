package paint

import (
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// frameEvery is the shortest time between two frames that nobody has asked for.
const frameEvery = 16 * time.Millisecond

// Clip is a message that puts its text on the terminal's clipboard (OSC 52).
type Clip string

// frameMsg: the time for a frame that was put off has come.
type frameMsg struct{}

// Pace is a program around another one, whose frames it hands to a screen: at
// once after a key, a paste, a click or a change of size, and otherwise at most
// every frameEvery, so that a flood of messages costs no flood of frames.
// Between frames the inner View is not called.
type Pace struct {
	inner         tea.Model
	screen        *Screen
	broken        func() // called before a panic goes on
	width, height int
	last          time.Time // of the last frame that nobody asked for
	due           bool      // a frameMsg is on its way
}

// NewPace is a program that paints inner on a screen. A panic of inner calls
// broken, which gives the terminal back, before it goes on.
func NewPace(inner tea.Model, s *Screen, width, height int, broken func()) *Pace {
	return &Pace{inner: inner, screen: s, width: width, height: height, broken: broken}
}

// Init starts the inner program.
func (p *Pace) Init() tea.Cmd { return p.inner.Init() }

// View is empty: the frames go another way.
func (p *Pace) View() tea.View { return tea.View{} }

// Update hands a message on and paints now or soon.
func (p *Pace) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	sound := false
	defer func() {
		if !sound {
			p.broken()
		}
	}()
	cmd := p.update(msg)
	sound = true
	return p, cmd
}

func (p *Pace) update(msg tea.Msg) tea.Cmd {
	now := false
	switch msg := msg.(type) {
	case frameMsg:
		p.due = false
		p.last = time.Now()
		p.draw()
		return nil
	case Clip:
		p.screen.Say(ansi.SetSystemClipboard(string(msg)))
		return nil
	case tea.WindowSizeMsg:
		p.width, p.height = msg.Width, msg.Height
		p.screen.Erase()
		now = true
	case tea.KeyPressMsg, tea.PasteMsg, tea.MouseClickMsg:
		now = true
	case tea.ModeReportMsg:
		p.learn(msg)
	}
	var cmd tea.Cmd
	p.inner, cmd = p.inner.Update(msg)
	since := time.Since(p.last)
	switch {
	case now:
		p.draw()
	case p.due:
	case since >= frameEvery:
		p.last = time.Now()
		p.draw()
	default:
		p.due = true
		return tea.Batch(cmd, tea.Tick(frameEvery-since, func(time.Time) tea.Msg { return frameMsg{} }))
	}
	return cmd
}

// learn takes in what the terminal says that it can do.
func (p *Pace) learn(msg tea.ModeReportMsg) {
	switch msg.Mode {
	case ansi.ModeSynchronizedOutput:
		if msg.Value == ansi.ModeReset {
			p.screen.Synchronised()
		}
	case ansi.ModeUnicodeCore:
		if msg.Value == ansi.ModeReset || msg.Value == ansi.ModeSet || msg.Value == ansi.ModePermanentlySet {
			p.screen.Clusters()
		}
	}
}

func (p *Pace) draw() { p.screen.Show(p.inner.View(), p.width, p.height) }
