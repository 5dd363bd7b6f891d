package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
	"berth/tui/list"
	"berth/tui/state"
	"berth/tui/text"
)

// newNetworks is the panel of networks.
func newNetworks() *paneOf[state.Network] {
	return &paneOf[state.Network]{
		List: list.New(func(n state.Network) string { return n.ID }, state.Network.Match),
		face: face{
			number: "5", name: "Networks", noun: "network", scope: keymap.Networks,
			tabs:   []tab{tabMembers, tabInspect},
			orders: []state.Order{state.ByName, state.ByMembers, state.ByAge},
			empty:  noRows("networks", "N", "makes one"),
			about:  about("a network: containers in it find each other by name", "N", "makes one"),
		},
		rows:    func(m *model, by state.Order) []state.Network { return m.state.Networks(by) },
		line:    (*model).networkRow,
		item:    func(n state.Network) item { return item{key: n.ID, id: n.ID, title: n.Name, ref: n.Name} },
		sheet:   (*model).networkSheet,
		strip:   (*model).networkStrip,
		inspect: func(m *model, n state.Network) tea.Cmd { return m.feed.InspectNetwork(n.ID) },
	}
}

// networkRow is whether it is used, its name, how many are in it, and its subnet.
func (m *model) networkRow(n state.Network, width int) string {
	glyph, used := m.theme.Dim.Render("○"), ""
	if k := len(m.state.MembersOf(n)); k > 0 {
		glyph = m.theme.Good.Render("●")
		used = m.theme.Good.Render(fmt.Sprintf("%d×", k))
	}
	subnet := n.Driver
	if len(n.Subnets) > 0 {
		subnet = n.Subnets[0]
	}
	right := text.FitLeft(used, 4) + " " + m.theme.Info.Render(text.FitLeft(subnet, min(m.subnetWidth(), width/2)))
	name := n.Name
	if n.Builtin() {
		name = m.theme.Dim.Render(name)
	}
	return " " + glyph + " " + text.Fit(name, width-5-text.Width(right)) + " " + right + " "
}

// subnetWidth is how wide the widest subnet is, so that names get what is left.
func (m *model) subnetWidth() int {
	widest := len("bridge")
	for _, n := range m.state.Networks(state.ByName) {
		if len(n.Subnets) > 0 {
			widest = max(widest, text.Width(n.Subnets[0]))
		}
	}
	return min(widest, 18)
}

// networkSheet is who is in a network, and what is known of it.
func (m *model) networkSheet(n state.Network, width int) []string {
	s := sheet{m: m, width: width}
	members := m.state.MembersOf(n)
	if len(members) == 0 {
		s.note("no container is in it")
	} else {
		s.title("members")
	}
	for _, k := range members {
		address := strings.TrimSpace(k.Endpoint.IPv4 + " " + k.Endpoint.IPv6)
		if address == "" {
			address = m.theme.Dim.Render("no address while it does not run")
		}
		aliases := strings.Join(m.aliases(n, k), " ")
		s.row(m.glyph(k.Container)+" "+m.theme.Strong.Render(k.Container.Name), address, m.theme.Info.Render(aliases), m.theme.Dim.Render(k.Endpoint.MAC))
	}
	s.table()
	s.title("network")
	s.row("name", n.Name)
	s.row("driver", n.Driver)
	s.row("subnet", strings.Join(n.Subnets, " "))
	s.row("gateway", strings.Join(n.Gateways, " "))
	if n.Internal {
		s.row("internal", "nothing outside is reached from it")
	}
	s.row("made", stamp(n.Created))
	s.row("ID", state.Short(n.ID))
	s.table()
	s.pairs("options", n.Options)
	s.pairs("labels", n.Labels)
	return s.lines
}

// aliases are the names that a member is found by, beside its own.
func (m *model) aliases(n state.Network, k state.Member) []string {
	var out []string
	for _, a := range append(m.names[[2]string{n.ID, k.Container.ID}], k.Endpoint.Aliases...) {
		if a != k.Container.Name && !strings.HasPrefix(k.Container.ID, a) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// networkStrip is one line about a network.
func (m *model) networkStrip(n state.Network, width, height int) []string {
	line := things(len(m.state.MembersOf(n)), "one member", "members") + m.theme.Dim.Render(" · "+n.Driver)
	if len(n.Subnets) > 0 {
		line += m.theme.Dim.Render(" · ") + strings.Join(n.Subnets, " ")
	}
	second := ""
	if len(n.Gateways) > 0 {
		second = "gateway " + strings.Join(n.Gateways, " ")
	}
	return m.boxed(n.Name, []string{line, second}, width, height)
}
