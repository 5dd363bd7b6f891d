package tui

import (
	"fmt"
	"image"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"

	"berth/tui/state"
	"berth/tui/text"
	"berth/tui/theme"
)

// frame is a frame with a title and nothing else.
func frame(title string, focused bool) theme.Frame {
	return theme.Frame{Title: title, Focused: focused}
}

// rule is a horizontal line.
func rule(width int) string { return strings.Repeat("─", max(width, 0)) }

// size writes bytes in at most five cells: 71M, 1.2G, 812k.
func size(n uint64) string {
	s := units.CustomSize("%.3g%s", float64(n), 1000.0, []string{"B", "k", "M", "G", "T", "P"})
	return s
}

// drawPanel draws one of the lists.
func (m *model) drawPanel(p panel, r image.Rectangle) []string {
	focused := m.panel == p && !m.detail
	inner := r.Dx() - 2
	height := max(r.Dy()-2, 0)
	f := theme.Frame{Focused: focused}
	var lines []string
	if p == containers {
		rows, cursor := m.conts.Visible(height)
		for i, c := range rows {
			lines = append(lines, m.styled(m.containerRow(c, inner), m.conts.Marked(c), i == cursor, focused, m.panel == p, inner))
		}
		f.Title = m.panelTitle("2", "Containers", m.conts.Len(), m.conts.Total(), focused)
		f.Footer = m.theme.Dim.Render(m.containersFooter())
		if len(rows) == 0 {
			lines = m.emptyContainers(inner)
		}
	} else {
		rows, cursor := m.imgs.Visible(height)
		for i, img := range rows {
			lines = append(lines, m.styled(m.imageRow(img, inner), m.imgs.Marked(img), i == cursor, focused, m.panel == p, inner))
		}
		f.Title = m.panelTitle("3", "Images", m.imgs.Len(), m.imgs.Total(), focused)
		if by := imageOrders[m.order[images]]; by != state.ByName {
			f.Footer = m.theme.Dim.Render("by " + string(by))
		}
		if len(rows) == 0 {
			lines = m.emptyImages(inner)
		}
	}
	f.Left = m.filterLabel(p, inner)
	return f.Draw(m.theme, lines, r.Dx(), r.Dy())
}

// panelTitle is the number key, the name and how many rows there are.
func (m *model) panelTitle(key, name string, shown, total int, focused bool) string {
	count := fmt.Sprint(total)
	if shown != total {
		count = fmt.Sprintf("%d/%d", shown, total)
	}
	style := m.theme.Text
	if focused {
		style = m.theme.Accent
	}
	return m.theme.Dim.Render(key) + " " + style.Render(name) + " " + m.theme.Dim.Render(count)
}

// containersFooter says in which order the list is, and what A would show.
func (m *model) containersFooter() string {
	s := "A running only"
	if !m.showAll {
		_, all := m.state.Counts()
		s = fmt.Sprintf("A all %d", all)
	}
	if by := containerOrders[m.order[containers]]; by != state.ByState {
		s = "by " + string(by) + "  " + s
	}
	return s
}

// filterLabel is the filter of a list, with the cursor while it is typed.
func (m *model) filterLabel(p panel, width int) string {
	if m.filter != nil && !m.detail && m.panel == p {
		return m.theme.Accent.Render("/") + m.filter.View(max(min(20, width-12), 4), true)
	}
	s := m.conts.Filter().String()
	if p == images {
		s = m.imgs.Filter().String()
	}
	if s == "" {
		return ""
	}
	return m.theme.Warn.Render("/" + text.Fit(s, min(text.Width(s), 16)))
}

// styled gives a row its cursor and its mark.
func (m *model) styled(row string, marked, cursor, focused, active bool, width int) string {
	if marked {
		row = m.theme.Mark.Render("▌") + text.Cut(row, 1, width)
	}
	switch {
	case cursor && focused:
		return m.theme.Cursor.Render(text.Fit(text.Strip(row), width))
	case cursor && active:
		return m.theme.Faded.Render(text.Fit(text.Strip(row), width))
	}
	return text.Fit(row, width)
}

// glyph is the state of a container as a sign and a colour.
func (m *model) glyph(c state.Container) string {
	th := m.theme
	switch {
	case c.Busy != "":
		return th.Warn.Render("◌")
	case c.State == container.StateRunning && c.Health == container.Unhealthy:
		return th.Bad.Render("!") // the row of the cursor has no colours
	case c.State == container.StateRunning && c.Health == container.Starting:
		return th.Warn.Render("◐")
	case c.State == container.StateRunning:
		return th.Good.Render("●")
	case c.State == container.StatePaused:
		return th.Warn.Render("‖")
	case c.State == container.StateRestarting:
		return th.Warn.Render("◐")
	case c.State == container.StateDead:
		return th.Bad.Render("✗")
	case c.State == container.StateExited && c.Exit != 0:
		return th.Bad.Render("○")
	}
	return th.Dim.Render("○")
}

