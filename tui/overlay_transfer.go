package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// carry is a transfer that is under way: a pull, a push, a build and such. It
// goes on when its overlay is left; the strip then shows it.
type carry struct {
	nth      int
	verb     string // "pull"
	past     string
	name     string
	progress *transfer.Progress
	now      time.Time
	cancel   context.CancelFunc
	err      error // why it failed, of one whose words are worth reading
}

// failed tells whether it has ended, and only its words are left.
func (o *carry) failed() bool { return o.err != nil }

// update: escape leaves it to itself, x gives it up.
func (o *carry) update(m *model, msg tea.Msg) (bool, tea.Cmd) {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return false, nil
	}
	switch k.String() {
	case "esc", "q", "enter":
		if o.failed() {
			m.dropCarry(o)
		} else {
			m.say(o.verb + " of " + o.name + " goes on")
		}
		return true, nil
	case "x":
		o.cancel()
	case "up", "k":
		o.progress.Scroll(1)
	case "down", "j":
		o.progress.Scroll(-1)
	case "pgup", "ctrl+u":
		o.progress.Scroll(10)
	case "pgdown", "ctrl+d":
		o.progress.Scroll(-10)
	}
	return false, nil
}

// box draws the parts and the whole.
func (o *carry) box(m *model, width, height int) (theme.Frame, []string) {
	foot := "esc lets it go on  x gives it up"
	w, h := min(84, width-2), min(height-2, 18)
	if o.progress.Printed() { // of a build there is much to read
		w, h = min(120, width-2), max(height-2, 1)
	}
	if o.failed() {
		foot = "esc closes"
		h -= min(3, len(text.Wrap(clean(o.err).Error(), w-4)))
	}
	if o.progress.Printed() {
		foot = "k j scroll  " + foot
	}
	lines := o.progress.Lines(m.theme, w, h, o.now)
	if o.failed() {
		for i, row := range text.Wrap(clean(o.err).Error(), w-4) {
			if i < 3 {
				lines = append(lines, text.Fit(m.theme.Bad.Render(" ✗ "+row), w))
			}
		}
	}
	return theme.Frame{Title: m.theme.Strong.Render(o.verb + " " + text.Fit(o.name, min(text.Width(o.name), 50))), Footer: m.theme.Dim.Render(foot)}, lines
}

// carried takes in what is said of a transfer.
func (m *model) carried(msg feed.Transfer) {
	i := slices.IndexFunc(m.transfers, func(o *carry) bool { return o.nth == msg.Nth })
	if i < 0 {
		return
	}
	o := m.transfers[i]
	o.now = time.Now()
	for _, e := range msg.Messages {
		o.progress.At(o.now)
		o.progress.Add(e)
	}
	if !msg.Ended {
		return
	}
	o.cancel()
	shown := m.overlay == overlay(o)
	switch {
	case errors.Is(msg.Err, context.Canceled):
		m.say(o.verb + " of " + o.name + " given up" + kept[o.verb])
	case msg.Err != nil && o.progress.Printed():
		o.progress.Fail()
		o.err = msg.Err
		m.fail(fmt.Errorf("%s %s: %w", o.verb, o.name, clean(msg.Err)))
		return // what it has said tells why
	case msg.Err != nil:
		m.fail(fmt.Errorf("%s %s: %w", o.verb, o.name, clean(msg.Err)))
	default:
		said := o.past + " " + o.name
		if _, all := o.progress.Totals(); all > 0 {
			said += ", " + size(uint64(all))
		}
		m.say(fmt.Sprintf("%s in %s", said, o.now.Sub(o.progress.Began()).Round(100*time.Millisecond)))
	}
	m.dropCarry(o)
	if shown {
		m.overlay = nil
	}
}

// kept is what a transfer that is given up leaves.
var kept = map[string]string{"pull": "; what has come is kept for the next time", "build": "; the steps that are done are kept for the next time"}

// carrying tells whether a transfer is under way; its clock then goes on.
func (m *model) carrying() (yes bool) {
	for _, o := range m.transfers {
		if !o.failed() {
			o.now, yes = time.Now(), true
		}
	}
	return yes
}

// dropCarry forgets a transfer that is over.
func (m *model) dropCarry(o *carry) {
	m.transfers = slices.DeleteFunc(m.transfers, func(k *carry) bool { return k == o })
}

