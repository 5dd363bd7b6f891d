package state

import (
	"cmp"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/network"

	"berth/tui/text"
)

// Network is one network as the console shows it.
type Network struct {
	ID       string
	Name     string
	Driver   string
	Subnets  []string // "172.18.0.0/16"
	Gateways []string
	Internal bool
	IPv6     bool
	Created  int64 // Unix seconds
	Labels   map[string]string
	Options  map[string]string
}

// Builtin tells whether the network is one that every engine has and that
// cannot be removed.
func (n Network) Builtin() bool { return n.Name == "bridge" || n.Name == "host" || n.Name == "none" }

// Match is what the filter looks at.
func (n Network) Match() string {
	return strings.Join([]string{n.Name, n.Driver, strings.Join(n.Subnets, " "), Short(n.ID)}, " ")
}

// FromNetworks cleans the engine's list.
func FromNetworks(list []network.Summary) []Network {
	out := make([]Network, 0, len(list))
	for _, n := range list {
		row := Network{
			ID: text.Clean(n.ID), Name: text.Clean(n.Name), Driver: text.Clean(n.Driver), Internal: n.Internal, IPv6: n.EnableIPv6,
			Created: n.Created.Unix(), Labels: cleanMap(n.Labels), Options: cleanMap(n.Options),
		}
		for _, c := range n.IPAM.Config {
			if c.Subnet.IsValid() {
				row.Subnets = append(row.Subnets, c.Subnet.String())
			}
			if c.Gateway.IsValid() {
				row.Gateways = append(row.Gateways, c.Gateway.String())
			}
		}
		out = append(out, row)
	}
	return out
}

// SetNetworks is the snapshot of networks.
func (s *State) SetNetworks(list []Network) {
	s.networks = list
	s.loaded.networks = true
}

// PutNetworks stores an answer and tells whether to fetch again.
func (s *State) PutNetworks(list []Network) (again bool) {
	s.SetNetworks(list)
	return s.done(networkRows)
}

// Networks lists the networks; those that every engine has come last.
func (s *State) Networks(by Order) []Network {
	out := slices.Clone(s.networks)
	slices.SortFunc(out, func(a, b Network) int {
		name := cmp.Or(cmp.Compare(b2i(a.Builtin()), b2i(b.Builtin())), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
		switch by {
		case ByMembers:
			return cmp.Or(cmp.Compare(len(s.MembersOf(b)), len(s.MembersOf(a))), name)
		case ByAge:
			return cmp.Or(cmp.Compare(b.Created, a.Created), name)
		}
		return name
	})
	return out
}

// Member is a container in a network.
type Member struct {
	Container Container
	Endpoint  Endpoint
}

// MembersOf lists the containers in a network, by name.
func (s *State) MembersOf(n Network) []Member {
	var out []Member
	for _, c := range s.containers {
		for _, e := range c.Networks {
			if e.NetworkID == n.ID || e.NetworkID == "" && e.Network == n.Name {
				out = append(out, Member{Container: c, Endpoint: e})
			}
		}
	}
	slices.SortFunc(out, func(a, b Member) int { return strings.Compare(a.Container.Name, b.Container.Name) })
	return out
}
