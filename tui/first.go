package tui

import (
	"context"
	"errors"
	"fmt"
	"io"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/feed"
	"berth/tui/keymap"
	"berth/tui/text"
)

// looked is what the machine was found to be when the console came to an engine
// that has nothing yet.
type looked struct {
	findings []Finding
	err      error
}

// firstLook examines the machine, once, when the engine has neither containers
// nor images: whoever starts for the first time learns what is lacking before
// something fails because of it.
func (m *model) firstLook() tea.Cmd {
	list, all := m.state.Loaded()
	if m.lookedAt || !list || !all || m.gone != nil {
		return nil
	}
	m.lookedAt = true
	examine := m.opt.Doctor
	if _, n := m.state.Counts(); n > 0 || m.imgs.Total() > 0 || examine == nil {
		return nil
	}
	return m.feed.With(func(ctx context.Context, _ *client.Client) tea.Msg {
		found, err := examine(ctx)
		return looked{found, err}
	})
}

// lacks says in a line what the machine lacks: the worst of it, how much more
// there is, and where all of it stands.
func (m *model) lacks(msg looked) {
	if msg.err != nil {
		m.fail(fmt.Errorf("looking at the machine: %w", clean(msg.err)))
		return
	}
	var worst Finding
	n := 0
	for _, f := range msg.findings {
		if f.Status != "warning" && f.Status != "bad" {
			continue
		}
		if n++; n == 1 || f.Status == "bad" && worst.Status != "bad" {
			worst = f
		}
	}
	if n == 0 || m.hint != "" { // what was said meanwhile matters more
		return
	}
	way := "'berth doctor'"
	if system, ok := m.keys.Of(keymap.System); ok && len(system.Keys) > 0 {
		if doctor, ok := m.keys.Of(keymap.PrevTab); ok && len(doctor.Keys) > 0 {
			way = keymap.Pretty(system.Keys[0]) + " then " + keymap.Pretty(doctor.Keys[0])
		}
	}
	m.hint = fmt.Sprintf("this machine lacks %s (%s: what mends it) · %s", things(n, "something", "things"), way, text.Clean(worst.Name+": "+worst.Text))
	m.bad = worst.Status == "bad"
}

// makeStarter has the engine load the small image that a first container can be
// made of.
func (m *model) makeStarter() tea.Cmd {
	if m.opt.Starter == nil {
		m.fail(errors.New("no starter image can be made here: P pulls an image"))
		return nil
	}
	return m.startCarry("berth image starter", "make", "made", starterName, func(ctx context.Context, c *client.Client, say feed.Say) error {
		archive, err := m.opt.Starter(ctx)
		if err != nil {
			return err
		}
		defer archive.Close()
		res, err := c.ImageLoad(ctx, feed.Counted(archive, starterName, "Loading", 0, say))
		if err != nil {
			return err
		}
		defer res.Close()
		return feed.FollowBody(res, say)
	})
}

// starterName is how the starter image is run.
const starterName = "berth/starter"

// Starter makes the archive of images that a new user begins with.
type Starter func(ctx context.Context) (io.ReadCloser, error)
