package engine

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"
)

// portBindings are the ports that the client wants published: -p, and with -P
// every exposed one. A range of host ports is not a part of the API's types here;
// the client has expanded it.
func portBindings(rec record) ([]network.PortBinding, error) {
	var out []network.PortBinding
	add := func(port api.Port, hostIP netip.Addr, hostPort string) error {
		b := network.PortBinding{Proto: string(port.Proto()), ContainerPort: port.Num(), HostIP: hostIP}
		if hostPort != "" {
			n, err := strconv.ParseUint(hostPort, 10, 16)
			if err != nil {
				return kind(errdefs.ErrInvalidArgument, "invalid port specification: %q", hostPort)
			}
			b.HostPort = uint16(n)
		}
		out = append(out, b)
		return nil
	}
	for port, binds := range rec.HostConfig.PortBindings {
		// A port without a binding is one on any host port.
		if len(binds) == 0 {
			binds = []api.PortBinding{{}}
		}
		for _, b := range binds {
			if err := add(port, b.HostIP, b.HostPort); err != nil {
				return nil, err
			}
		}
	}
	if rec.HostConfig.PublishAllPorts {
		for port := range rec.Config.ExposedPorts {
			if _, ok := rec.HostConfig.PortBindings[port]; !ok {
				if err := add(port, netip.Addr{}, ""); err != nil {
					return nil, err
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b network.PortBinding) int {
		return cmp.Or(cmp.Compare(a.ContainerPort, b.ContainerPort), cmp.Compare(a.Proto, b.Proto))
	})
	return out, nil
}

// portMap is what inspect shows: exposed ports, and where they are published.
func portMap(rec record, ep *network.Endpoint) api.PortMap {
	ports := api.PortMap{}
	for port := range rec.Config.ExposedPorts {
		ports[port] = nil
	}
	if ep == nil {
		return ports
	}
	for _, b := range ep.Ports {
		port, ok := api.PortFrom(b.ContainerPort, api.IPProtocol(b.Proto))
		if !ok {
			continue
		}
		ports[port] = append(ports[port], api.PortBinding{HostIP: hostIP(b), HostPort: strconv.Itoa(int(b.HostPort))})
	}
	return ports
}

// hostIP is where a port is published; everywhere is 0.0.0.0.
func hostIP(b network.PortBinding) netip.Addr {
	if b.HostIP.IsValid() {
		return b.HostIP
	}
	return netip.IPv4Unspecified()
}

// portSummaries is what the list shows.
func portSummaries(rec record, ep *network.Endpoint) []container.PortSummary {
	out := []container.PortSummary{}
	for port, binds := range portMap(rec, ep) {
		if len(binds) == 0 {
			out = append(out, container.PortSummary{PrivatePort: port.Num(), Type: string(port.Proto())})
		}
		for _, b := range binds {
			n, err := strconv.ParseUint(b.HostPort, 10, 16)
			if err == nil {
				out = append(out, container.PortSummary{IP: b.HostIP, PrivatePort: port.Num(), PublicPort: uint16(n), Type: string(port.Proto())})
			}
		}
	}
	slices.SortFunc(out, func(a, b container.PortSummary) int {
		return cmp.Or(cmp.Compare(a.PrivatePort, b.PrivatePort), cmp.Compare(a.Type, b.Type), cmp.Compare(a.PublicPort, b.PublicPort))
	})
	return out
}

// endpointSettings are a container's networks as inspect and list show them.
func endpointSettings(rec record, ep *network.Endpoint) map[string]*api.EndpointSettings {
	mode := rec.HostConfig.NetworkMode
	if mode.IsContainer() {
		return map[string]*api.EndpointSettings{}
	}
	es := &api.EndpointSettings{}
	if asked := endpointConfig(rec); asked != nil {
		es = asked.Copy()
	}
	// Only a running container has an address.
	if ep != nil {
		es.NetworkID, es.EndpointID, es.Gateway = ep.NetworkID, ep.ID, ep.Gateway
		es.IPAddress, es.IPPrefixLen = ep.IP, ep.PrefixLen
		if mac, err := net.ParseMAC(ep.MAC); err == nil {
			es.MacAddress = api.HardwareAddr(mac)
		}
	}
	return map[string]*api.EndpointSettings{mode.NetworkName(): es}
}

// endpointConfig is what the client asked of the container's network, which
// docker's CLI also calls "default"; nil if it asked nothing.
func endpointConfig(rec record) *api.EndpointSettings {
	if rec.Networking == nil {
		return nil
	}
	if es := rec.Networking.EndpointsConfig[rec.HostConfig.NetworkMode.NetworkName()]; es != nil {
		return es
	}
	if rec.HostConfig.NetworkMode.IsBridge() {
		return rec.Networking.EndpointsConfig[api.NetworkDefault]
	}
	return nil
}
