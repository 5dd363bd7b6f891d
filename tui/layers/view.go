package layers

import (
	"fmt"
	"strings"

	"github.com/docker/go-units"

	"berth/tui/text"
)

const (
	// besideWidth is where layers and files stand side by side.
	besideWidth = 96
	// wasteRows is how much of the waste report is shown.
	wasteRows = 6
)

// View draws exactly width×height cells.
func (m *Model) View(width, height int) string {
	if width <= 0 || height <= 0 {
		return ""
	}
	var lines []string
	switch {
	case m.subject.Image == "" && m.subject.Container == "":
		lines = m.message(width, height, "nothing is selected")
	case m.err != nil:
		lines = m.message(width, height, "the layers cannot be shown", m.err.Error())
	case !m.loaded:
		lines = m.message(width, height, "reading the layers …")
	case width >= besideWidth && height >= 8:
		lines = m.beside(width, height)
	default:
		lines = m.stacked(width, height)
	}
	return strings.Join(text.Block(lines, width, height), "\n")
}

// beside is the wide form: layers and waste on the left, files on the right,
// the viewer below the files.
func (m *Model) beside(width, height int) []string {
	if m.viewer != nil && m.viewer.whole {
		return m.drawViewer(width, height)
	}
	left := min(52, width*2/5)
	right := width - left - 1
	under := 0
	if m.waste != nil && height >= 14 {
		under = min(wasteRows, max(len(m.waste.files), 1)) + 1
	}
	column := append(m.drawLayers(left, height-under), m.drawWaste(left, under)...)
	var files []string
	if m.viewer != nil {
		h := max(height*2/5, 4)
		files = append(m.drawFiles(right, h), m.drawViewer(right, height-h)...)
	} else {
		files = m.drawFiles(right, height)
	}
	bar := make([]string, height)
	for i := range bar {
		bar[i] = m.cfg.Theme.Border.Render("│")
	}
	return text.Beside(text.Block(column, left, height), bar, text.Block(files, right, height))
}

// stacked is the narrow form: layers above files; the viewer takes it all.
func (m *Model) stacked(width, height int) []string {
	if m.viewer != nil {
		return m.drawViewer(width, height)
	}
	upper := min(m.rows()+1, max(height*2/5, 3))
	if height < 6 { // room for one of them
		if m.focus == onLayers {
			return m.drawLayers(width, height)
		}
		return m.drawFiles(width, height)
	}
	return append(text.Block(m.drawLayers(width, upper), width, upper), m.drawFiles(width, height-upper)...)
}

// message is a few lines in the middle.
func (m *Model) message(width, height int, lines ...string) []string {
	out := make([]string, max(0, (height-len(lines))/2))
	for _, l := range lines {
		l = text.Clean(l)
		out = append(out, text.Spaces((width-text.Width(l))/2)+m.cfg.Theme.Dim.Render(text.Fit(l, min(text.Width(l), width))))
	}
	return out
}

// heading is the line above a part; the right label goes when room is short.
func (m *Model) heading(left, right string, width int, focused bool) string {
	th := m.cfg.Theme
	line, title := th.Border, th.Strong
	if focused {
		line, title = th.Focus, th.Accent
	}
	left = text.Fit(left, min(text.Width(left), max(width-4, 0)))
	room := width - 3 - text.Width(left)
	if right != "" && text.Width(right)+3 > room {
		right = ""
	}
	s := line.Render("─") + " " + title.Render(left) + " "
	if right == "" {
		return text.Fit(s+line.Render(strings.Repeat("─", max(room, 0))), width)
	}
	return s + line.Render(strings.Repeat("─", room-text.Width(right)-3)) + " " + right + " " + line.Render("─")
}

// drawLayers is the list of layers, the writable one last.
func (m *Model) drawLayers(width, height int) []string {
	if height <= 0 {
		return nil
	}
	mode := ""
	switch {
	case m.paired:
		mode = "A ⇄ B"
	case m.mark >= 0:
		mode = "A, then c for B"
	case m.union:
		mode = "union"
	}
	lines := []string{m.heading("Layers "+text.Clean(m.Title()), mode, width, m.on(onLayers))}
	room := height - 1
	if room > m.rows() && room > 3 {
		lines = append(lines, m.cfg.Theme.Dim.Render("   SIZE  WASTE  STEP"))
		room--
	}
	m.top = window(m.row, m.top, m.rows(), room)
	for i := m.top; i < min(m.top+room, m.rows()); i++ {
		lines = append(lines, m.layerRow(i, width))
	}
	return lines
}

