package tui

import (
	"context"
	"io"
	"iter"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"berth/engine/api/berthapi"
	"berth/tui/files"
	"berth/tui/foreign"
	"berth/tui/inspect"
	"berth/tui/layers"
	"berth/tui/pager"
)

// tab is one view of the detail.
type tab string

const (
	tabLogs    tab = "Logs"
	tabShell   tab = "Shell"
	tabDiff    tab = "Diff"
	tabLayers  tab = "Layers"
	tabInspect tab = "Inspect"
	tabFiles   tab = "Files"

	tabAbout    tab = "About" // these are text, made from what is known
	tabMembers  tab = "Members"
	tabServices tab = "Services"
	tabEnv      tab = "Env" // and these are asked of the engine when shown
	tabTop      tab = "Top"
	tabStats    tab = "Stats"
	tabHistory  tab = "History"
)

// isText tells whether a tab is text that the panel writes.
func (t tab) isText() bool {
	return t == tabAbout || t == tabMembers || t == tabServices || t == tabEnv || t == tabTop || t == tabStats || t == tabHistory
}

// isLayers tells whether the layer browser is in the tab.
func (t tab) isLayers() bool { return t == tabDiff || t == tabLayers }

// tab is the one shown.
func (m *model) tab() tab { return m.pane().shape().tab() }

// setTab shows a tab of the focused panel.
func (m *model) setTab(t tab) {
	f := m.pane().shape()
	if i := slices.Index(f.tabs, t); i >= 0 {
		f.tabAt = i
	}
}

// subject is what the detail shows: a tab of a container or of an image.
type subject struct {
	panel panel
	id    string // of the row
	tab   tab
	logs  string // of whom, when it is the log of several
}

// settleMsg arrives when the selection has rested for a moment.
type settleMsg struct{ seq int }

// restFor is how long the selection must rest before the detail is fetched, so
// that running through a list does not open a stream for every row.
const restFor = 80 * time.Millisecond

// sync brings the detail in line with the selection; it runs after every message.
func (m *model) sync() tea.Cmd {
	want := subject{panel: m.panel, tab: m.tab(), logs: m.merging()}
	if row, ok := m.pane().current(); ok {
		want.id = row.key
	}
	if c, ok := m.current(); ok {
		m.shell.SetContainer(c.ID, c.Name, c.Running())
	}
	if want == m.subject {
		return nil
	}
	sameTab := want.tab == m.subject.tab && want.panel == m.subject.panel
	first := m.subject.id == ""
	m.subject = want
	m.subjectSeq++
	m.stopLogs()
	m.text.SetSource(pager.Static(nil))
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
	if t == tabLogs {
		cmds = append(cmds, m.openLogs(!m.span.Since.IsZero()))
	}
	if c, ok := m.current(); ok {
		switch t {
		case tabEnv, tabTop, tabStats:
			cmds = append(cmds, m.askInside(c, t))
		case tabDiff:
			cmds = append(cmds, m.browser.Show(layers.Subject{
				Image: c.ImageID, ImageName: c.Image, Container: c.ID, Name: c.Name, Running: c.Running(),
			}))
		}
	}
	if i, ok := m.currentImage(); ok && t == tabHistory {
		cmds = append(cmds, m.askHistory(i))
	}
	if i, ok := m.currentImage(); ok && t == tabLayers {
		cmds = append(cmds, m.browser.Show(layers.Subject{Image: i.Ref(), ImageName: i.Title()}))
	}
	if t == tabFiles {
		cmds = append(cmds, m.files.Show(m.treeOf()))
	}
	if t == tabInspect {
		cmds = append(cmds, m.pane().look(m))
	}
	if n, ok := m.nets.Current(); ok && t == tabMembers {
		var ids []string
		for _, k := range m.state.MembersOf(n) {
			ids = append(ids, k.Container.ID)
		}
		cmds = append(cmds, m.feed.FetchAliases(n.ID, ids))
	}
	if p, ok := m.ports.Current(); ok && m.panel == ports {
		delete(m.probes, p.Key()) // it is tried again
	}
	return tea.Batch(cmds...)
}

// treeOf is where the files of the selected row are read.
func (m *model) treeOf() files.Tree {
	if c, ok := m.current(); ok {
		return files.Tree{ID: "container:" + c.ID,
			Entries: func(ctx context.Context, dir string) iter.Seq2[berthapi.Entry, error] {
				told := m.berth.TreeEntries(ctx, "container:"+c.ID, true, berthapi.Part{Dir: dir, Depth: 1})
				return foreign.Children(ctx, m.opt.Client, c.ID, dir, told)
			},
			Open: func(ctx context.Context, path string) (io.ReadCloser, error) {
				return foreign.ContainerFile(ctx, m.berth, m.opt.Client, c.ID, path)
			},
		}
	}
	v, _ := m.vols.Current()
	var users []foreign.User
	for _, u := range m.state.UsersOf(v.Name) {
		users = append(users, foreign.User{Container: u.Container.ID, Path: u.Path})
	}
	return files.Tree{ID: "volume:" + v.Name,
		Entries: func(ctx context.Context, dir string) iter.Seq2[berthapi.Entry, error] {
			return foreign.VolumeChildren(ctx, m.opt.Client, users, dir, m.berth.VolumeEntries(ctx, v.Name, dir))
		},
		Open: func(ctx context.Context, path string) (io.ReadCloser, error) {
			return foreign.VolumeFile(ctx, m.berth, m.opt.Client, v.Name, users, path)
		},
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
	if q := m.inspector.Query(); q.Active() {
		m.inspector.Search(q)
	}
}

// inspected is the ID that the Inspect tab should show.
func (m *model) inspected() string {
	row, _ := m.pane().current()
	return row.id
}
