package tui

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/moby/moby/client"

	"berth/tui/feed"
	"berth/tui/form"
	"berth/tui/layers"
	"berth/tui/state"
	"berth/tui/term"
	"berth/tui/text"
	"berth/tui/theme"
)

// Update handles one message, then brings the detail in line with whatever
// became selected by it.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.handle(msg)
	m.resizePanes()
	m.browser.SetFocused(m.detail)
	m.logsGate.Hold(m.logs.Held())
	return m, tea.Batch(cmd, m.sync(), m.probe(), m.measureVolumes(), m.measureImages(), m.firstLook(), m.tick())
}

// handle sends a message to where it belongs. What it does not know belongs to
// one of the embedded panes, which keep their messages to themselves.
func (m *model) handle(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.ColorProfileMsg:
		m.setProfile(msg.Profile)
	case tea.KeyPressMsg, tea.PasteMsg:
		return m.input(msg)
	case tea.MouseMsg:
		return m.mouse(msg)
	case feed.Panicked:
		panic(fmt.Sprintf("%v\n%s", msg.Value, msg.Stack))
	case settleMsg:
		if msg.seq == m.subjectSeq {
			return m.load()
		}
	case tickMsg:
		m.tickOn = false
		m.carrying()
		return m.poll()
	case feed.Stats:
		m.measure(msg)
	case term.LeaveMsg:
		m.shell.Blur()
		m.detail, m.zoom = false, false
	case term.ZoomMsg:
		m.zoom = !m.zoom
	case layers.CloseMsg:
		m.detail, m.zoom = false, false
	case term.CopyMsg:
		return m.copy("the selection", msg.Text)
	case layers.CopyMsg:
		return m.copy(text.Clean(msg.Text), msg.Text)
	case term.NoticeMsg:
		m.notice(msg.Text, msg.Err)
	case layers.NoticeMsg:
		m.notice(msg.Text, msg.Err)
	case term.EndedMsg:
		m.ended(msg)
		return m.shell.Update(msg)
	default:
		if cmd, ok := m.fromEngine(msg); ok {
			return cmd
		}
		m.files.Update(msg)
		return tea.Batch(m.shell.Update(msg), m.browser.Update(msg))
	}
	return nil
}

// inPane makes the place of a mouse message relative to the detail.
func (m *model) inPane(msg tea.MouseMsg) tea.Msg {
	at := m.screen().Detail.Min
	switch msg := msg.(type) {
	case tea.MouseClickMsg:
		msg.X, msg.Y = msg.X-at.X-1, msg.Y-at.Y-1
		return msg
	case tea.MouseReleaseMsg:
		msg.X, msg.Y = msg.X-at.X-1, msg.Y-at.Y-1
		return msg
	case tea.MouseWheelMsg:
		msg.X, msg.Y = msg.X-at.X-1, msg.Y-at.Y-1
		return msg
	case tea.MouseMotionMsg:
		msg.X, msg.Y = msg.X-at.X-1, msg.Y-at.Y-1
		return msg
	}
	return msg
}

// fromEngine handles what the feed says of the engine.
func (m *model) fromEngine(msg tea.Msg) (tea.Cmd, bool) {
	switch msg := msg.(type) {
	case feed.Version:
		m.version = msg
	case feed.Gone:
		m.lost(msg.Err)
	case feed.Containers:
		m.state.SetContainers(msg.List)
		return m.back(), true
	case feed.Images:
		switch {
		case msg.Err != nil:
			m.state.FailedList(state.AllImages)
			m.fail(clean(msg.Err))
		case !msg.Answer:
			m.state.SetImages(state.FromImages(msg.List))
		case m.state.PutImages(state.FromImages(msg.List)):
			m.refresh()
			return m.feed.FetchImages(), true
		}
		m.refresh()
	case feed.Volumes:
		return m.gotVolumes(msg), true
	case feed.Networks:
		return m.gotNetworks(msg), true
	case feed.Event:
		m.remember(msg)
		fetch, id := m.state.Event(msg.Message)
		switch fetch {
		case state.AllVolumes:
			return m.feed.FetchVolumes(), true
		case state.AllNetworks:
			return m.feed.FetchNetworks(), true
		case state.Row:
			return m.feed.FetchRow(id, 0), true
		case state.AllImages:
			return m.feed.FetchImages(), true
		}
		if id != "" {
			m.refresh()
		}
	case feed.Past:
		m.recall(msg.Events)
	case feed.Row:
		return m.row(msg), true
	case feed.LogLines:
		if msg.Stream == m.logs.Stream {
			m.logs.Append(msg.Lines)
		}
	case feed.LogEnd:
		m.logEnded(msg)
	case feed.Inspected:
		m.inspectErr = nil
		if msg.ID == m.inspected() {
			m.showInspect(msg.ID, msg.JSON)
			if msg.Err != nil {
				m.inspectErr = clean(msg.Err)
			}
		}
	case feed.Sizes:
		m.gotSizes(msg)
	case feed.Shared:
		m.gotShared(msg)
	case feed.Usage:
		m.gotUsage(msg)
	case feed.Transfer:
		m.carried(msg)
	case inside:
		m.gotInside(msg)
	case enginesTold:
		m.offerEngines(msg)
	case imageTold:
		m.inForm(func(f *form.Form) { f.Told(msg.name, msg.about) })
	case lookedInto:
		if o, ok := m.overlay.(*buildForm); ok {
			o.form.Looked(msg.Look)
		}
	case listened:
		m.inForm(func(f *form.Form) { f.Listening(heldPorts(msg.held)) })
	case copied:
		m.copiedBy(msg)
	case looked:
		m.lacks(msg)
	case systemTold:
		m.told(msg)
	case feed.Probed:
		m.probes[msg.Key] = msg
	case feed.Aliases:
		if msg.Err != nil {
			m.fail(clean(msg.Err))
		}
		for id, names := range msg.Names {
			m.names[[2]string{msg.Network, id}] = names
		}
	case feed.Done:
		return m.done(msg), true
	case feed.Ran:
		return m.ran(msg), true
	default:
		return nil, false
	}
	return nil, true
}

