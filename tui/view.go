package tui

import (
	"cmp"
	"fmt"
	"image"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
	"berth/tui/text"
)

// View draws the screen: every line exactly as wide as it.
func (m *model) View() tea.View {
	lines := m.lines()
	for i, l := range lines {
		lines[i] = m.theme.Paint(l)
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	v.WindowTitle = "berth"
	v.MouseMode = m.mouseMode()
	if m.shellHasKeys() {
		if c := m.shell.Cursor(); c != nil {
			r := m.screen().Detail
			c.X += r.Min.X + 1
			c.Y += r.Min.Y + 1
			v.Cursor = c
		}
	}
	return v
}

// lines is the screen as lines.
func (m *model) lines() []string {
	if m.width <= 0 || m.height <= 0 {
		return nil
	}
	s := m.screen()
	if s.TooSmall {
		note := fmt.Sprintf("too small: %d×%d", m.width, m.height)
		return text.Block([]string{note, "berth needs 40×10"}, m.width, m.height)
	}
	out := []string{m.header(m.width)}
	var left []string
	for p, r := range s.Panels {
		if !r.Empty() {
			left = append(left, m.drawPanel(panel(p), r)...)
		}
	}
	var right []string
	if !s.Detail.Empty() {
		right = append(right, m.drawDetail(s.Detail)...)
	}
	if !s.Strip.Empty() {
		right = append(right, m.drawStrip(s.Strip.Dx(), s.Strip.Dy())...)
	}
	if !s.Side.Empty() {
		right = text.Beside(right, m.drawSide(s.Side.Dx(), s.Side.Dy()))
	}
	switch {
	case left == nil:
		out = append(out, right...)
	case right == nil:
		out = append(out, left...)
	default:
		out = append(out, text.Beside(left, right)...)
	}
	if !s.Commands.Empty() {
		out = append(out, m.drawCommands(s.Commands)...)
	}
	out = append(out, m.keyLine(m.width), m.messageLine(m.width))
	if m.overlay != nil {
		out = m.cover(out)
	}
	return out
}

// header is the breadcrumb on the left, the engine on the right.
func (m *model) header(width int) string {
	th := m.theme
	sep := th.Dim.Render(" ▸ ")
	crumbs := []string{th.Title.Render("berth"), text.Clean(m.opt.Host), strings.ToLower(m.pane().shape().name)}
	if row, ok := m.pane().current(); ok {
		crumbs = append(crumbs, row.title)
	}
	if m.detail || m.zoom {
		crumbs = append(crumbs, strings.ToLower(string(m.tab())))
	}
	crumbs[len(crumbs)-1] = th.Strong.Render(crumbs[len(crumbs)-1])
	left := " " + strings.Join(crumbs, sep)
	running, all := m.state.Counts()
	right := fmt.Sprintf("%s running of %d", th.Good.Render(fmt.Sprint(running)), all)
	if taken := m.disk.images + m.disk.volumes; taken > 0 && width >= 100 {
		right = fmt.Sprintf("DISK %s  ", size(uint64(taken))) + right
	}
	if cpu, mem := m.totals(); cpu >= 0.5 || mem > 0 {
		right = fmt.Sprintf("CPU %.0f%%  MEM %s  ", cpu, size(mem)) + right
	}
	if m.version.Version != "" && width >= 100 {
		right += th.Dim.Render("  " + text.Clean(m.version.Is()))
	}
	if room := width - text.Width(right) - 2; room >= 20 {
		return text.Fit(left, room) + " " + right + " "
	}
	return text.Fit(left, width)
}

// totals adds up what is measured.
func (m *model) totals() (cpu float64, mem uint64) {
	for _, u := range m.usage {
		cpu += u.cpu
		mem += u.last.Memory
	}
	return cpu, mem
}

// keyLine shows the keys that matter where the focus is.
func (m *model) keyLine(width int) string {
	th := m.theme
	if m.shellHasKeys() {
		return m.shellKeys(width)
	}
	var b strings.Builder
	b.WriteByte(' ')
	style := th.Accent
	put := func(key, what string) bool {
		piece := style.Render(key) + " " + what + "  "
		if text.Width(b.String())+text.Width(piece) > width {
			return false
		}
		b.WriteString(piece)
		return true
	}
	tail := []keymap.Binding{}
	for _, a := range []keymap.Action{keymap.Palette, keymap.Help} {
		if bd, ok := m.keys.Of(a); ok {
			tail = append(tail, bd)
		}
	}
	if t := m.tab(); m.detail && (t == tabDiff || t == tabLayers) {
		for _, k := range m.browser.Keys() {
			if h := k.Help(); h.Key != "" && !put(h.Key, h.Desc) {
				break
			}
		}
		return text.Fit(b.String(), width)
	}
	room := width
	for _, bd := range tail {
		room -= len(bd.Keys[0]) + len(bd.Short) + 3
	}
	all := m.keys.In(m.scopes()...)
	if i := slices.IndexFunc(all, func(bd keymap.Binding) bool { return bd.Action == keymap.Open }); i > 0 && m.screen().Narrow {
		all = slices.Concat(all[i:i+1], all[:i], all[i+1:]) // nothing else tells that there is a detail
	}
	for _, bd := range all {
		if m.idleVerb(bd.Action) {
			continue
		}
		if idle := m.nothingSelected() && bd.Scope == m.pane().shape().scope && !begins[bd.Action]; idle || bd.Short == "" || bd.Action == keymap.Help || bd.Action == keymap.Palette {
			continue
		}
		if text.Width(b.String())+text.Width(keymap.Pretty(bd.Keys[0]))+len(bd.Short)+3 > room {
			continue
		}
		if what := bd.Short; m.unable(bd.Action) != "" {
			style = th.Dim
			put(keymap.Pretty(bd.Keys[0]), th.Dim.Render(what))
			style = th.Accent
			continue
		}
		put(keymap.Pretty(bd.Keys[0]), bd.Short)
	}
	for _, bd := range tail {
		put(bd.Keys[0], bd.Short)
	}
	return text.Fit(b.String(), width)
}

// idleVerb tells whether a verb has nothing to do for the container that is
// selected, as long as none is marked.
func (m *model) idleVerb(a keymap.Action) bool {
	c, ok := m.current()
	if !ok || m.conts.Marks() > 0 {
		return false
	}
	switch a {
	case keymap.Start:
		return c.Running()
	case keymap.Stop, keymap.Shells:
		return !c.Running()
	}
	return false
}

// begins are the actions of a panel that need no row.
var begins = map[keymap.Action]bool{keymap.Pull: true, keymap.Build: true, keymap.Load: true, keymap.Starter: true, keymap.NewVolume: true, keymap.NewNetwork: true, keymap.NewPort: true}

// shellKeys shows what the shell's leader can be followed by, or what works
// while one looks back; what there is no room for is left out.
func (m *model) shellKeys(width int) string {
	out := " "
	if !m.shell.LooksBack() {
		out += m.theme.Accent.Render(m.shell.Leader()) + m.theme.Dim.Render(" then ")
	}
	short := map[string]string{} // help has more room
	for _, bd := range m.keys.In(keymap.Shell) {
		short[bd.Help] = bd.Short
	}
	for _, k := range m.shell.Keys() {
		h := k.Help()
		piece := m.theme.Accent.Render(h.Key) + " " + cmp.Or(short[h.Desc], h.Desc) + "  "
		if text.Width(out)+text.Width(strings.TrimRight(text.Strip(piece), " ")) <= width {
			out += piece
		}
	}
	return text.Fit(out, width)
}

// messageLine says what happened last, or that the engine is gone.
func (m *model) messageLine(width int) string {
	th := m.theme
	switch {
	case m.gone != nil && m.live:
		back := "trying again"
		if m.opt.Start != nil {
			back = "starting it again"
		} else if m.opt.Host == "local" { // whatever needs the engine starts it
			back = "'berth ps' in another terminal starts it"
		}
		return th.Banner.Render(text.Fit(" the engine is gone; "+back+" · what is shown was last known ("+m.gone.Error()+")", width))
	case m.gone != nil:
		return th.Banner.Render(text.Fit(" no engine answers at "+text.Clean(m.opt.Host)+"; trying again · "+m.gone.Error(), width))
	case m.hint != "" && m.bad:
		return text.Fit(th.Bad.Render(" ✗ "+text.Fit(m.hint, min(text.Width(m.hint), width-3))), width)
	case m.hint != "":
		return text.Fit(" "+m.hint, width)
	}
	n := 0
	for _, p := range m.panes {
		n += p.Marks()
	}
	if n > 0 {
		return text.Fit(" "+th.Mark.Render(fmt.Sprintf("%d marked", n))+th.Dim.Render(" · verbs act on all of them · esc clears"), width)
	}
	if why := m.greyed(); why != "" && !m.detail {
		return text.Fit(th.Dim.Render(" "+why), width)
	}
	return text.Spaces(width)
}

// drawCommands is the command log.
func (m *model) drawCommands(r image.Rectangle) []string {
	var lines []string
	for _, c := range m.commands[max(len(m.commands)-r.Dy(), 0):] {
		style := m.theme.Text
		if strings.Contains(c, "✗") {
			style = m.theme.Bad
		}
		for _, row := range text.Wrap(c, r.Dx()-2) {
			lines = append(lines, style.Render(row))
		}
	}
	if over := len(lines) - (r.Dy() - 2); over > 0 {
		lines = lines[over:]
	}
	if len(lines) == 0 {
		lines = []string{m.theme.Dim.Render("nothing done yet; what you do appears here as the berth command that does the same")}
	}
	f := frame("commands", false)
	f.Footer = m.theme.Dim.Render("@ hides")
	return f.Draw(m.theme, lines, r.Dx(), r.Dy())
}
