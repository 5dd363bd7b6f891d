package form

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/network"
)

// ParsePorts reads ports as -p takes them, separated by blanks:
// [address:][host]:container[/protocol], or a container port alone. A port may be a
// range: two of the same length belong together one by one, and of a range of the
// host alone the engine takes one that is free.
func ParsePorts(s string) (network.PortSet, network.PortMap, error) {
	words, err := Words(s)
	if err != nil || len(words) == 0 {
		return nil, nil, err
	}
	set, bindings := network.PortSet{}, network.PortMap{}
	for _, w := range words {
		if err := parsePort(w, set, bindings); err != nil {
			return nil, nil, fmt.Errorf("%q: %w", w, err)
		}
	}
	return set, bindings, nil
}

// parsePort adds one word to what is exposed and bound.
func parsePort(w string, set network.PortSet, bindings network.PortMap) error {
	var b network.PortBinding
	rest, proto, _ := strings.Cut(w, "/")
	host, inside := "", rest
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		host, inside = rest[:i], rest[i+1:]
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		ip, err := netip.ParseAddr(strings.Trim(host[:i], "[]"))
		if err != nil {
			return fmt.Errorf("%q is no address", host[:i])
		}
		b.HostIP, host = ip, host[i+1:]
	}
	if proto == "" {
		proto = "tcp"
	}
	if proto != "tcp" && proto != "udp" && proto != "sctp" {
		return fmt.Errorf("the protocol is tcp, udp or sctp")
	}
	first, last, err := portRange(inside)
	if err != nil {
		return fmt.Errorf("%w: host:container, such as 8080:80", err)
	}
	from, to := 0, 0
	if host != "" {
		if from, to, err = portRange(host); err != nil {
			return err
		}
		if to-from != last-first && last != first {
			return fmt.Errorf("%s are %d ports and %s are %d", host, to-from+1, inside, last-first+1)
		}
	}
	for n := first; n <= last; n++ {
		port, err := network.ParsePort(fmt.Sprintf("%d/%s", n, proto))
		if err != nil {
			return err
		}
		switch {
		case host == "":
		case first == last && from != to:
			b.HostPort = fmt.Sprintf("%d-%d", from, to)
		default:
			b.HostPort = strconv.Itoa(from + n - first)
		}
		set[port] = struct{}{}
		bindings[port] = append(bindings[port], b)
	}
	return nil
}

// portRange reads a port, or the first and the last of some.
func portRange(s string) (from, to int, err error) {
	first, last, many := strings.Cut(s, "-")
	if !many {
		last = first
	}
	a, errA := strconv.ParseUint(first, 10, 16)
	z, errZ := strconv.ParseUint(last, 10, 16)
	switch {
	case errA != nil || errZ != nil || a == 0:
		return 0, 0, fmt.Errorf("%q is no port", s)
	case z < a:
		return 0, 0, fmt.Errorf("%q ends before it begins", s)
	}
	return int(a), int(z), nil
}
