package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
	"berth/tui/list"
	"berth/tui/state"
	"berth/tui/text"
)

// newVolumes is the panel of volumes.
func newVolumes() *paneOf[state.Volume] {
	return &paneOf[state.Volume]{
		List: list.New(func(v state.Volume) string { return v.Name }, state.Volume.Match),
		face: face{
			number: "4", name: "Volumes", noun: "volume", scope: keymap.Volumes,
			tabs:   []tab{tabAbout, tabFiles, tabInspect},
			orders: []state.Order{state.ByName, state.BySize, state.ByAge},
			empty:  noRows("volumes", "N", "makes one"),
			about:  about("a volume: files that outlive containers", "N", "makes one", "R", "runs an image with one: volume:/path"),
		},
		rows:    func(m *model, by state.Order) []state.Volume { return m.state.Volumes(by) },
		line:    (*model).volumeRow,
		item:    func(v state.Volume) item { return item{key: v.Name, id: v.Name, title: v.Title(), ref: v.Name} },
		sheet:   (*model).volumeSheet,
		strip:   (*model).volumeStrip,
		inspect: func(m *model, v state.Volume) tea.Cmd { return m.feed.InspectVolume(v.Name) },
	}
}

// volumeSize is the size in words, "" as long as it is not known.
func volumeSize(v state.Volume) string {
	if v.Size < 0 {
		return ""
	}
	return size(uint64(v.Size))
}

// volumeRow is whether it is used, its name, how many use it, and its size.
func (m *model) volumeRow(v state.Volume, width int) string {
	glyph, used := m.theme.Dim.Render("○"), ""
	if users := m.state.UsersOf(v.Name); len(users) > 0 {
		glyph = m.theme.Good.Render("●")
		used = m.theme.Good.Render(fmt.Sprintf("%d×", len(users)))
	}
	bytes := volumeSize(v)
	if bytes == "" {
		bytes = m.theme.Dim.Render("–")
	}
	right := text.FitLeft(used, 4) + " " + text.FitLeft(bytes, 6)
	name := v.Title()
	if v.Anonymous() {
		name = m.theme.Dim.Render(name)
	}
	return " " + glyph + " " + text.Fit(name, width-5-text.Width(right)) + " " + right + " "
}

// volumeSheet is who uses a volume, where, and what is known of it.
func (m *model) volumeSheet(v state.Volume, width int) []string {
	s := sheet{m: m, width: width}
	users := m.state.UsersOf(v.Name)
	if len(users) == 0 {
		s.note("no container uses it")
	} else {
		s.title("used by")
	}
	for _, u := range users {
		mode := "read and write"
		if u.ReadOnly {
			mode = "read only"
		}
		s.row(m.glyph(u.Container)+" "+m.theme.Strong.Render(u.Container.Name), u.Path, m.theme.Dim.Render(mode))
	}
	s.table()
	s.title("volume")
	s.row("name", v.Name)
	s.row("driver", v.Driver)
	s.row("size", volumeSize(v))
	if v.Created > 0 {
		s.row("made", stamp(v.Created))
	}
	s.row("kept in", v.Path)
	s.table()
	s.pairs("options", v.Options)
	s.pairs("labels", v.Labels)
	return s.lines
}

// volumeStrip is one line about a volume.
func (m *model) volumeStrip(v state.Volume, width, height int) []string {
	used := "used by no container"
	if n := len(m.state.UsersOf(v.Name)); n > 0 {
		used = "used by " + things(n, "one container", "containers")
	}
	line := used + m.theme.Dim.Render(" · "+v.Driver)
	if s := volumeSize(v); s != "" {
		line = s + m.theme.Dim.Render(" · ") + line
	}
	return m.boxed(v.Title(), []string{line, v.Path}, width, height)
}