// errNobody stands for the client's long words about a socket that nobody serves.
var errNobody = errors.New("nobody listens")

// lost notes that the engine cannot be reached. What is shown stays, as what
// was last known.
func (m *model) lost(err error) {
	m.gone = clean(err)
	if client.IsErrConnectionFailed(err) {
		m.gone = errNobody
	}
	m.state.Reset()
	m.sized, m.disk = sizing{}, disk{}
	m.stopLogs()
}

// back takes a new snapshot in, after the start or when the engine is back.
func (m *model) back() tea.Cmd {
	was := m.gone
	m.gone, m.live = nil, true
	m.refresh()
	if was == nil || m.subject.id == "" {
		return nil
	}
	m.say("the engine is back")
	return m.load()
}

// row puts one fetched container back into its row.
func (m *model) row(msg feed.Row) tea.Cmd {
	if msg.Err != nil {
		m.state.Failed(msg.ID)
		return nil
	}
	again, wait := m.state.PutRow(msg.ID, msg.Summary)
	m.refresh()
	var cmds []tea.Cmd
	if again {
		cmds = append(cmds, m.feed.FetchRow(msg.ID, wait))
	}
	cmds = append(cmds, m.rejoinLogs(msg.ID))
	if c, ok := m.current(); ok && c.ID == msg.ID && m.subject.id == c.ID {
		switch m.tab() {
		case tabInspect, tabDiff, tabStats: // also what may be used can change
			cmds = append(cmds, m.load())
		}
	}
	return tea.Batch(cmds...)
}

// setProfile chooses the theme by what the terminal can do.
func (m *model) setProfile(p colorprofile.Profile) {
	m.theme = theme.For(m.opt.Theme, p)
	m.logs.SetTheme(m.theme)
	m.shell.SetTheme(m.theme)
	m.browser.SetTheme(m.theme)
	m.files.SetTheme(m.theme)
}

// resizePanes tells the embedded panes how much room they have.
func (m *model) resizePanes() {
	s := m.screen()
	w, h := max(s.Detail.Dx()-2, 0), max(s.Detail.Dy()-2, 0)
	if w == 0 || h == 0 {
		return
	}
	m.shell.SetSize(w, h)
	m.browser.SetSize(w, h)
	m.logs.Pager().SetSize(w, h)
	m.inspector.SetSize(w, h)
	m.text.SetSize(w, h)
}

// ended says how a shell ended, unless it was by itself and well.
func (m *model) ended(msg term.EndedMsg) {
	name := state.Short(msg.Container)
	if c, ok := m.state.Container(msg.Container); ok {
		name = c.Name
	}
	switch {
	case msg.Err != nil:
		m.fail(fmt.Errorf("shell in %s: %w", name, clean(msg.Err)))
	case msg.ExitCode != 0:
		m.say(fmt.Sprintf("the shell in %s ended with %d", name, msg.ExitCode))
	}
}

// notice shows what an embedded pane has to say.
func (m *model) notice(s string, err error) {
	switch {
	case err != nil && s != "":
		m.fail(fmt.Errorf("%s: %w", text.Clean(s), clean(err)))
	case err != nil:
		m.fail(clean(err))
	default:
		m.say(text.Clean(s))
	}
}

// clean makes the text of an error safe to show, since errors quote what
// containers say, and takes away what stands before every one: a line of the
// screen is short, and what matters comes last.
func clean(err error) error {
	return errors.New(text.Clean(preamble.ReplaceAllString(err.Error(), "")))
}

// preamble is what the client and docker's network put before an error.
var preamble = regexp.MustCompile(`Error response from daemon: |driver failed programming external connectivity on endpoint \S+ \([0-9a-f]+\): |failed to bind host port for `)

// tickMsg asks for new samples of what is visible.
type tickMsg struct{}

// pollEvery is how often the selected container is measured.
const pollEvery = 2 * time.Second

// tick keeps the clock running while there is something to measure.
func (m *model) tick() tea.Cmd {
	if m.tickOn || m.gone != nil {
		return nil
	}
	if running, _ := m.state.Counts(); running == 0 && !m.carrying() {
		return nil
	}
	m.tickOn = true
	wait := pollEvery
	if m.ticks < 2 { // the first two samples give the first number
		wait = pollEvery / 4 * time.Duration(m.ticks)
	}
	m.ticks++
	return tea.Tick(wait, func(time.Time) tea.Msg { return tickMsg{} })
}