// containerRow is glyph, name, and on the right what fits: a graph, CPU,
// memory, ports; or how it ended.
func (m *model) containerRow(c state.Container, width int) string {
	right := m.containerFacts(c, width)
	room := width - 4 - text.Width(right)
	name := text.Fit(c.Name, room)
	if c.Running() {
		name = m.theme.Strong.Render(name)
	}
	return " " + m.glyph(c) + " " + name + " " + right
}

// containerFacts is the right side of a row: what is going on, else how it
// ended, else its load and ports, as much as fits in a row of the given width.
func (m *model) containerFacts(c state.Container, width int) string {
	th := m.theme
	switch {
	case c.Busy != "":
		return th.Warn.Render(c.Busy)
	case c.State == container.StatePaused:
		return th.Warn.Render("paused")
	case c.State == container.StateExited && c.Exit == 137:
		return th.Bad.Render("exit 137")
	case c.State == container.StateExited && c.Exit != 0:
		return th.Bad.Render(fmt.Sprintf("exit %d", c.Exit))
	case c.State == container.StateExited:
		return th.Dim.Render("exit 0")
	case c.State != container.StateRunning:
		return th.Dim.Render(string(c.State))
	}
	u := m.usage[c.ID]
	if u == nil {
		return th.Info.Render(text.Fit(c.Ports, min(text.Width(c.Ports), width/3)))
	}
	out := text.FitLeft(fmt.Sprintf("%.0f%%", u.cpu), 4)
	if width >= 54 {
		out = th.Good.Render(spark(u.cpus, 6, 10)) + " " + out
	}
	mem := text.FitLeft(size(u.last.Memory), 5)
	const portWidth = 12
	switch {
	case width >= 46:
		out += " " + mem + "  " + th.Info.Render(text.Fit(c.Ports, portWidth))
	case width >= 36 && c.Ports != "":
		out += " " + th.Info.Render(text.FitLeft(text.Fit(c.Ports, min(text.Width(c.Ports), portWidth)), portWidth))
	case width >= 36:
		out += " " + text.FitLeft(mem, portWidth)
	case c.Ports != "":
		out += "  " + th.Info.Render(text.Fit(c.Ports, min(text.Width(c.Ports), portWidth)))
	default:
		out += "  " + mem
	}
	return out
}

// imageRow is the name, how many containers use it, and the size.
func (m *model) imageRow(i state.Image, width int) string {
	used := ""
	if n := m.state.UsedBy(i.ID); n > 0 {
		used = m.theme.Good.Render(fmt.Sprintf("%d×", n))
	}
	right := text.FitLeft(used, 4) + " " + text.FitLeft(size(uint64(max(i.Size, 0))), 6)
	name := i.Title()
	if i.Tag == "" {
		name = m.theme.Dim.Render(name)
	}
	return " " + text.Fit(name, width-3-text.Width(right)) + " " + right + " "
}

// emptyContainers teaches what to type.
func (m *model) emptyContainers(width int) []string {
	loaded, _ := m.state.Loaded()
	switch {
	case !loaded:
		return nil
	case m.conts.Filter().Active():
		return m.teach(width, "no container matches", "esc", "clears the filter")
	case m.conts.Total() == 0 && !m.showAll:
		return m.teach(width, "nothing is running", "A", "shows all containers")
	}
	return m.teach(width, "no containers yet", "R", "runs an image", ":", "finds everything else")
}

// emptyImages teaches how images come in.
func (m *model) emptyImages(width int) []string {
	if _, loaded := m.state.Loaded(); !loaded {
		return nil
	}
	if m.imgs.Filter().Active() {
		return m.teach(width, "no image matches", "esc", "clears the filter")
	}
	return append(m.teach(width, "no images yet; in a shell:"), "   "+m.theme.Strong.Render("berth load -i image.tar"), "   "+m.theme.Strong.Render("berth import rootfs.tar name"))
}

// teach is a sentence and keys with what they do.
func (m *model) teach(width int, what string, keys ...string) []string {
	out := []string{"", " " + m.theme.Dim.Render(what), ""}
	for i := 0; i+1 < len(keys); i += 2 {
		out = append(out, "   "+m.theme.Accent.Render(keys[i])+"  "+keys[i+1])
	}
	return out
}

// stamp writes a time as the user's clock shows it.
func stamp(unix int64) string { return time.Unix(unix, 0).Format("2006-01-02 15:04") }
