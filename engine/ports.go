package engine

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"
)

// portBindings are the ports that the client wants published: -p, and with -P
// every exposed one. Those that leave a choice come last, so that none takes what
// another one must have.
func portBindings(rec record) ([]network.PortBinding, error) {
	var out []network.PortBinding
	add := func(port api.Port, hostIP netip.Addr, hostPort string) error {
		b := network.PortBinding{Proto: string(port.Proto()), ContainerPort: port.Num(), HostIP: hostIP}
		if hostPort != "" {
			first, last, ranged := strings.Cut(hostPort, "-") // "8000-8010": one of them
			from, err := strconv.ParseUint(first, 10, 16)
			to := from
			if err == nil && ranged {
				to, err = strconv.ParseUint(last, 10, 16)
			}
			if err != nil || to < from || ranged && from == 0 {
				return kind(errdefs.ErrInvalidArgument, "invalid port specification: %q", hostPort)
			}
			if b.HostPort = uint16(from); to > from {
				b.HostPortEnd = uint16(to)
			}
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
	choices := func(b network.PortBinding) int {
		switch {
		case b.HostPort == 0:
			return 2
		case b.HostPortEnd != 0:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(out, func(a, b network.PortBinding) int {
		return cmp.Or(cmp.Compare(choices(a), choices(b)), cmp.Compare(a.ContainerPort, b.ContainerPort), cmp.Compare(a.Proto, b.Proto))
	})
	return out, nil
}

// portMap is what inspect shows while the container runs: exposed ports, and where they are published.
func portMap(rec record, ends []network.Endpoint) api.PortMap {
	ports := api.PortMap{}
	if len(ends) > 0 { // without a network there is nothing to reach a port by
		for port := range rec.Config.ExposedPorts {
			ports[port] = nil
		}
	}
	for _, e := range ends {
		for _, b := range e.Ports {
			if port, ok := api.PortFrom(b.ContainerPort, api.IPProtocol(b.Proto)); ok {
				binding := api.PortBinding{HostIP: b.HostIP}
				if b.HostPort != 0 { // else it is reached at the container's own address
					binding.HostPort = strconv.Itoa(int(b.HostPort))
				}
				ports[port] = append(ports[port], binding)
			}
		}
	}
	return ports
}

// portSummaries is what the list shows.
func portSummaries(rec record, ends []network.Endpoint) []container.PortSummary {
	out := []container.PortSummary{}
	for port, binds := range portMap(rec, ends) {
		if len(binds) == 0 {
			out = append(out, container.PortSummary{PrivatePort: port.Num(), Type: string(port.Proto())})
		}
		for _, b := range binds {
			n, err := strconv.ParseUint(b.HostPort, 10, 16)
			if b.HostPort == "" {
				out = append(out, container.PortSummary{PrivatePort: port.Num(), Type: string(port.Proto())})
			} else if err == nil {
				out = append(out, container.PortSummary{IP: b.HostIP, PrivatePort: port.Num(), PublicPort: uint16(n), Type: string(port.Proto())})
			}
		}
	}
	slices.SortFunc(out, func(a, b container.PortSummary) int {
		return cmp.Or(cmp.Compare(a.PrivatePort, b.PrivatePort), cmp.Compare(a.Type, b.Type), cmp.Compare(a.PublicPort, b.PublicPort))
	})
	return out
}
