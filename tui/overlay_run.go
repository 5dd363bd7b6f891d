package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"berth/tui/form"
	"berth/tui/state"
	"berth/tui/theme"
)

// runForm is the form that runs an image.
type runForm struct {
	form  *form.Form
	asked string // the image that was asked about last
}

// newRunForm begins with the selected image, or that of the selected container.
func newRunForm(m *model) *runForm {
	image := ""
	if i, ok := m.currentImage(); ok {
		image = i.Ref()
	} else if c, ok := m.current(); ok {
		image = c.Image
	}
	known := m.known()
	if image == "" && len(known.Images) > 0 {
		image = known.Images[0]
	}
	return &runForm{form: form.New(image, known)}
}

// known is what the form completes and holds against what is typed.
func (m *model) known() form.Known {
	k := form.Known{Ports: map[string]string{}}
	for _, i := range m.state.Images(state.ByName) {
		if i.Tag != "" {
			k.Images = append(k.Images, i.Tag)
		}
	}
	for _, n := range m.state.Networks(state.ByName) {
		k.Networks = append(k.Networks, n.Name)
	}
	for _, v := range m.state.Volumes(state.ByName) {
		if !v.Anonymous() {
			k.Volumes = append(k.Volumes, v.Name)
		}
	}
	for _, c := range m.state.Containers(true, state.ByName, m.use) {
		k.Names = append(k.Names, c.Name)
	}
	for _, p := range m.state.AllPorts(state.ByPort) {
		k.Ports[fmt.Sprintf("%d/%s", p.Public, p.Proto)] = p.Name
	}
	return k
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
		return false, m.feed.RunImage(options, !o.form.Spec().Created)
	}
	return false, o.askImage(m)
}

// failed puts the engine's answer into the form, so that it can be mended.
func (o *runForm) failed(err error) { o.form.Refused(clean(err)) }

// box draws the form.
func (o *runForm) box(m *model, width, height int) (theme.Frame, []string) {
	lines := o.form.Lines(m.theme, min(84, width-2), height-2)
	return theme.Frame{Title: m.theme.Strong.Render("run an image"), Footer: m.theme.Dim.Render("⏎ runs it  tab next  esc cancels")}, lines
}
