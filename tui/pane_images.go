package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
	"berth/tui/list"
	"berth/tui/state"
	"berth/tui/text"
)

// newImages is the panel of images.
func newImages() *paneOf[state.Image] {
	return &paneOf[state.Image]{
		List: list.New(state.Image.Key, state.Image.Match),
		face: face{
			number: "3", name: "Images", noun: "image", scope: keymap.Images,
			tabs:   []tab{tabLayers, tabHistory, tabInspect},
			orders: []state.Order{state.ByName, state.BySize, state.ByAge},
			empty:  (*model).emptyImages,
			about:  about("images are layers of files", "P", "pulls one", "D", "browses its layers", "R", "runs it", "t", "gives it another name", "d", "removes it"),
		},
		rows:    func(m *model, by state.Order) []state.Image { return m.state.Images(by) },
		line:    (*model).imageRow,
		item:    func(i state.Image) item { return item{key: i.Key(), id: i.ID, title: i.Title(), ref: i.Ref()} },
		sheet:   (*model).imageSheet,
		strip:   (*model).imageStrip,
		inspect: func(m *model, i state.Image) tea.Cmd { return m.feed.InspectImage(i.ID) },
	}
}

// imageRow is the name, how many containers use it, and the size.
func (m *model) imageRow(i state.Image, width int) string {
	used := ""
	if n := m.state.UsedBy(i.ID); n > 0 {
		used = m.theme.Good.Render(fmt.Sprintf("%d×", n))
	}
	own := ""
	if shared, ok := m.state.Shared(i.ID); ok && width >= graphed {
		own = m.theme.Dim.Render(text.FitLeft(size(uint64(max(i.Size-shared, 0)))+" own", 11))
	}
	right := text.FitLeft(used, 4) + own + " " + text.FitLeft(size(uint64(max(i.Size, 0))), 6)
	name := i.Title()
	if i.Tag == "" {
		name = m.theme.Dim.Render(name)
	}
	return " " + text.Fit(name, width-3-text.Width(right)) + " " + right + " "
}

// imageStrip is drawStrip for an image.
func (m *model) imageStrip(i state.Image, width, height int) []string {
	used := "used by no container"
	if n := m.state.UsedBy(i.ID); n > 0 {
		used = "used by " + things(n, "one container", "containers")
	}
	line := size(uint64(max(i.Size, 0)))
	if shared, ok := m.state.Shared(i.ID); ok {
		line += m.theme.Dim.Render(", ") + size(uint64(max(i.Size-shared, 0))) + m.theme.Dim.Render(" of its own")
	}
	line += m.theme.Dim.Render(" · ") + used + m.theme.Dim.Render(" · "+state.Short(i.ID))
	return m.boxed(i.Title(), []string{line, "made " + stamp(i.Created)}, width, height)
}

// emptyImages teaches how images come in.
func (m *model) emptyImages(width int) []string {
	if _, loaded := m.state.Loaded(); !loaded {
		return nil
	}
	if m.imgs.Filter().Active() {
		return m.teach(width, "no image matches", "esc", "clears the filter")
	}
	return m.teach(width, "no images yet", "N", "makes a small starter", "P", "pulls one", "R", "runs one, which is pulled", "i", "loads a tar", "B", "builds one")
}
