package tui

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"berth/engine/api/berthapi"
	"berth/tui/feed"
	"berth/tui/form"
	"berth/tui/keymap"
	"berth/tui/state"
)

// onPorts does the verbs of ports.
func (m *model) onPorts(a keymap.Action) (tea.Cmd, bool) {
	p, ok := m.ports.Current()
	if m.panel != ports || !ok && a != keymap.NewPort {
		return nil, false
	}
	switch a {
	case keymap.NewPort:
		m.askPublish()
	case keymap.OpenURL:
		return m.openURL(p), true
	case keymap.RemovePort:
		command := "berth port rm " + p.Name + " " + p.Flag()
		m.overlay = newMenu("publish "+p.Address()+" no more?", choice{"y", "close it", command, func() tea.Cmd {
			return m.changePorts(command, "close", "closed", p.Container, p.Flag(), true)
		}})
	default:
		return nil, false
	}
	return nil, true
}

// askPublish asks of which container a port is to be published, then which one.
func (m *model) askPublish() {
	var choices []choice
	for _, c := range m.state.Containers(false, state.ByName, m.use) {
		command := func(s string) string { return "berth port add " + c.Name + " " + s }
		choices = append(choices, choice{label: c.Name, hint: c.Ports, run: func() tea.Cmd {
			m.prompt("publish a port of "+c.Name, "8080:80 or 127.0.0.1:5353:53/udp", "", command, func(s string) tea.Cmd {
				return m.changePorts(command(s), "publish", "published", c.ID, s, false)
			})
			return nil
		}})
	}
	if choices == nil {
		m.fail(errors.New("nothing runs whose ports could be published: R runs an image"))
		return
	}
	m.overlay = newMenu("publish a port of", choices...)
}

// changePorts adds or removes a mapping of a container that runs on.
func (m *model) changePorts(command, verb, past, id, flag string, remove bool) tea.Cmd {
	_, bindings, err := form.ParsePorts(flag)
	if err != nil {
		m.fail(err)
		return nil
	}
	return m.order(command, feed.Done{Verb: verb, Past: past, Name: flag}, func(ctx context.Context, _ *client.Client) (string, error) {
		change := berthapi.PortChange{Add: bindings}
		if remove {
			change = berthapi.PortChange{Remove: bindings}
		}
		now, err := m.berth.ChangePorts(ctx, id, change)
		return published(now), err
	})
}

// published counts what a container publishes now.
func published(all network.PortMap) string {
	n := 0
	for _, b := range all {
		n += len(b)
	}
	return "it publishes " + things(n, "one port", "ports") + " now"
}

// openers are the programs that open a URL, by operating system.
var openers = map[string]string{"darwin": "open", "windows": "explorer"}

// openURL opens a port in the browser of this machine.
func (m *model) openURL(p state.Port) tea.Cmd {
	if p.Proto != "tcp" {
		m.fail(fmt.Errorf("%s is %s: a browser cannot open it", p.Address(), p.Proto))
		return nil
	}
	program := openers[runtime.GOOS]
	if program == "" {
		program = "xdg-open"
	}
	return m.feed.Do(feed.Done{Verb: "open", Past: "opened", Name: p.URL()}, func(ctx context.Context, _ *client.Client) error {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed here: y copies the URL", program)
		}
		return exec.CommandContext(ctx, program, p.URL()).Run()
	})
}
