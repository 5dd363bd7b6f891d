package feed

import (
	"fmt"

	tea "charm.land/bubbletea/v2"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"berth/tui/text"
)

// Aliases are the names that the members of a network are found by, by the ID
// of the container. The engine's list does not have them.
type Aliases struct {
	Network string
	Names   map[string][]string
	Err     error
}

// FetchAliases is the command that asks for them, member by member.
func (f *Feed) FetchAliases(network string, members []string) tea.Cmd {
	return func() tea.Msg {
		out := Aliases{Network: network, Names: map[string][]string{}}
		for _, id := range members {
			res, err := f.c.ContainerInspect(f.ctx, id, client.ContainerInspectOptions{})
			if errdefs.IsNotFound(err) { // it has just gone
				continue
			}
			if err != nil {
				out.Err = fmt.Errorf("asking for the names of container %s: %w", id, err)
				return out
			}
			if res.Container.NetworkSettings == nil {
				continue
			}
			for _, e := range res.Container.NetworkSettings.Networks {
				if e == nil || e.NetworkID != network {
					continue
				}
				for _, a := range append(e.Aliases, e.DNSNames...) {
					out.Names[id] = append(out.Names[id], text.Clean(a))
				}
			}
		}
		return out
	}
}