// showCarries opens the overlay of what is under way, or asks of which.
func (m *model) showCarries() {
	switch len(m.transfers) {
	case 0:
		m.say("nothing is being pulled, pushed, built, saved or loaded")
	case 1:
		m.overlay = m.transfers[0]
	default:
		var choices []choice
		for _, o := range m.transfers {
			choices = append(choices, choice{label: o.verb + " " + o.name, hint: o.progress.Brief(o.now), run: func() tea.Cmd {
				m.overlay = o
				return nil
			}})
		}
		m.overlay = newMenu("transfers under way", choices...)
	}
}

// carryLine is what is under way in a line; "" when nothing is.
func (m *model) carryLine() string {
	if len(m.transfers) == 0 {
		return ""
	}
	o := m.transfers[len(m.transfers)-1]
	s := m.theme.Info.Render("⇅ "+o.verb) + " " + text.Fit(o.name, min(text.Width(o.name), 24)) + " "
	if part, ok := o.progress.Part(); ok && !o.failed() {
		s += m.theme.Info.Render(transfer.Bar(part, 10)) + " "
	}
	if o.failed() {
		s += m.theme.Bad.Render("failed")
	} else {
		s += o.progress.Brief(o.now)
	}
	if n := len(m.transfers); n > 1 {
		s += fmt.Sprintf(" and %d more", n-1)
	}
	return s + m.theme.Dim.Render(" · ctrl+t")
}

// withCarries writes what is under way into the bottom of the strip.
func (m *model) withCarries(strip []string, width int) []string {
	line := m.carryLine()
	if line == "" || len(strip) == 0 || m.overlay != nil {
		return strip
	}
	if len(strip) < 3 {
		strip[len(strip)-1] = text.Fit(" "+line, width)
		return strip
	}
	label := " " + line + " "
	if w := text.Width(label); w+4 < width {
		bottom := strip[len(strip)-1]
		strip[len(strip)-1] = text.Cut(bottom, 0, 2) + label + text.Cut(bottom, 2+w, width)
	}
	return strip
}

// startCarry shows a transfer and starts it.
func (m *model) startCarry(command, verb, past, name string, do func(ctx context.Context, c *client.Client, say feed.Say) error) tea.Cmd {
	m.note(command)
	m.carries++
	ctx, cancel := context.WithCancel(m.feed.Context())
	now := time.Now()
	o := &carry{nth: m.carries, verb: verb, past: past, name: name, progress: transfer.New(now), now: now, cancel: cancel}
	m.transfers = append(m.transfers, o)
	m.overlay = o
	return m.feed.Carry(ctx, o.nth, do)
}

// registry carries an image from a registry or to it, with what shows who we are.
func (m *model) registry(verb, past, name string, do func(ctx context.Context, c *client.Client, auth string) (feed.Stream, error)) tea.Cmd {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		m.fail(fmt.Errorf("%s %s: %w", verb, name, err))
		return nil
	}
	auth := m.opt.Auth
	return m.startCarry("berth "+verb+" "+name, verb, past, name, func(ctx context.Context, c *client.Client, say feed.Say) error {
		key := ""
		if auth != nil {
			var err error
			if key, err = auth(reference.Domain(ref)); err != nil {
				return err
			}
		}
		stream, err := do(ctx, c, key)
		if err != nil {
			return err
		}
		return feed.Follow(ctx, stream, say)
	})
}

// pull downloads an image.
func (m *model) pull(name string) tea.Cmd {
	return m.registry("pull", "pulled", name, func(ctx context.Context, c *client.Client, auth string) (feed.Stream, error) {
		return c.ImagePull(ctx, name, client.ImagePullOptions{RegistryAuth: auth})
	})
}

// push uploads the selected image.
func (m *model) push(i state.Image) tea.Cmd {
	if i.Tag == "" {
		m.fail(errors.New("an image without a name cannot be pushed: t gives it one"))
		return nil
	}
	return m.registry("push", "pushed", i.Tag, func(ctx context.Context, c *client.Client, auth string) (feed.Stream, error) {
		return c.ImagePush(ctx, i.Tag, client.ImagePushOptions{RegistryAuth: auth})
	})
}
