package tui

import (
	"context"
	"errors"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"

	"berth/tui/feed"
	"berth/tui/state"
	"berth/tui/text"
	"berth/tui/theme"
	"berth/tui/transfer"
)

// carry is a pull or a push that is under way.
type carry struct {
	nth      int
	verb     string // "pull"
	past     string
	name     string
	progress *transfer.Progress
	now      time.Time
	cancel   context.CancelFunc
}

// update: escape gives the transfer up; what has come stays with the engine.
func (o *carry) update(_ *model, msg tea.Msg) (bool, tea.Cmd) {
	if k, ok := msg.(tea.KeyPressMsg); ok && k.String() == "esc" {
		o.cancel()
	}
	return false, nil
}

// box draws the layers and the whole.
func (o *carry) box(m *model, width, height int) (theme.Frame, []string) {
	return theme.Frame{Title: m.theme.Strong.Render(o.verb + " " + text.Fit(o.name, min(text.Width(o.name), 50))), Footer: m.theme.Dim.Render("esc gives it up")},
		o.progress.Lines(m.theme, min(84, width-2), min(height-2, 18), o.now)
}

// carried takes in what the engine says of the transfer under way.
func (m *model) carried(msg feed.Transfer) {
	o, ok := m.overlay.(*carry)
	if !ok || o.nth != msg.Nth {
		return
	}
	o.now = time.Now()
	for _, e := range msg.Messages {
		o.progress.Add(e)
	}
	if !msg.Ended {
		return
	}
	o.cancel()
	m.overlay = nil
	switch {
	case errors.Is(msg.Err, context.Canceled):
		m.say(o.verb + " of " + o.name + " given up; what has come is kept for the next time")
	case msg.Err != nil:
		m.fail(fmt.Errorf("%s %s: %w", o.verb, o.name, clean(msg.Err)))
	default:
		_, all := o.progress.Totals()
		m.say(fmt.Sprintf("%s %s, %s in %s", o.past, o.name, size(uint64(all)), o.now.Sub(o.progress.Began()).Round(100*time.Millisecond)))
	}
}

// begin shows a transfer and starts it.
func (m *model) begin(verb, past, name string, do func(ctx context.Context, c *client.Client, auth string) (feed.Stream, error)) tea.Cmd {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		m.fail(fmt.Errorf("%s %s: %w", verb, name, err))
		return nil
	}
	m.note("berth " + verb + " " + name)
	m.carries++
	ctx, cancel := context.WithCancel(m.feed.Context())
	now := time.Now()
	o := &carry{nth: m.carries, verb: verb, past: past, name: name, progress: transfer.New(now), now: now, cancel: cancel}
	m.overlay = o
	auth := m.opt.Auth
	return m.feed.BeginTransfer(ctx, o.nth, func(ctx context.Context, c *client.Client) (feed.Stream, error) {
		key := ""
		if auth != nil {
			var err error
			if key, err = auth(reference.Domain(ref)); err != nil {
				return nil, err
			}
		}
		return do(ctx, c, key)
	})
}

// pull downloads an image.
func (m *model) pull(name string) tea.Cmd {
	return m.begin("pull", "pulled", name, func(ctx context.Context, c *client.Client, auth string) (feed.Stream, error) {
		return c.ImagePull(ctx, name, client.ImagePullOptions{RegistryAuth: auth})
	})
}

// push uploads the selected image.
func (m *model) push(i state.Image) tea.Cmd {
	if i.Tag == "" {
		m.fail(errors.New("an image without a name cannot be pushed: t gives it one"))
		return nil
	}
	return m.begin("push", "pushed", i.Tag, func(ctx context.Context, c *client.Client, auth string) (feed.Stream, error) {
		return c.ImagePush(ctx, i.Tag, client.ImagePushOptions{RegistryAuth: auth})
	})
}
