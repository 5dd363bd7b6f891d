package tui

import (
	"context"
	"strconv"
	"time"

	tea "charm.land/bubbletea/v2"

	"berth/tui/feed"
	"berth/tui/inspect"
	"berth/tui/layers"
	"berth/tui/logs"
)

// tab is one view of the detail.
type tab string

const (
	tabLogs    tab = "Logs"
	tabShell   tab = "Shell"
	tabDiff    tab = "Diff"
	tabLayers  tab = "Layers"
	tabInspect tab = "Inspect"
)

var tabsOf = [panelCount][]tab{
	containers: {tabLogs, tabShell, tabDiff, tabInspect},
	images:     {tabLayers, tabInspect},
}

// tab is the one shown.
func (m *model) tab() tab { return tabsOf[m.panel][m.tabs[m.panel]] }

// setTab shows a tab of the focused panel.
func (m *model) setTab(t tab) {
	for i, have := range tabsOf[m.panel] {
		if have == t {
			m.tabs[m.panel] = i
		}
	}
}

// subject is what the detail shows: a tab of a container or of an image.
type subject struct {
	id  string // of the container, or key of the image row
	tab tab
}

// settleMsg arrives when the selection has rested for a moment.
type settleMsg struct{ seq int }

// restFor is how long the selection must rest before the detail is fetched, so
// that running through a list does not open a stream for every row.
const restFor = 80 * time.Millisecond

// sync brings the detail in line with the selection; it runs after every message.
func (m *model) sync() tea.Cmd {
	want := subject{tab: m.tab()}
	if c, ok := m.current(); ok {
		want.id = c.ID
		m.shell.SetContainer(c.ID, c.Name, c.Running())
	} else if i, ok := m.currentImage(); ok {
		want.id = i.Key()
	}
	if want == m.subject {
		return nil
	}
	sameTab := want.tab == m.subject.tab
	first := m.subject.id == ""
	m.subject = want
	m.subjectSeq++
	m.stopLogs()
	if want.id == "" {
		return m.browser.SetVisible(false)
	}
	if first || !sameTab {
		return m.load()
	}
	seq := m.subjectSeq
	return tea.Tick(restFor, func(time.Time) tea.Msg { return settleMsg{seq} })
}

// load fetches what the detail shows.
func (m *model) load() tea.Cmd {
	t := m.tab()
	browsing := t == tabDiff || t == tabLayers
	cmds := []tea.Cmd{m.browser.SetVisible(browsing)}
	if c, ok := m.current(); ok {
		switch t {
		case tabLogs:
			cmds = append(cmds, m.openLogs(c.ID, false))
		case tabInspect:
			cmds = append(cmds, m.feed.InspectContainer(c.ID))
		case tabDiff:
			cmds = append(cmds, m.browser.Show(layers.Subject{
				Image: c.ImageID, ImageName: c.Image, Container: c.ID, Name: c.Name, Running: c.Running(),
			}))
		}
	}
	if i, ok := m.currentImage(); ok {
		switch t {
		case tabInspect:
			cmds = append(cmds, m.feed.InspectImage(i.ID))
		case tabLayers:
			cmds = append(cmds, m.browser.Show(layers.Subject{Image: i.Ref(), ImageName: i.Title()}))
		}
	}
	return tea.Batch(cmds...)
}

// openLogs begins a log stream: the last lines, or all of them.
func (m *model) openLogs(id string, whole bool) tea.Cmd {
	m.stopLogs()
	m.streams++
	tail := strconv.Itoa(logs.Tail)
	if whole {
		tail = "all"
	}
	m.logs.Reset(id, m.streams, whole)
	ctx, cancel := context.WithCancel(m.feed.Context())
	m.logsCancel = cancel
	m.logsGate = &feed.Gate{}
	return m.feed.OpenLogs(ctx, id, m.streams, tail, m.logsGate)
}

// stopLogs gives up the stream that is open, if one is.
func (m *model) stopLogs() {
	if m.logsCancel != nil {
		m.logsCancel()
		m.logsCancel = nil
	}
}

// showInspect puts fetched JSON into the pager; the place is kept when it is
// the same object again.
func (m *model) showInspect(id string, json []byte) {
	doc := inspect.New(m.theme, json)
	if m.inspectID == id {
		m.inspector.Replace(doc)
		return
	}
	m.inspectID = id
	m.inspector.SetSource(doc)
	if q := m.inspector.Query(); q != nil {
		m.inspector.Search(q)
	}
}

// inspected is the ID that the Inspect tab should show.
func (m *model) inspected() string {
	if c, ok := m.current(); ok {
		return c.ID
	}
	if i, ok := m.currentImage(); ok {
		return i.ID
	}
	return ""
}
