package engine

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"
)

// endpointConfigs are what a container is to have in each of its networks, by
// name: all that the client named, or the one of its network mode if it named none. name turns an
// ID into a name where it can.
func endpointConfigs(mode container.NetworkMode, asked *api.NetworkingConfig, name func(string) string) (*api.NetworkingConfig, error) {
	out := map[string]*api.EndpointSettings{}
	if asked != nil {
		for _, ref := range slices.Sorted(maps.Keys(asked.EndpointsConfig)) {
			es := asked.EndpointsConfig[ref]
			if es == nil {
				es = &api.EndpointSettings{}
			}
			if mode.IsContainer() && (container.NetworkMode(ref).IsContainer() || ref == mode.NetworkName()) {
				if len(es.MacAddress) > 0 {
					return nil, kind(errdefs.ErrInvalidArgument, "conflicting options: mac-address and the network mode")
				}
				if len(es.Aliases) > 0 {
					return nil, kind(errdefs.ErrInvalidArgument, "network-scoped aliases are only supported for user-defined networks")
				}
				continue // the other container's: by the name that the client knows, where mode has its ID
			}
			if ref == api.NetworkDefault {
				ref = api.NetworkBridge // docker's CLI calls the network of no --network so
			}
			ref = name(ref)
			if err := checkEndpoint(ref, es); err != nil {
				return nil, err
			}
			out[ref] = es.Copy()
		}
	}
	own := name(mode.NetworkName())
	if !mode.IsContainer() && out[own] == nil && len(out) == 0 {
		out[own] = &api.EndpointSettings{}
	}
	if len(out) > 1 || len(out) == 1 && out[own] == nil {
		switch {
		case mode.IsContainer() || mode.IsHost():
			return nil, kind(errdefs.ErrInvalidArgument, "container sharing network namespace with another container or host cannot be connected to any other network")
		case mode.IsNone():
			return nil, kind(errdefs.ErrInvalidArgument, "container cannot be connected to multiple networks with one of the networks in private (none) mode")
		}
	}
	for _, other := range []string{api.NetworkHost, api.NetworkNone} {
		if own != other && out[other] != nil {
			return nil, kind(errdefs.ErrInvalidArgument, "conflicting options: cannot attach both user-defined and non-user-defined network-modes")
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return &api.NetworkingConfig{EndpointsConfig: out}, nil
}

// The driver options of an endpoint: the name of its interface in the container, and sysctls of it.
const (
	optInterface = "com.docker.network.endpoint.ifname"
	optSysctls   = "com.docker.network.endpoint.sysctls"
)

// checkEndpoint refuses what a network cannot have and what is not done here.
func checkEndpoint(name string, es *api.EndpointSettings) error {
	fixed := es.IPAMConfig != nil && (es.IPAMConfig.IPv4Address.IsValid() || es.IPAMConfig.IPv6Address.IsValid())
	if predefined(name) {
		const what = "invalid config for network %s: invalid endpoint settings:\n%s"
		if len(es.Aliases) > 0 {
			return kind(errdefs.ErrInvalidArgument, what, name, "network-scoped aliases are only supported for user-defined networks")
		}
		if fixed {
			return kind(errdefs.ErrInvalidArgument, what, name, "user specified IP address is supported on user defined networks only")
		}
		if len(es.Links) > 0 {
			return kind(errdefs.ErrInvalidArgument, what, name, "links of an endpoint are only supported for user-defined networks: HostConfig.Links (--link) are those of this one")
		}
	}
	if es.IPAMConfig != nil {
		for _, a := range es.IPAMConfig.LinkLocalIPs {
			if !a.IsLinkLocalUnicast() {
				return kind(errdefs.ErrInvalidArgument, "invalid link-local IP address: %s", a)
			}
		}
	}
	for key, value := range es.DriverOpts {
		switch {
		case key == optInterface:
			if value == "." || value == ".." || len(value) > 15 || strings.ContainsAny(value, "/: %\t\n") { // net/core/dev.c, dev_valid_name
				return kind(errdefs.ErrInvalidArgument, "invalid name of an interface in network %s: %q", name, value)
			}
		case key == optSysctls:
			if _, err := network.ParseSysctls(value); err != nil {
				return kind(errdefs.ErrInvalidArgument, "invalid config for network %s: invalid endpoint settings:\n%s", name, err)
			}
		case strings.HasPrefix(key, "com.docker.network."):
			return fmt.Errorf("the option %s of an endpoint in network %s cannot be used with this engine: %w", key, name, errdefs.ErrNotImplemented)
		}
	}
	return nil
}

// networkNames are the networks that a container is to be in, its mode's first.
func networkNames(rec record) []string {
	if rec.Networking == nil {
		return nil
	}
	first := rec.HostConfig.NetworkMode.NetworkName()
	names := slices.Sorted(maps.Keys(rec.Networking.EndpointsConfig))
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case a == first && b != first:
			return -1
		case b == first && a != first:
			return 1
		}
		return 0
	})
	return names
}

