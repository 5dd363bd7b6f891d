package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"berth/tui/feed"
	"berth/tui/keymap"
	"berth/tui/list"
	"berth/tui/state"
	"berth/tui/text"
)

// newPorts is the panel of published ports.
func newPorts() *paneOf[state.Port] {
	return &paneOf[state.Port]{
		List: list.New(state.Port.Key, state.Port.Match),
		face: face{
			number: "6", name: "Ports", noun: "port", scope: keymap.Ports,
			tabs:   []tab{tabAbout},
			orders: []state.Order{state.ByPort, state.ByName},
			empty:  noRows("published ports", "N", "publishes one of a container that runs"),
			about:  about("a published port: an address of this machine that leads into a container", "N", "publishes one of a container that runs", "R", "runs an image: ports 8080:80"),
		},
		rows:  func(m *model, by state.Order) []state.Port { return m.state.AllPorts(by) },
		line:  (*model).portRow,
		item:  func(p state.Port) item { return item{key: p.Key(), id: p.URL(), title: p.Address(), ref: p.URL()} },
		sheet: (*model).portSheet,
		strip: (*model).portStrip,
	}
}

// reach is what a probe of a port has found: a sign and a sentence.
func (m *model) reach(p state.Port) (glyph, sentence string) {
	th := m.theme
	probe, ok := m.probes[p.Key()]
	switch {
	case p.Proto != "tcp":
		return th.Dim.Render("?"), "a " + p.Proto + " port cannot be probed"
	case !m.near():
		return th.Dim.Render("?"), "it is not probed: the engine is on another machine"
	case !ok || probe.Took == 0 && probe.Err == nil:
		return th.Warn.Render("◌"), "being probed"
	case probe.Err != nil:
		return th.Bad.Render("✗"), th.Bad.Render("nothing answers: ") + clean(probe.Err).Error()
	}
	return th.Good.Render("●"), th.Good.Render("reachable")
}

// portRow is whether it is reachable, the address, and where it leads.
func (m *model) portRow(p state.Port, width int) string {
	glyph, _ := m.reach(p)
	address := text.Fit(p.Address(), min(m.hostWidth, max(width/2, 8)))
	target := m.theme.Dim.Render("→ ") + m.theme.Strong.Render(p.Name) + m.theme.Dim.Render(":") + p.Target()
	return " " + glyph + " " + m.theme.Info.Render(address) + " " + text.Fit(target, max(width-4-text.Width(address), 0))
}

// portSheet is where a port is reached, by whom, and whether it is.
func (m *model) portSheet(p state.Port, width int) []string {
	s := sheet{m: m, width: width}
	_, sentence := m.reach(p)
	s.title("published port")
	var hosts []string
	for _, h := range p.Hosts {
		hosts = append(hosts, h.String())
	}
	s.row("listens on", strings.Join(hosts, " ")+fmt.Sprintf(" port %d", p.Public))
	s.row("protocol", p.Proto)
	if c, ok := m.state.Container(p.Container); ok {
		s.row("container", m.glyph(c)+" "+m.theme.Strong.Render(c.Name)+m.theme.Dim.Render("  "+c.Image))
		for _, e := range c.Networks {
			if e.IPv4 != "" {
				s.row("in it", fmt.Sprintf("%s:%d in %s", e.IPv4, p.Private, e.Network))
			}
		}
	}
	s.row("probe", sentence)
	if p.Proto == "tcp" {
		s.row("URL", m.theme.Info.Render(p.URL()))
	}
	s.table()
	return s.lines
}

// portStrip is one line about a port.
func (m *model) portStrip(p state.Port, width, height int) []string {
	_, sentence := m.reach(p)
	return m.boxed(p.Address(), []string{p.Address() + m.theme.Dim.Render(" → ") + p.Name + ":" + p.Target(), sentence}, width, height)
}

// near tells whether the engine's addresses are those of this machine.
func (m *model) near() bool { return m.opt.Host == "local" || strings.HasPrefix(m.opt.Host, "unix://") }

// probe asks whether the ports that are on the screen are reachable, each one
// once, and the selected one each time it is come to.
func (m *model) probe() tea.Cmd {
	if !m.near() || m.gone != nil || m.screen().Panels[ports].Dy() < 3 {
		return nil
	}
	rows, _ := m.ports.Visible(m.screen().Panels[ports].Dy() - 2)
	var cmds []tea.Cmd
	for _, p := range rows {
		if _, done := m.probes[p.Key()]; !done && p.Proto == "tcp" {
			m.probes[p.Key()] = feed.Probed{Key: p.Key()}
			cmds = append(cmds, m.feed.Probe(m.opt.Dial, p.Key(), p.Dial()))
		}
	}
	return tea.Batch(cmds...)
}

// forget drops what was found out about ports that are no more, so that one
// that comes back is looked at again.
func (m *model) forget() {
	for key := range m.probes {
		if !m.ports.Has(key) {
			delete(m.probes, key)
		}
	}
}
