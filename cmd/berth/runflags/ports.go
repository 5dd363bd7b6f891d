package runflags

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// ports reads --publish and --expose.
func (f *Flags) ports(c *container.Config, h *container.HostConfig) error {
	exposed, bindings := network.PortSet{}, network.PortMap{}
	for _, s := range f.publish {
		if err := publish(s, exposed, bindings); err != nil {
			return err
		}
	}
	for _, s := range f.expose {
		r, err := containerPorts(s)
		if err != nil {
			return fmt.Errorf("--expose %s: %w", s, err)
		}
		for p := range r.All() {
			exposed[p] = struct{}{}
		}
	}
	if len(exposed) > 0 {
		c.ExposedPorts = exposed
	}
	h.PortBindings = bindings
	return nil
}

// ParsePublished reads ports to publish, as run and create take them with --publish.
func ParsePublished(specs []string) (network.PortMap, error) {
	exposed, bindings := network.PortSet{}, network.PortMap{}
	for _, s := range specs {
		if err := publish(s, exposed, bindings); err != nil {
			return nil, err
		}
	}
	return bindings, nil
}

// publish reads [[IP:]HOST:]CONTAINER[/PROTOCOL], where HOST and CONTAINER may
// be ranges of the same length, and HOST may be a longer range to choose one
// free port from.
func publish(s string, exposed network.PortSet, bindings network.PortMap) error {
	if strings.Contains(s, "=") {
		long, err := longPublish(s)
		if err != nil {
			return err
		}
		s = long
	}
	fail := func(why string) error { return fmt.Errorf("--publish %s: %s", s, why) }
	ip, host, ctr, err := splitPublish(s)
	if err != nil {
		return fail(err.Error())
	}
	var addr netip.Addr
	if ip != "" {
		if addr, err = netip.ParseAddr(ip); err != nil {
			return fail("the address " + ip + " is not an IP address")
		}
	}
	inside, err := containerPorts(ctr)
	if err != nil {
		return fail(err.Error())
	}
	var outside network.PortRange
	if host != "" {
		if outside, err = network.ParsePortRange(host); err != nil {
			return fail(err.Error())
		}
	}
	insideLen := int(inside.End()) - int(inside.Start())
	outsideLen := int(outside.End()) - int(outside.Start())
	if host != "" && insideLen != outsideLen && insideLen != 0 {
		return fail("the ranges of ports have different lengths")
	}
	for p := range inside.All() {
		exposed[p] = struct{}{}
		b := network.PortBinding{HostIP: addr}
		switch {
		case host == "":
		case insideLen == 0:
			b.HostPort = host // a range here means: any free port of it
		default:
			b.HostPort = fmt.Sprint(outside.Start() + p.Num() - inside.Start())
		}
		bindings[p] = append(bindings[p], b)
	}
	return nil
}

// containerPorts reads CONTAINER[/PROTOCOL].
func containerPorts(s string) (network.PortRange, error) {
	if s == "" {
		return network.PortRange{}, errors.New("no port of the container specified")
	}
	r, err := network.ParsePortRange(s)
	if err != nil {
		return r, err
	}
	switch r.Proto() {
	case network.TCP, network.UDP, network.SCTP:
		return r, nil
	}
	return r, fmt.Errorf("invalid proto: %s: want tcp, udp or sctp", r.Proto())
}

// splitPublish takes the three parts of a published port apart.
func splitPublish(s string) (ip, host, ctr string, err error) {
	i := strings.LastIndex(s, ":")
	if i < 0 {
		return "", "", s, nil
	}
	rest, ctr := s[:i], s[i+1:]
	j := strings.LastIndex(rest, ":")
	if strings.HasSuffix(rest, "]") || j < 0 {
		if strings.HasSuffix(rest, "]") {
			return "", "", "", fmt.Errorf("the host port is missing after the address")
		}
		return "", rest, ctr, nil
	}
	ip, host = rest[:j], rest[j+1:]
	if strings.HasPrefix(ip, "[") && strings.HasSuffix(ip, "]") {
		ip = ip[1 : len(ip)-1]
	} else if strings.Contains(ip, ":") && net.ParseIP(ip) == nil {
		return "", "", "", fmt.Errorf("the address %s is not an IP address", ip)
	}
	return ip, host, ctr, nil
}

// longPublish turns target=80,published=8080,protocol=tcp into the short form.
func longPublish(s string) (string, error) {
	var target, published, protocol, ip string
	for _, kv := range strings.Split(s, ",") {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return "", fmt.Errorf("--publish %s: %s is not KEY=VALUE", s, kv)
		}
		switch strings.ToLower(k) {
		case "target":
			target = v
		case "published":
			published = v
		case "protocol":
			protocol = "/" + v
		case "host_ip":
			ip = v
		case "mode":
		default:
			return "", fmt.Errorf("--publish %s: unknown key %s", s, k)
		}
	}
	if target == "" {
		return "", fmt.Errorf("--publish %s: target is missing", s)
	}
	switch {
	case ip != "":
		return "[" + ip + "]:" + published + ":" + target + protocol, nil
	case published != "":
		return published + ":" + target + protocol, nil
	}
	return target + protocol, nil
}

