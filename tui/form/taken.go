package form

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/network"
)

// Held is a port of the engine's machine on which something listens.
type Held struct {
	Addr  netip.Addr
	Port  uint16
	Proto string
	By    string // its name and PID
}

// About is what an image says of itself that a form can propose.
type About struct {
	Env   []string // NAME=value
	Ports []string // 80/tcp
}

// Wants is the image of which the form would like to know more, "" if none.
func (f *Form) Wants() string {
	if _, known := f.known.Of[f.spec.Image]; known || !slices.Contains(f.known.Images, f.spec.Image) {
		return ""
	}
	return f.spec.Image
}

// Told takes in what is known of an image.
func (f *Form) Told(image string, a About) {
	if f.known.Of == nil {
		f.known.Of = map[string]About{}
	}
	f.known.Of[image] = a
}

// Listening takes in what listens on the engine's machine.
func (f *Form) Listening(held []Held) { f.known.Held = held }

// env are the variables that an image sets, but for the path of its programs.
func (k Known) env(image string) []string {
	var out []string
	for _, e := range k.Of[image].Env {
		if !strings.HasPrefix(e, "PATH=") {
			out = append(out, e)
		}
	}
	return out
}

// ports proposes a host port for each port that an image exposes: the same one, or
// the next thousand's where that is taken.
func (k Known) ports(image string) []string {
	var out []string
	for _, p := range k.Of[image].Ports {
		inside, proto, _ := strings.Cut(p, "/")
		n, err := strconv.ParseUint(inside, 10, 16)
		if err != nil {
			continue
		}
		suffix := ""
		if proto != "" && proto != "tcp" {
			suffix = "/" + proto
		}
		for host := n; host <= 65535; host += 1000 {
			flag := fmt.Sprintf("%d:%d%s", host, n, suffix)
			if _, bindings, err := ParsePorts(flag); err == nil && k.taken(bindings) == nil {
				out = append(out, flag)
				break
			}
		}
	}
	return out
}

// span is the host ports of a binding; none when the engine is to choose.
func span(b network.PortBinding) (from, to int) {
	first, last, many := strings.Cut(b.HostPort, "-")
	from, err := strconv.Atoi(first)
	if err != nil {
		return 1, 0
	}
	if to = from; many {
		if to, err = strconv.Atoi(last); err != nil {
			return 1, 0
		}
	}
	return from, to
}

// apart tells whether two addresses can listen on one port: they cannot when they
// are the same, or one is that of all.
func apart(a, b netip.Addr) bool {
	all := func(x netip.Addr) bool { return !x.IsValid() || x.IsUnspecified() }
	switch {
	case all(a) && all(b):
		return a.IsValid() && b.IsValid() && a.Is4() != b.Is4()
	case all(a):
		return a.IsValid() && a.Is4() != b.Is4()
	case all(b):
		return b.IsValid() && a.Is4() != b.Is4()
	}
	return a != b
}

// taken says who has one of the host ports. Of a range from which the engine may
// choose one has to be free.
func (k Known) taken(bindings network.PortMap) error {
	for inside, hosts := range bindings {
		for _, h := range hosts {
			from, to := span(h)
			var why error
			free := false
			for port := from; port <= to; port++ {
				if err := k.holder(h.HostIP, port, string(inside.Proto())); err != nil {
					why = cmp.Or(why, err)
				} else {
					free = true
				}
			}
			if why != nil && !free {
				return why
			}
		}
	}
	return nil
}

// holder says who has a host port.
func (k Known) holder(addr netip.Addr, port int, proto string) error {
	if by, ok := k.Ports[fmt.Sprintf("%d/%s", port, proto)]; ok {
		return fmt.Errorf("port %d is published by %s", port, by)
	}
	for _, h := range k.Held {
		if int(h.Port) == port && h.Proto == proto && !apart(addr, h.Addr) {
			return fmt.Errorf("port %d is held by %s", port, h.By)
		}
	}
	return nil
}

// overlap says which host port two lists of bindings both want.
func overlap(a, b network.PortMap) error {
	for inside, hosts := range a {
		for other, others := range b {
			for _, h := range hosts {
				for _, o := range others {
					from, to := span(h)
					first, last := span(o)
					if from, to = max(from, first), min(to, last); inside.Proto() == other.Proto() && from <= to && !apart(h.HostIP, o.HostIP) {
						return fmt.Errorf("port %d is in a line above already", from)
					}
				}
			}
		}
	}
	return nil
}
