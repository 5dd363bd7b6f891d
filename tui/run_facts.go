package tui

import (
	"context"
	"slices"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/form"
	"berth/tui/listeners"
	"berth/tui/text"
)

// imageTold is what an image says of itself.
type imageTold struct {
	name  string
	about form.About
}

// listened is who listens on the ports of this machine.
type listened struct{ held []listeners.Listener }

// askImage asks what the form's image exposes and sets, if it is a new one.
func (o *runForm) askImage(m *model) tea.Cmd {
	name := o.form.Wants()
	if name == "" || name == o.asked {
		return nil
	}
	o.asked = name
	return m.feed.With(func(ctx context.Context, c *client.Client) tea.Msg {
		told := imageTold{name: name}
		res, err := c.ImageInspect(ctx, name)
		if err != nil || res.Config == nil {
			return told // then nothing is proposed; running it says why
		}
		for _, e := range res.Config.Env {
			told.about.Env = append(told.about.Env, text.Clean(e))
		}
		for p := range res.Config.ExposedPorts {
			told.about.Ports = append(told.about.Ports, text.Clean(p))
		}
		slices.Sort(told.about.Ports)
		return told
	})
}

// askListeners asks who listens on the engine's machine, when that is this one.
func (m *model) askListeners() tea.Cmd {
	if !m.near() {
		return nil
	}
	list := m.opt.Listeners
	return func() tea.Msg {
		held, err := list()
		if err != nil {
			return nil // then the engine says what is taken
		}
		return listened{held}
	}
}

// inForm hands what was found out to the form, if it is still there.
func (m *model) inForm(do func(*form.Form)) {
	if o, ok := m.overlay.(*runForm); ok {
		do(o.form)
	}
}

// heldPorts are the listeners as the form takes them.
func heldPorts(all []listeners.Listener) []form.Held {
	out := make([]form.Held, len(all))
	for i, l := range all {
		out[i] = form.Held{Addr: l.Addr, Port: l.Port, Proto: l.Proto, By: text.Clean(l.By())}
	}
	return out
}