// window returns the first of n rows to draw so that the cursor is among the
// height that are.
func window(cursor, top, n, height int) int {
	top = min(top, cursor)
	top = max(top, cursor-height+1)
	return max(0, min(top, n-height))
}

// layerRow is one row of the list of layers: size, waste, command.
func (m *Model) layerRow(i, width int) string {
	mark, bytes, hidden, step := " ", "", "-", ""
	if i < len(m.layers) {
		l := m.layers[i]
		bytes = size(l.Size)
		if l.Wasted > 0 {
			hidden = size(l.Wasted)
		}
		step = stepName(l)
	} else {
		mark, bytes, hidden, step = "+", size(m.liveSize), "live", "writable layer"
		if m.bare {
			bytes = "-"
		}
		if !m.subject.Running {
			hidden = "-"
		}
		if a := age(m.now, m.changed); a != "" {
			step += "  ▲ " + a
		}
		if m.liveErr != nil {
			step = text.Clean(m.liveErr.Error())
		}
	}
	switch {
	case i == m.mark:
		mark = "A"
	case i == m.row && m.paired:
		mark = "B"
	case i == m.row:
		mark = "▌"
	}
	line := fmt.Sprintf("%s%6s %6s  ", mark, bytes, hidden)
	return m.cursorRow(text.Fit(line+step, width), i == m.row, m.on(onLayers))
}

// cursorRow draws a row in the style of the cursor if it is there.
func (m *Model) cursorRow(line string, cursor, focused bool) string {
	switch {
	case cursor && focused:
		return m.cfg.Theme.Cursor.Render(text.Strip(line))
	case cursor:
		return m.cfg.Theme.Faded.Render(text.Strip(line))
	}
	return line
}

// drawWaste is the report of what the image carries in vain.
func (m *Model) drawWaste(width, height int) []string {
	if height <= 0 || m.waste == nil {
		return nil
	}
	w := m.waste
	lines := []string{m.heading(fmt.Sprintf("Waste %s · score %d", size(w.bytes), w.score), "", width, false)}
	if len(w.files) == 0 {
		lines = append(lines, m.cfg.Theme.Dim.Render("  nothing is hidden by a later layer"))
	}
	for _, f := range w.files[:min(len(w.files), height-1)] {
		lines = append(lines, text.Fit(fmt.Sprintf(" %2d×%7s  %s", f.times, size(f.bytes), text.Clean(f.path)), width))
	}
	return lines
}

// drawViewer is the file or its difference.
func (m *Model) drawViewer(width, height int) []string {
	v := m.viewer
	title := text.Clean(v.file.path)
	if v.asDiff {
		title += "  " + v.msg.against + " → " + m.placeName(v.file.place)
	} else {
		title += "  " + m.placeName(v.file.place)
	}
	right := v.msg.note
	switch {
	case v.typing != nil:
		right = "/" + v.typing.View(20, true)
	case v.pager.Query().Active():
		at, of := v.pager.Hits()
		right = fmt.Sprintf("hit %d/%d", at, of)
	case v.msg.diff != nil && v.asDiff && v.file.kind != 0:
		right = "d file"
	case v.msg.diff != nil:
		right = strings.TrimPrefix(v.msg.note+"  d diff", "  ")
	}
	lines := []string{m.heading(title, right, width, m.on(onFile))}
	switch {
	case v.loading:
		return append(lines, m.cfg.Theme.Dim.Render(" reading …"))
	case v.msg.err != nil:
		return append(lines, " "+m.cfg.Theme.Bad.Render(text.Fit("✗ "+text.Clean(v.msg.err.Error()), max(width-2, 0))))
	case len(v.lines()) == 0:
		return append(lines, m.cfg.Theme.Dim.Render(" the file is empty"))
	}
	v.pager.SetSize(width, height-1)
	return append(lines, v.pager.View(m.cfg.Theme, width, height-1)...)
}

// placeName names one side of a difference.
func (m *Model) placeName(p place) string {
	if p.layer == live {
		return "live"
	}
	return fmt.Sprintf("layer %d", p.layer)
}

// size is a number of bytes in at most six cells.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%dB", max(n, 0))
	}
	return units.CustomSize("%.3g%s", float64(n), 1000.0, []string{"B", "k", "M", "G", "T", "P"})
}

// count is a number and its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
