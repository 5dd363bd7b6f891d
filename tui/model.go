package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"berth/engine/api/berthapi"
	"berth/tui/edit"
	"berth/tui/feed"
	"berth/tui/files"
	"berth/tui/foreign"
	"berth/tui/keymap"
	"berth/tui/layers"
	"berth/tui/layout"
	"berth/tui/logs"
	"berth/tui/pager"
	"berth/tui/state"
	"berth/tui/term"
	"berth/tui/theme"
)

// panel is one of the lists on the left.
type panel int

const (
	projects panel = iota
	containers
	images
	volumes
	networks
	ports
	panelCount
)

// model is the root model: all state of the console.
type model struct {
	opt   Options
	berth *berthapi.Client
	feed  *feed.Feed
	keys  keymap.Map
	theme theme.Theme

	width, height int
	started       time.Time

	state   *state.State
	version feed.Version
	gone    error // why the engine cannot be reached, nil when it can
	live    bool  // it was reached at least once

	panel      panel // the list that has, or had last, the focus
	detail     bool  // the detail has the focus
	zoom       bool
	panes      [panelCount]pane // the six below, by their number
	projs      *paneOf[state.Project]
	conts      *paneOf[state.Container]
	imgs       *paneOf[state.Image]
	vols       *paneOf[state.Volume]
	nets       *paneOf[state.Network]
	ports      *paneOf[state.Port]
	showAll    bool
	nameWidths []int // of the containers that run, for the columns of their panel
	portWidth  int   // of what they publish
	hostWidth  int   // of the widest address of a published port
	sized      sizing
	disk       disk
	sharedOf   int // the list of images that it was asked for what they share
	probes     map[string]feed.Probed
	names      map[[2]string][]string // by network and container: what it is found by there
	usage      map[string]*usage
	ticks      int
	tickOn     bool
	selectID   string // container to select as soon as it is known

	subject    subject
	subjectSeq int
	logs       *logs.View
	logsCtx    context.Context // of the streams that are open
	logsCancel context.CancelFunc
	span       logs.Span // what part of the logs is read
	logsGate   *feed.Gate
	streams    int
	inspectID  string
	inspectErr error
	inspector  *pager.Pager
	inside     inside       // what was asked of a container
	text       *pager.Pager // of the tabs that are text
	shell      *term.Model
	browser    *layers.Model
	exports    *foreign.Browser // what other engines' layers are read from
	files      *files.Model

	overlay   overlay
	lookedAt  bool   // the machine was, if it had to be
	next      string // the engine to go to when the console ends
	clicked   click
	drag      drag
	carries   int         // transfers begun
	transfers []*carry    // those under way, and failed ones that tell why
	filter    *edit.Field // being typed, nil when not
	hint      string      // what the message line says
	bad       bool        // it is an error
	commands  []string    // the command log
	showLog   bool
	events    []string // the newest events, for the third column
}

// commandLogLines is how much of the command log is shown, and kept times 40.
const commandLogLines = 5

// newModel is a console that knows nothing of its engine yet.
func newModel(o Options, f *feed.Feed) *model {
	th := o.Theme
	m := &model{
		opt: o, berth: berthapi.NewClient(o.Client), feed: f, keys: o.Keys, theme: th, started: time.Now(),
		state: state.New(),
		panel: containers,
		projs: newProjects(), conts: newContainers(), imgs: newImages(), vols: newVolumes(), nets: newNetworks(), ports: newPorts(),
		showAll: true,
		usage:   map[string]*usage{}, probes: map[string]feed.Probed{}, names: map[[2]string][]string{},
		logs: logs.NewView(th), logsGate: &feed.Gate{},
	}
	m.panes = [panelCount]pane{m.projs, m.conts, m.imgs, m.vols, m.nets, m.ports}
	m.inspector, m.text = pager.New(pager.Static(nil), false), pager.New(pager.Static(nil), false)
	m.shell = term.New(term.Config{Engine: o.Client, Go: f.Go, Keys: o.Keys})
	m.exports = foreign.New(m.berth, o.Client, f.Go)
	m.browser = layers.New(layers.Config{Berth: m.exports, Docker: o.Client, Keys: o.Keys})
	m.files = files.New(f.Context(), th)
	m.tellProblems()
	return m
}

// close ends what the model holds open.
func (m *model) close() {
	m.stopLogs()
	m.shell.Close()
	m.exports.Close()
}

// Init starts nothing: Run has begun to watch already.
func (m *model) Init() tea.Cmd { return nil }

// screen is the layout of the moment.
func (m *model) screen() layout.Screen {
	in := layout.Input{Width: m.width, Height: m.height, Detail: m.detail, Zoom: m.zoom, Strip: !m.fullPane()}
	in.Focused = int(m.panel)
	for p := range panelCount {
		in.Hidden = append(in.Hidden, !m.visible(p))
		in.Rows = append(in.Rows, m.panes[p].Len())
	}
	if m.showLog {
		in.LogLines = commandLogLines
	}
	return layout.Of(in)
}

// fullPane tells whether the detail wants every line it can get.
func (m *model) fullPane() bool {
	return m.zoom && (m.tab() == tabShell || m.tab() == tabDiff || m.tab() == tabLayers)
}

// current is the selected container; false in the image panel or an empty list.
func (m *model) current() (state.Container, bool) {
	if m.panel != containers {
		return state.Container{}, false
	}
	return m.conts.Current()
}

// currentImage is the selected image.
func (m *model) currentImage() (state.Image, bool) {
	if m.panel != images {
		return state.Image{}, false
	}
	return m.imgs.Current()
}

// say puts a sentence on the message line.
func (m *model) say(s string) { m.hint, m.bad = s, false }

// fail puts an error there, and whole into the command log.
func (m *model) fail(err error) {
	m.hint, m.bad = err.Error(), true
	m.note("✗ " + m.hint)
}

// note adds a command to the command log.
func (m *model) note(command string) {
	m.commands = append(m.commands, time.Now().Format("15:04:05")+"  "+command)
	if over := len(m.commands) - 40*commandLogLines; over > 0 {
		m.commands = m.commands[over:]
	}
}

// refresh makes the lists anew from the state.
func (m *model) refresh() {
	for _, p := range m.panes {
		p.refill(m)
	}
	m.forget()
	m.measureColumns()
	if !m.visible(m.panel) {
		m.panel = containers
	}
	if m.selectID != "" && m.conts.Select(m.selectID) {
		m.selectID = ""
	}
}
