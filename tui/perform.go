package tui

import (
	"errors"
	"fmt"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
	"berth/tui/pager"
	"berth/tui/text"
)

// do does what a key, or a line of the palette, stands for.
func (m *model) do(a keymap.Action) tea.Cmd {
	if v, ok := verbs[a]; ok {
		if a == keymap.Kill {
			return m.askKill(v)
		}
		return m.act(v)
	}
	for _, on := range []func(keymap.Action) (tea.Cmd, bool){m.performOn, m.onContainers, m.onImages, m.onVolumes, m.onNetworks, m.onPorts, m.onProjects} {
		if cmd, ok := on(a); ok {
			return cmd
		}
	}
	switch a {
	case keymap.Quit:
		return m.quit()
	case keymap.Interrupt:
		return tea.Quit
	case keymap.Back:
		m.stepBack()
	case keymap.Help:
		m.overlay = newHelp(m)
	case keymap.Palette:
		m.overlay = newPalette(m)
	case keymap.CommandLog:
		m.showLog = !m.showLog
	case keymap.NextPane:
		m.nextPane(1)
	case keymap.PrevPane:
		m.nextPane(-1)
	case keymap.ToProjects, keymap.ToContainer, keymap.ToImages, keymap.ToVolumes, keymap.ToNetworks, keymap.ToPorts:
		m.goTo(panelOf[a])
	case keymap.ToDetail, keymap.Open:
		return m.open()
	case keymap.PrevTab, keymap.NextTab:
		f := m.pane().shape()
		by := 1
		if a == keymap.PrevTab {
			by = len(f.tabs) - 1
		}
		f.tabAt = (f.tabAt + by) % len(f.tabs)
		m.filter = nil
	case keymap.Zoom:
		m.zoom, m.detail = true, true
	case keymap.Unzoom:
		m.zoom = false
	case keymap.Run:
		o := newRunForm(m)
		m.overlay = o
		return tea.Batch(o.askImage(m), m.askListeners())
	case keymap.Filter:
		m.beginFilter()
	case keymap.Commands:
		m.commandMenu()
	case keymap.Prune:
		return m.askPrune()
	case keymap.Transfers:
		m.showCarries()
	case keymap.System:
		return m.openSystem()
	case keymap.Engines:
		return m.askEngines()
	case keymap.Copy:
		return m.copyName()
	case keymap.CopyID:
		return m.copyID()
	default:
		if m.detail {
			return m.scroll(a)
		}
		return m.move(a)
	}
	return nil
}

// performOn does what needs a selected container or image.
func (m *model) performOn(a keymap.Action) (tea.Cmd, bool) {
	switch a {
	case keymap.Remove:
		return m.askRemove(), true
	case keymap.RemoveImage:
		return m.askRemoveImage(), true
	case keymap.Tag:
		return m.askTag(), true
	case keymap.Pull:
		m.prompt("pull an image", "debian:12, ghcr.io/owner/name:tag", "", func(s string) string { return "berth pull " + s }, m.pull)
		return nil, true
	case keymap.Push:
		if i, ok := m.currentImage(); ok {
			return m.push(i), true
		}
		return nil, true
	case keymap.Commit:
		return m.askCommit(), true
	case keymap.Browse:
		m.setTab(tabLayers)
		m.detail, m.zoom = true, true
		return nil, true
	case keymap.Shells, keymap.Attach, keymap.LogsMax, keymap.Diff:
	default:
		return nil, false
	}
	c, ok := m.current()
	if !ok {
		m.fail(errors.New("no container is selected"))
		return nil, true
	}
	switch a {
	case keymap.LogsMax:
		m.zoom = !m.zoom || m.tab() != tabLogs
		m.detail = m.zoom
		m.setTab(tabLogs)
	case keymap.Diff:
		m.setTab(tabDiff)
		m.detail, m.zoom = true, true
	default:
		if !c.Running() {
			m.fail(fmt.Errorf("%s is not running: S starts it", c.Name))
			return nil, true
		}
		m.setTab(tabShell)
		m.detail = true
		m.shell.SetContainer(c.ID, c.Name, true)
		m.resizePanes()
		m.shell.Focus()
		if a == keymap.Attach {
			m.note("berth attach " + c.Name)
			return m.shell.OpenAttach(), true
		}
		m.note("berth exec -it " + c.Name + " sh")
		return m.shell.OpenShell(), true
	}
	return nil, true
}

// quit closes what covers the lists first, then the filter, then leaves.
func (m *model) quit() tea.Cmd {
	if m.zoom {
		m.detail, m.zoom = false, false
		return nil
	}
	if m.filterText() != "" {
		m.applyFilter("")
		return nil
	}
	return tea.Quit
}

// stepBack goes one step back.
func (m *model) stepBack() {
	switch {
	case m.detail && m.filterText() != "":
		m.applyFilter("")
	case m.detail:
		m.detail, m.zoom = false, false
	case m.pane().Clear():
	case m.filterText() != "":
		m.applyFilter("")
	case m.showLog:
		m.showLog = false
	}
}

