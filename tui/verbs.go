package tui

import (
	"context"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"berth/tui/feed"
	"berth/tui/keymap"
	"berth/tui/state"
	"berth/tui/text"
)

// verb is something done to containers. It acts on the engine's state: what
// the row shows decides nothing but words.
type verb struct {
	name, past, doing string
	command           func(c state.Container) string
	do                func(ctx context.Context, c *client.Client, id string) error
}

// plain is the command line of a verb that takes a name only.
func plain(name string) func(state.Container) string {
	return func(c state.Container) string { return "berth " + name + " " + c.Name }
}

var verbs = map[keymap.Action]verb{
	keymap.Start: {"start", "started", "starting", plain("start"), func(ctx context.Context, c *client.Client, id string) error {
		_, err := c.ContainerStart(ctx, id, client.ContainerStartOptions{})
		return err
	}},
	keymap.Stop: {"stop", "stopped", "stopping", plain("stop"), func(ctx context.Context, c *client.Client, id string) error {
		_, err := c.ContainerStop(ctx, id, client.ContainerStopOptions{})
		return err
	}},
	keymap.Restart: {"restart", "restarted", "restarting", plain("restart"), func(ctx context.Context, c *client.Client, id string) error {
		_, err := c.ContainerRestart(ctx, id, client.ContainerRestartOptions{})
		return err
	}},
	keymap.Pause: {"pause", "paused or resumed", "pausing", func(c state.Container) string {
		if c.State == "paused" {
			return "berth unpause " + c.Name
		}
		return "berth pause " + c.Name
	}, pauseOrResume},
	keymap.Kill: {"kill", "killed", "killing", plain("kill"), func(ctx context.Context, c *client.Client, id string) error {
		_, err := c.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "KILL"})
		return err
	}},
}

// pauseOrResume asks the engine which of the two it is.
func pauseOrResume(ctx context.Context, c *client.Client, id string) error {
	res, err := c.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	if s := res.Container.State; s != nil && s.Paused {
		_, err = c.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
		return err
	}
	_, err = c.ContainerPause(ctx, id, client.ContainerPauseOptions{})
	return err
}

// removal is the verb that removes.
func removal(force, volumes bool) verb {
	flags := ""
	if force {
		flags += " -f"
	}
	if volumes {
		flags += " -v"
	}
	return verb{"remove", "removed", "removing", plain("rm" + flags), func(ctx context.Context, c *client.Client, id string) error {
		_, err := c.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: force, RemoveVolumes: volumes})
		return err
	}}
}

// act runs a verb on everything chosen in the list of containers.
func (m *model) act(v verb) tea.Cmd {
	chosen := m.targets()
	if len(chosen) == 0 {
		m.fail(fmt.Errorf("%s: no container is selected", v.name))
		return nil
	}
	cmds := make([]tea.Cmd, 0, len(chosen))
	for _, c := range chosen {
		m.state.SetBusy(c.ID, v.doing)
		m.note(v.command(c))
		d := feed.Done{Verb: v.name, Past: v.past, ID: c.ID, Name: c.Name}
		cmds = append(cmds, m.feed.Do(d, func(ctx context.Context, cl *client.Client) error { return v.do(ctx, cl, c.ID) }))
	}
	m.pane().Clear()
	m.refresh()
	m.say(v.doing + " " + things(len(chosen), chosen[0].Name, "containers") + "…")
	return tea.Batch(cmds...)
}

// things names one thing, or counts several.
func things(n int, name, plural string) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%d %s", n, plural)
}

// done reports the end of a verb.
func (m *model) done(d feed.Done) tea.Cmd {
	m.state.SetBusy(d.ID, "")
	m.refresh()
	switch {
	case d.Err != nil && errdefs.IsNotFound(d.Err):
		m.fail(fmt.Errorf("%s %s: it is gone already", d.Verb, d.Name))
	case d.Err != nil:
		m.fail(fmt.Errorf("%s %s: %w", d.Verb, d.Name, clean(d.Err)))
	case !m.bad:
		m.say(strings.TrimSpace(d.Past + " " + d.Name + " " + text.Clean(d.Told)))
	}
	return nil
}

// targets are the containers that verbs act on: the chosen ones, or those of
// the chosen projects.
func (m *model) targets() []state.Container {
	switch m.panel {
	case containers:
		return m.conts.Chosen()
	case projects:
		var out []state.Container
		for _, p := range m.projs.Chosen() {
			out = append(out, p.Containers...)
		}
		return out
	}
	return nil
}

// order notes a command in the command log and has the engine do it.
func (m *model) order(command string, d feed.Done, do func(ctx context.Context, c *client.Client) (told string, err error)) tea.Cmd {
	m.note(command)
	return m.feed.Ask(d, do)
}

// ran reports the end of the form: the new container becomes the selected one.
func (m *model) ran(r feed.Ran) tea.Cmd {
	if r.Err != nil {
		m.fail(clean(r.Err))
		if o, ok := m.overlay.(*runForm); ok {
			o.failed(r.Err)
		}
		return nil
	}
	if _, ok := m.overlay.(*runForm); ok {
		m.overlay = nil
	}
	name := r.Name
	if name == "" {
		name = state.Short(r.ID)
	}
	what, next := "running "+name, "E opens a shell in it"
	if r.Made {
		what, next = "made "+name, "S starts it"
	}
	m.say(what + " · " + next)
	for _, w := range r.Warnings {
		m.say(what + " · " + text.Clean(w))
	}
	m.panel, m.selectID = containers, r.ID
	m.conts.SetFilter(m.conts.Filter())
	m.refresh()
	return nil
}

// imageVerb runs something on the chosen images.
func (m *model) imageVerb(d feed.Done, command func(state.Image) string, do func(ctx context.Context, c *client.Client, ref string) error) tea.Cmd {
	chosen := m.imgs.Chosen()
	if len(chosen) == 0 {
		m.fail(fmt.Errorf("%s: no image is selected", d.Verb))
		return nil
	}
	var cmds []tea.Cmd
	for _, i := range chosen {
		one := d
		one.Name = i.Title()
		m.note(command(i))
		ref := i.Ref()
		cmds = append(cmds, m.feed.Do(one, func(ctx context.Context, c *client.Client) error { return do(ctx, c, ref) }))
	}
	m.imgs.Clear()
	return tea.Batch(cmds...)
}

// removeImages removes the chosen names, and the images that lose their last one.
func (m *model) removeImages(force bool) tea.Cmd {
	flags := ""
	if force {
		flags = " -f"
	}
	return m.imageVerb(feed.Done{Verb: "remove", Past: "removed"},
		func(i state.Image) string { return "berth rmi" + flags + " " + i.Ref() },
		func(ctx context.Context, c *client.Client, ref string) error {
			_, err := c.ImageRemove(ctx, ref, client.ImageRemoveOptions{Force: force, PruneChildren: true})
			return err
		})
}

// tagImage gives an image another name.
func (m *model) tagImage(i state.Image, name string) tea.Cmd {
	m.note("berth tag " + i.Ref() + " " + name)
	return m.feed.Do(feed.Done{Verb: "tag", Past: "tagged " + i.Title() + " as", Name: name},
		func(ctx context.Context, c *client.Client) error {
			_, err := c.ImageTag(ctx, client.ImageTagOptions{Source: i.Ref(), Target: name})
			return err
		})
}
