package state

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"

	"berth/tui/text"
)

// Port is one published port. What is published on all addresses of both
// families is one row.
type Port struct {
	Container string // its ID
	Name      string // of the container
	Hosts     []netip.Addr
	Public    uint16
	Private   uint16
	Proto     string
}

// Key tells rows apart.
func (p Port) Key() string {
	return fmt.Sprintf("%s %s %d %d/%s", p.Container, p.Host(), p.Public, p.Private, p.Proto)
}

// Host is the address as a row shows it: "*" for all.
func (p Port) Host() string {
	for _, h := range p.Hosts {
		if !h.IsUnspecified() {
			return h.String()
		}
	}
	return "*"
}

// Address is host and port of the published side: "*:8080".
func (p Port) Address() string { return net.JoinHostPort(p.Host(), strconv.Itoa(int(p.Public))) }

// Target is the port inside the container: "80/tcp".
func (p Port) Target() string { return fmt.Sprintf("%d/%s", p.Private, p.Proto) }

// Dial is where a client on the engine's machine reaches the port.
func (p Port) Dial() string {
	host := p.Host()
	if host == "*" {
		host = "127.0.0.1"
		if !slices.ContainsFunc(p.Hosts, netip.Addr.Is4) && len(p.Hosts) > 0 {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(int(p.Public)))
}

// Flag is the port as "berth run -p" takes it.
func (p Port) Flag() string {
	s := fmt.Sprintf("%d:%d", p.Public, p.Private)
	if p.Host() != "*" {
		s = net.JoinHostPort(p.Host(), strconv.Itoa(int(p.Public))) + fmt.Sprintf(":%d", p.Private)
	}
	if p.Proto != "tcp" {
		s += "/" + p.Proto
	}
	return s
}

// URL is what a browser opens: https for the ports that are it by custom.
func (p Port) URL() string {
	scheme := "http"
	if p.Private == 443 || p.Private == 8443 {
		scheme = "https"
	}
	return scheme + "://" + strings.Replace(p.Dial(), "127.0.0.1:", "localhost:", 1)
}

// Match is what the filter looks at.
func (p Port) Match() string { return p.Address() + " " + p.Name + " " + p.Target() }

// published are the ports of a container that the host has, lowest first.
func published(id, name string, list []container.PortSummary) []Port {
	var out []Port
	for _, s := range list {
		if s.PublicPort == 0 {
			continue
		}
		p := Port{Container: id, Name: name, Public: s.PublicPort, Private: s.PrivatePort, Proto: text.Clean(s.Type)}
		if s.IP.IsValid() {
			p.Hosts = []netip.Addr{s.IP.Unmap()}
		}
		if p.Proto == "" {
			p.Proto = "tcp"
		}
		i := slices.IndexFunc(out, func(o Port) bool { return o.Key() == p.Key() })
		if i >= 0 {
			out[i].Hosts = append(out[i].Hosts, p.Hosts...)
			continue
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b Port) int { return cmp.Compare(a.Public, b.Public) })
	return out
}

// AllPorts lists the published ports of all that runs.
func (s *State) AllPorts(by Order) []Port {
	var out []Port
	for _, c := range s.containers {
		if c.Running() {
			out = append(out, c.Published...)
		}
	}
	slices.SortFunc(out, func(a, b Port) int {
		port := cmp.Or(cmp.Compare(a.Public, b.Public), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Key(), b.Key()))
		if by == ByName {
			return cmp.Or(cmp.Compare(a.Name, b.Name), port)
		}
		return port
	})
	return out
}
