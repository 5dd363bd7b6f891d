package tui

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"berth/tui/feed"
	"berth/tui/keymap"
	"berth/tui/state"
)

// onNetworks does the verbs of networks.
func (m *model) onNetworks(a keymap.Action) (tea.Cmd, bool) {
	n, ok := m.nets.Current()
	if m.panel != networks || !ok && a != keymap.NewNetwork {
		return nil, false
	}
	switch a {
	case keymap.NewNetwork:
		m.prompt("new network", "name, and a subnet if it matters: web 10.9.0.0/24", "", networkCommand, m.newNetwork)
	case keymap.ConnectNetwork:
		m.askConnect(n)
	case keymap.DisconnectNetwork:
		m.askDisconnect(n)
	case keymap.RemoveNetwork:
		m.askRemoveNetworks()
	default:
		return nil, false
	}
	return nil, true
}

// networkCommand is the command line of what was typed: a name, then a subnet.
func networkCommand(s string) string {
	name, subnet, _ := strings.Cut(strings.TrimSpace(s), " ")
	if subnet = strings.TrimSpace(subnet); subnet != "" {
		return "berth network create --subnet " + subnet + " " + name
	}
	return "berth network create " + name
}

// newNetwork makes a network out of what was typed.
func (m *model) newNetwork(s string) tea.Cmd {
	name, subnet, _ := strings.Cut(strings.TrimSpace(s), " ")
	o := client.NetworkCreateOptions{Driver: "bridge"}
	if subnet = strings.TrimSpace(subnet); subnet != "" {
		p, err := netip.ParsePrefix(subnet)
		if err != nil {
			m.fail(fmt.Errorf("%q is no subnet: write one as 10.9.0.0/24", subnet))
			return nil
		}
		o.IPAM = &network.IPAM{Config: []network.IPAMConfig{{Subnet: p}}}
	}
	return m.order(networkCommand(s), feed.Done{Verb: "create network", Past: "made the network", Name: name},
		func(ctx context.Context, c *client.Client) (string, error) {
			_, err := c.NetworkCreate(ctx, name, o)
			return "", err
		})
}

// askConnect asks which container is to come into a network.
func (m *model) askConnect(n state.Network) {
	in := m.state.MembersOf(n)
	var choices []choice
	for _, c := range m.state.Containers(true, state.ByState, m.use) {
		if slices.ContainsFunc(in, func(k state.Member) bool { return k.Container.ID == c.ID }) {
			continue
		}
		command := "berth network connect " + n.Name + " " + c.Name
		choices = append(choices, choice{label: c.Name, hint: command, run: func() tea.Cmd {
			return m.order(command, feed.Done{Verb: "connect", Past: "connected", Name: c.Name, Told: "to " + n.Name},
				func(ctx context.Context, cl *client.Client) (string, error) {
					_, err := cl.NetworkConnect(ctx, n.ID, client.NetworkConnectOptions{Container: c.ID})
					return "", err
				})
		}})
	}
	if choices == nil {
		m.fail(fmt.Errorf("every container is in %s already", n.Name))
		return
	}
	m.overlay = newMenu("connect to "+n.Name, choices...)
}

// askDisconnect asks which member is to leave a network.
func (m *model) askDisconnect(n state.Network) {
	var choices []choice
	for _, k := range m.state.MembersOf(n) {
		command := "berth network disconnect " + n.Name + " " + k.Container.Name
		choices = append(choices, choice{label: k.Container.Name, hint: command, run: func() tea.Cmd {
			return m.order(command, feed.Done{Verb: "disconnect", Past: "disconnected", Name: k.Container.Name, Told: "from " + n.Name},
				func(ctx context.Context, cl *client.Client) (string, error) {
					_, err := cl.NetworkDisconnect(ctx, n.ID, client.NetworkDisconnectOptions{Container: k.Container.ID})
					return "", err
				})
		}})
	}
	if choices == nil {
		m.fail(fmt.Errorf("no container is in %s", n.Name))
		return
	}
	m.overlay = newMenu("disconnect from "+n.Name, choices...)
}

// askRemoveNetworks asks before networks go; those that cannot go are said to be so.
func (m *model) askRemoveNetworks() {
	chosen := m.nets.Chosen()
	for _, n := range chosen {
		if n.Builtin() {
			m.fail(fmt.Errorf("%s is a network that every engine has: it cannot be removed", n.Name))
			return
		}
		for _, k := range m.state.MembersOf(n) {
			if k.Container.Running() {
				m.fail(fmt.Errorf("%s is in %s: X disconnects it", k.Container.Name, n.Name))
				return
			}
		}
	}
	names := things(len(chosen), chosen[0].Name, "networks")
	m.overlay = newMenu("remove "+names+"?", choice{"y", "remove", "berth network rm " + names, func() tea.Cmd {
		var cmds []tea.Cmd
		for _, n := range chosen {
			cmds = append(cmds, m.order("berth network rm "+n.Name, feed.Done{Verb: "remove", Past: "removed", Name: n.Name},
				func(ctx context.Context, c *client.Client) (string, error) {
					_, err := c.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
					return "", err
				}))
		}
		m.nets.Clear()
		return tea.Batch(cmds...)
	}})
}
