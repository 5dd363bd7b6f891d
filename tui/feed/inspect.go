package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"
)

// Inspected is the JSON of a container or an image, indented.
type Inspected struct {
	ID   string
	JSON []byte
	Err  error
}

// InspectContainer is the command that fetches a container's JSON.
func (f *Feed) InspectContainer(id string) tea.Cmd {
	return f.inspect(id, func() (json.RawMessage, error) {
		res, err := f.c.ContainerInspect(f.ctx, id, client.ContainerInspectOptions{})
		return res.Raw, err
	})
}

// InspectImage is the command that fetches an image's JSON.
func (f *Feed) InspectImage(id string) tea.Cmd {
	return f.inspect(id, func() (json.RawMessage, error) {
		var raw bytes.Buffer
		_, err := f.c.ImageInspect(f.ctx, id, client.ImageInspectWithRawResponse(&raw))
		return raw.Bytes(), err
	})
}

// InspectVolume is the command that fetches a volume's JSON.
func (f *Feed) InspectVolume(name string) tea.Cmd {
	return f.inspect(name, func() (json.RawMessage, error) {
		res, err := f.c.VolumeInspect(f.ctx, name, client.VolumeInspectOptions{})
		return res.Raw, err
	})
}

// InspectNetwork is the command that fetches a network's JSON.
func (f *Feed) InspectNetwork(id string) tea.Cmd {
	return f.inspect(id, func() (json.RawMessage, error) {
		res, err := f.c.NetworkInspect(f.ctx, id, client.NetworkInspectOptions{})
		return res.Raw, err
	})
}

// inspect runs get and indents what it brought.
func (f *Feed) inspect(id string, get func() (json.RawMessage, error)) tea.Cmd {
	return func() tea.Msg {
		raw, err := get()
		if err != nil {
			return Inspected{ID: id, Err: fmt.Errorf("inspecting %s: %w", id, err)}
		}
		var out bytes.Buffer
		if err := json.Indent(&out, raw, "", "  "); err != nil {
			return Inspected{ID: id, Err: fmt.Errorf("reading the description of %s: %w", id, err)}
		}
		return Inspected{ID: id, JSON: out.Bytes()}
	}
}

// Done reports the end of a verb on one object.
type Done struct {
	Verb string // "stop"
	Past string // "stopped"
	ID   string
	Name string
	Told string // what else the engine said: "freed 12M"
	Err  error
}

// Do is the command that runs a verb. do gets the feed's context and client.
func (f *Feed) Do(d Done, do func(ctx context.Context, c *client.Client) error) tea.Cmd {
	return f.Ask(d, func(ctx context.Context, c *client.Client) (string, error) { return "", do(ctx, c) })
}

// Ask is Do for a verb that has something to tell when it is done.
func (f *Feed) Ask(d Done, do func(ctx context.Context, c *client.Client) (told string, err error)) tea.Cmd {
	return func() tea.Msg {
		f.lane <- struct{}{}
		defer func() { <-f.lane }()
		told, err := do(f.ctx, f.c)
		if d.Err = err; told != "" {
			d.Told = told
		}
		return d
	}
}

// Ran answers RunImage.
type Ran struct {
	ID, Name string
	Warnings []string
	Made     bool // and not started
	Err      error
}

// RunImage is the command that creates a container, and starts it if start is
// set. One that was created but could not be started is removed again.
func (f *Feed) RunImage(o client.ContainerCreateOptions, start bool) tea.Cmd {
	return func() tea.Msg {
		res, err := f.c.ContainerCreate(f.ctx, o)
		if err != nil {
			return Ran{Name: o.Name, Err: fmt.Errorf("creating the container: %w", err)}
		}
		if !start {
			return Ran{ID: res.ID, Name: o.Name, Warnings: res.Warnings, Made: true}
		}
		if _, err := f.c.ContainerStart(f.ctx, res.ID, client.ContainerStartOptions{}); err != nil {
			err = fmt.Errorf("starting the container: %w", err)
			if _, rmErr := f.c.ContainerRemove(f.ctx, res.ID, client.ContainerRemoveOptions{Force: true}); rmErr != nil {
				err = fmt.Errorf("%w (and removing it again: %w)", err, rmErr)
			}
			return Ran{ID: res.ID, Name: o.Name, Err: err}
		}
		return Ran{ID: res.ID, Name: o.Name, Warnings: res.Warnings}
	}
}

// With is the command that asks the engine something; what ask returns is the
// message.
func (f *Feed) With(ask func(ctx context.Context, c *client.Client) tea.Msg) tea.Cmd {
	return func() tea.Msg { return ask(f.ctx, f.c) }
}