// namesNeighbours tells whether a container has a name server of its own.
func namesNeighbours(rec record) bool {
	return slices.ContainsFunc(networkNames(rec), userDefined)
}

// attachSpec is what a container asks of one of its networks.
func attachSpec(rec record, name string) (network.AttachSpec, error) {
	as := network.AttachSpec{ContainerID: rec.ID, Name: rec.Name, Network: name}
	es := rec.Networking.EndpointsConfig[name]
	as.Aliases, as.MAC, as.GwPriority = es.Aliases, net.HardwareAddr(es.MacAddress), es.GwPriority
	as.Interface = es.DriverOpts[optInterface]
	if value := es.DriverOpts[optSysctls]; value != "" {
		sysctls, err := network.ParseSysctls(value)
		if err != nil {
			return as, kind(errdefs.ErrInvalidArgument, "network %s: %s", name, err)
		}
		as.Sysctls = sysctls
	}
	if es.IPAMConfig != nil {
		as.IP, as.IP6, as.LinkLocal = es.IPAMConfig.IPv4Address, es.IPAMConfig.IPv6Address, es.IPAMConfig.LinkLocalIPs
	}
	if userDefined(name) {
		as.DNSNames = dnsNames(rec, es)
	}
	for _, link := range es.Links {
		target, alias, ok := strings.Cut(link, ":")
		if !ok {
			alias = target
		}
		if as.Links == nil {
			as.Links = map[string]string{}
		}
		as.Links[strings.ToLower(alias)] = strings.TrimPrefix(target, "/")
	}
	ports, err := portBindings(rec)
	as.Ports = ports
	return as, err
}

// dnsNames are the names by which neighbours find a container, docker's: its own,
// the aliases, the short ID and the host name.
func dnsNames(rec record, es *api.EndpointSettings) []string {
	var out []string
	for _, name := range slices.Concat([]string{rec.Name}, es.Aliases, []string{rec.ID[:12], rec.Config.Hostname}) {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// MACAddress is the address that a container was given for the network of its mode; empty if it may have any.
func (cs *Containers) MACAddress(ref string) (api.HardwareAddr, error) {
	c, err := cs.get(ref)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	rec := c.rec
	c.mu.Unlock()
	if rec.Networking == nil {
		return nil, nil
	}
	es := rec.Networking.EndpointsConfig[rec.HostConfig.NetworkMode.NetworkName()]
	if es == nil {
		return nil, nil
	}
	return es.MacAddress, nil
}

// endpointSettings are a container's networks as inspect and list show them.
func endpointSettings(rec record, ends []network.Endpoint) map[string]*api.EndpointSettings {
	out := map[string]*api.EndpointSettings{}
	for _, name := range networkNames(rec) {
		es := rec.Networking.EndpointsConfig[name].Copy()
		if userDefined(name) {
			es.DNSNames = dnsNames(rec, es)
		}
		out[name] = es
	}
	// Only a running container has an address.
	for _, e := range ends {
		es := out[e.NetworkName]
		if es == nil {
			continue // just leaving it
		}
		es.NetworkID, es.EndpointID = e.NetworkID, e.ID
		es.Gateway, es.IPAddress, es.IPPrefixLen = e.Gateway, e.IP, e.PrefixLen
		es.IPv6Gateway, es.GlobalIPv6Address, es.GlobalIPv6PrefixLen = e.Gateway6, e.IP6, e.PrefixLen6
		if mac, err := net.ParseMAC(e.MAC); err == nil {
			es.MacAddress = api.HardwareAddr(mac)
		}
	}
	return out
}