// networking reads --network and what belongs to it.
func (f *Flags) networking(h *container.HostConfig) (*network.NetworkingConfig, error) {
	names := f.network
	if len(names) == 0 {
		names = []string{"default"}
	}
	out := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{}}
	for i, n := range names {
		name, ep, err := parseNetwork(n)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			h.NetworkMode = container.NetworkMode(name)
			if err := f.endpoint(ep); err != nil {
				return nil, err
			}
			if h.NetworkMode.IsUserDefined() {
				ep.Links = append(ep.Links, f.link...)
			}
		}
		if _, twice := out.EndpointsConfig[name]; twice {
			return nil, fmt.Errorf("--network %s: named twice", name)
		}
		out.EndpointsConfig[name] = ep
	}
	return out, nil
}

// endpoint puts the flags of the first network into ep.
func (f *Flags) endpoint(ep *network.EndpointSettings) error {
	ep.Aliases = append(ep.Aliases, f.networkAlias...)
	for _, a := range []struct {
		flag, value string
		v6          bool
	}{{"ip", f.ip, false}, {"ip6", f.ip6, true}} {
		if a.value != "" {
			if err := setAddress(ep, a.flag, a.value, a.v6); err != nil {
				return err
			}
		}
	}
	for _, a := range f.linkLocal {
		if err := addLinkLocal(ep, "link-local-ip", a); err != nil {
			return err
		}
	}
	if f.macAddress != "" {
		mac, err := net.ParseMAC(f.macAddress)
		if err != nil {
			return fmt.Errorf("--mac-address %s: not a MAC address", f.macAddress)
		}
		ep.MacAddress = network.HardwareAddr(mac)
	}
	return nil
}

// parseNetwork reads NAME, or name=NAME,alias=…,ip=…,ip6=…,link-local-ip=…,mac-address=…,gw-priority=…,
// driver-opt=KEY=VALUE. A field with commas of its own is in double quotes.
func parseNetwork(s string) (string, *network.EndpointSettings, error) {
	ep := &network.EndpointSettings{}
	if !strings.Contains(s, "=") {
		return s, ep, nil
	}
	var name string
	fields, err := csv.NewReader(strings.NewReader(s)).Read()
	if err != nil {
		return "", nil, fmt.Errorf("--network %s: %w", s, err)
	}
	for _, kv := range fields {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return "", nil, fmt.Errorf("--network %s: %s is not KEY=VALUE", s, kv)
		}
		var err error
		switch strings.ToLower(k) {
		case "name":
			name = v
		case "alias":
			ep.Aliases = append(ep.Aliases, v)
		case "ip":
			err = setAddress(ep, "network", v, false)
		case "ip6":
			err = setAddress(ep, "network", v, true)
		case "mac-address":
			var mac net.HardwareAddr
			mac, err = net.ParseMAC(v)
			ep.MacAddress = network.HardwareAddr(mac)
		case "link-local-ip":
			err = addLinkLocal(ep, "network", v)
		case "driver-opt":
			key, value, ok := strings.Cut(v, "=")
			if !ok || key == "" {
				err = fmt.Errorf("--network %s: driver-opt %s is not KEY=VALUE", s, v)
			}
			if ep.DriverOpts == nil {
				ep.DriverOpts = map[string]string{}
			}
			ep.DriverOpts[key] = value
		case "gw-priority":
			if ep.GwPriority, err = strconv.Atoi(v); err != nil {
				err = fmt.Errorf("--network %s: gw-priority %s is not a number", s, v)
			}
		default:
			err = fmt.Errorf("--network %s: unknown key %s", s, k)
		}
		if err != nil {
			return "", nil, err
		}
	}
	if name == "" {
		return "", nil, fmt.Errorf("--network %s: name is missing", s)
	}
	return name, ep, nil
}

// addLinkLocal adds an address of the container's own link.
func addLinkLocal(ep *network.EndpointSettings, flag, s string) error {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return fmt.Errorf("--%s %s: not an address", flag, s)
	}
	if ep.IPAMConfig == nil {
		ep.IPAMConfig = &network.EndpointIPAMConfig{}
	}
	ep.IPAMConfig.LinkLocalIPs = append(ep.IPAMConfig.LinkLocalIPs, a)
	return nil
}

func setAddress(ep *network.EndpointSettings, flag, s string, v6 bool) error {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Is6() != v6 {
		return fmt.Errorf("--%s %s: not an address of that family", flag, s)
	}
	if ep.IPAMConfig == nil {
		ep.IPAMConfig = &network.EndpointIPAMConfig{}
	}
	if v6 {
		ep.IPAMConfig.IPv6Address = a
	} else {
		ep.IPAMConfig.IPv4Address = a
	}
	return nil
}
