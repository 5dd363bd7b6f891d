package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"berth/engine/events"
	"berth/engine/filter"
	engnet "berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
)

// Networks shows the engine's networks in Docker's terms. Those that need no device (host, none) exist in every engine.
type Networks struct {
	manager *engnet.Manager
	// name is the name of a container, without the slash; "" if it is gone.
	name func(containerID string) string
	// used tells whether a container refers to the network of this name.
	used   func(name string) bool
	events *events.Bus // nil: nobody listens
}

// List returns the networks that pass the filters dangling, driver, id, label, name, scope and type.
func (n *Networks) List(_ context.Context, filters filter.Args) ([]network.Summary, error) {
	if err := filters.Validate("dangling", "driver", "id", "label", "name", "scope", "type"); err != nil {
		return nil, err
	}
	dangling, err := filters.Bool("dangling", false)
	if err != nil {
		return nil, err
	}
	for _, t := range filters.Values("type") {
		if t != "builtin" && t != "custom" {
			return nil, fmt.Errorf("invalid filter 'type=%s': %w", t, errdefs.ErrInvalidArgument)
		}
	}
	var out []network.Summary
	for _, full := range n.all() {
		used := len(full.Containers) > 0
		kind := "custom"
		if predefined(full.Name) {
			kind = "builtin"
		}
		if filters.Has("dangling") && (kind == "builtin" || used == dangling) {
			continue
		}
		if filters.Exact("driver", full.Driver) && filters.Prefix("id", full.ID) && filters.Match("name", full.Name) &&
			filters.Exact("scope", full.Scope) && filters.Exact("type", kind) && filters.Labels(full.Labels) {
			out = append(out, network.Summary{Network: full.Network})
		}
	}
	return out, nil
}

// Inspect returns the network with this name, ID or unique beginning of an ID, with the containers in it. The error is
// of kind NotFound, or InvalidArgument where several match.
func (n *Networks) Inspect(_ context.Context, ref string) (network.Inspect, error) {
	all := n.all()
	for _, is := range []func(network.Inspect) bool{
		func(i network.Inspect) bool { return i.ID == ref },
		func(i network.Inspect) bool { return i.Name == ref },
	} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i], nil
		}
	}
	var found []network.Inspect
	for _, full := range all {
		if ref != "" && strings.HasPrefix(full.ID, ref) {
			found = append(found, full)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return network.Inspect{}, fmt.Errorf("network %s not found: %w", ref, errdefs.ErrNotFound)
	}
	return network.Inspect{}, fmt.Errorf("network %s is ambiguous (%d matches found on name): %w", ref, len(found), errdefs.ErrInvalidArgument)
}

// all returns every network, sorted by name.
func (n *Networks) all() []network.Inspect {
	var out []network.Inspect
	seed := ""
	for _, one := range n.manager.List() {
		if full, err := n.bridge(one.ID); err == nil {
			out = append(out, full)
		}
		if one.Name == engnet.Bridge {
			seed = one.ID
		}
	}
	out = append(out, builtin(seed, network.NetworkHost, "host"), builtin(seed, network.NetworkNone, "null"))
	slices.SortFunc(out, func(a, b network.Inspect) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// bridge is the network id of the manager.
func (n *Networks) bridge(id string) (network.Inspect, error) {
	one, members, err := n.manager.Inspect(id)
	if err != nil {
		return network.Inspect{}, err
	}
	full := network.Inspect{
		Network: network.Network{
			Name: one.Name, ID: one.ID, Created: one.Created, Scope: "local", Driver: driverOf(one),
			EnableIPv4: one.V4.Valid(), EnableIPv6: one.V6.Valid(), Internal: one.Internal, Attachable: one.Attachable,
			IPAM:    network.IPAM{Driver: "default", Options: one.IPAMOptions, Config: ipamConfig(one.V4, one.V6)},
			Options: one.ShownOptions(), Labels: map[string]string{},
		},
		Containers: map[string]network.EndpointResource{},
	}
	maps.Copy(full.Labels, one.Labels)
	for id, e := range members {
		mac, err := net.ParseMAC(e.MAC)
		if err != nil {
			return network.Inspect{}, fmt.Errorf("reading the record of the endpoint of %s: %w", id, err)
		}
		full.Containers[id] = network.EndpointResource{
			Name: n.name(id), EndpointID: e.ID, MacAddress: network.HardwareAddr(mac),
			IPv4Address: prefixOf(e.IP, e.PrefixLen), IPv6Address: prefixOf(e.IP6, e.PrefixLen6),
		}
	}
	return full, nil
}

// builtin is a network without a device. Its ID follows from that of the engine's bridge, so that it stays the same.
func builtin(seed, name, driver string) network.Inspect {
	sum := sha256.Sum256([]byte(seed + " " + name))
	return network.Inspect{
		Network: network.Network{
			Name: name, ID: hex.EncodeToString(sum[:]), Scope: "local", Driver: driver, EnableIPv4: true,
			IPAM:    network.IPAM{Driver: "default", Config: []network.IPAMConfig{}},
			Options: map[string]string{}, Labels: map[string]string{},
		},
		Containers: map[string]network.EndpointResource{},
	}
}
