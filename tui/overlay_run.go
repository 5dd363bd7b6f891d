package tui

import (
	tea "charm.land/bubbletea/v2"

	"berth/tui/form"
	"berth/tui/state"
	"berth/tui/theme"
)

// runForm is the form that runs an image.
type runForm struct{ form *form.Form }

// newRunForm begins with the selected image, or that of the selected container.
func newRunForm(m *model) *runForm {
	image := ""
	if i, ok := m.currentImage(); ok {
		image = i.Ref()
	} else if c, ok := m.current(); ok {
		image = c.Image
	}
	var known []string
	for _, i := range m.state.Images(state.ByName) {
		if i.Tag != "" {
			known = append(known, i.Tag)
		}
	}
	if image == "" && len(known) > 0 {
		image = known[0]
	}
	return &runForm{form.New(image, known)}
}

// update edits the form; once it is right the engine is asked, and the form
// stays until it has answered.
func (o *runForm) update(m *model, msg tea.Msg) (bool, tea.Cmd) {
	switch o.form.Update(msg) {
	case form.Cancelled:
		return true, nil
	case form.Submitted:
		options, err := o.form.Spec().Create()
		if err != nil {
			o.form.Refused(err)
			return false, nil
		}
		m.note(o.form.Spec().Line())
		o.form.Busy()
		return false, m.feed.RunImage(options)
	}
	return false, nil
}

// failed puts the engine's answer into the form, so that it can be mended.
func (o *runForm) failed(err error) { o.form.Refused(clean(err)) }

// box draws the form.
func (o *runForm) box(m *model, width, height int) (theme.Frame, []string) {
	lines := o.form.Lines(m.theme, min(84, width-2), height-2)
	return theme.Frame{Title: m.theme.Strong.Render("run an image"), Footer: m.theme.Dim.Render("⏎ runs it  tab next  esc cancels")}, lines
}