// open goes into the detail. On the shell tab the keys go to the shell that is
// open there already.
func (m *model) open() tea.Cmd {
	if m.subject.id == "" {
		return nil
	}
	m.detail = true
	if c, ok := m.current(); ok && m.tab() == tabShell {
		if m.shell.Sessions(c.ID) == 0 {
			return m.perform(keymap.Shells)
		}
		m.shell.Focus()
	}
	return nil
}

// focus goes to a panel and out of whatever covers it.
func (m *model) focus(p panel) {
	m.panel, m.detail, m.zoom, m.filter = p, false, false, nil
}

// nextPane goes round the panels and the detail.
func (m *model) nextPane(by int) {
	at, n := m.panel, panelCount+1
	if m.detail {
		at = panelCount
	}
	for at = (at + panel(by) + n) % n; at < panelCount && !m.visible(at); {
		at = (at + panel(by) + n) % n
	}
	m.zoom, m.filter = false, nil
	if at == panelCount {
		m.detail = true
		return
	}
	m.focus(at)
}

// move acts on the list with the focus.
func (m *model) move(a keymap.Action) tea.Cmd {
	l := m.pane()
	switch a {
	case keymap.Up:
		l.Move(-1)
	case keymap.Down:
		l.Move(1)
	case keymap.PageUp:
		l.Page(-1)
	case keymap.PageDown:
		l.Page(1)
	case keymap.Top:
		l.Move(-l.Len())
	case keymap.Bottom:
		l.Move(l.Len())
	case keymap.Mark:
		l.Mark()
	case keymap.Range:
		l.Range()
	case keymap.Left:
		m.beside(-1)
	case keymap.Right:
		m.beside(1)
	case keymap.ShowAll:
		m.showAll = !m.showAll
		m.refresh()
	case keymap.Sort:
		m.nextOrder()
	case keymap.DetailUp, keymap.DetailDown, keymap.DetailHalfUp, keymap.DetailHalfDown:
		return m.scroll(a)
	}
	return nil
}

// beside goes to the panel above or below, and from the last one to the detail.
func (m *model) beside(by panel) {
	for p := m.panel + by; p >= 0 && p < panelCount; p += by {
		if m.visible(p) {
			m.panel = p
			return
		}
	}
	m.detail = by > 0
}

// nextOrder sorts the focused list in the next of its orders.
func (m *model) nextOrder() {
	f := m.pane().shape()
	f.orderAt = (f.orderAt + 1) % len(f.orders)
	m.refresh()
	m.say("sorted by " + string(f.order()))
}

// pager is the scrolling view that the detail shows, nil when it is a pane
// with keys of its own.
func (m *model) pager() *pager.Pager {
	switch m.tab() {
	case tabLogs:
		return m.logs.Pager()
	case tabInspect:
		return m.inspector
	}
	if m.tab().isText() {
		return m.text
	}
	return nil
}

// scroll acts on the detail.
func (m *model) scroll(a keymap.Action) tea.Cmd {
	p := m.pager()
	if p == nil && m.detail && m.tab() == tabFiles {
		return m.files.Do(a)
	}
	if p == nil {
		return nil
	}
	switch a {
	case keymap.Up, keymap.DetailUp:
		p.Scroll(-1)
	case keymap.Down, keymap.DetailDown:
		p.Scroll(1)
	case keymap.DetailHalfUp:
		p.Half(-1)
	case keymap.DetailHalfDown:
		p.Half(1)
	case keymap.PageUp:
		p.Page(-1)
	case keymap.PageDown:
		p.Page(1)
	case keymap.Top:
		if m.tab() == tabLogs && !m.logs.Whole && m.subject.id != "" {
			p.SetFollow(false)
			cmd := m.openLogs(true)
			p.Home()
			return cmd
		}
		p.Home()
	case keymap.Bottom:
		p.End()
	case keymap.Left:
		if m.detail && p.Left() == 0 {
			m.detail, m.zoom = false, false
			return nil
		}
		p.Sideways(-8)
	case keymap.Right:
		p.Sideways(8)
	case keymap.NextHit, keymap.PrevHit:
		by := 1
		if a == keymap.PrevHit {
			by = -1
		}
		if !p.Step(by) {
			m.say("no match · / searches")
		}
	case keymap.Wrap:
		p.ToggleWrap()
	case keymap.OnlyHits:
		if !p.ToggleOnlyHits() {
			m.say("search first: /")
		}
	case keymap.Times:
		m.logs.ToggleTimes()
	case keymap.LayOut:
		m.togglePretty()
	case keymap.Since:
		m.askSince()
	case keymap.SaveLog:
		m.askSaveLog()
	case keymap.Follow:
		if p.Follows() {
			p.SetFollow(false)
		} else {
			p.End()
		}
	}
	return nil
}

// copyName copies the visible text of the detail, or the name of the selected row.
func (m *model) copyName() tea.Cmd {
	if p := m.pager(); m.detail && p != nil {
		return m.copy("what is visible", p.Text())
	}
	if what, content := m.files.Text(); m.detail && m.tab() == tabFiles && what != "" {
		return m.copy(text.Clean(what), content)
	}
	if row, ok := m.pane().current(); ok {
		return m.copy(row.ref, row.ref)
	}
	return nil
}

// copyID copies the whole ID of the selected row.
func (m *model) copyID() tea.Cmd {
	if row, ok := m.pane().current(); ok {
		return m.copy(row.id, row.id)
	}
	return nil
}
