// Package state is what the console knows of the engine: its containers and
// images, cleaned and ready to show.
//
// It is made from one snapshot and kept true by events ([State.Event]): an
// event names one row, that row is fetched again and put back. Nothing here
// does I/O, and nothing here is shown without having been cleaned.
package state

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"

	"berth/tui/text"
)

// Container is one container as the console shows it.
type Container struct {
	ID      string
	Name    string
	Image   string
	ImageID string
	Command string
	State   container.ContainerState
	Status  string // the engine's words: "Exited (137) 2 minutes ago"
	Health  container.HealthStatus
	Exit    int    // exit code, when State is exited
	Ports   string // "8080→80 53→53/udp"
	Project string // compose project, and below it its service and directory
	Service string

	ProjectDir   string
	ProjectFiles []string
	Mounts       []Mount
	Networks     []Endpoint
	Published    []Port

	Created int64  // Unix seconds
	Busy    string // the verb that is under way, "" mostly
}

// Mount is what a container sees at a path. Volume is "" for a directory of the host.
type Mount struct {
	Volume, Source, Path string
	ReadOnly             bool
}

// Endpoint is a container's place in a network.
type Endpoint struct {
	Network, NetworkID string
	IPv4, IPv6, MAC    string
	Aliases            []string
}

// The labels that compose gives its containers.
const (
	ComposeProject = "com.docker.compose.project"
	ComposeService = "com.docker.compose.service"
	ComposeDir     = "com.docker.compose.project.working_dir"
	ComposeFiles   = "com.docker.compose.project.config_files"
)

// FromSummary cleans one entry of the engine's list.
func FromSummary(s container.Summary) Container {
	c := Container{
		ID:      text.Clean(s.ID),
		Image:   shortImage(text.Clean(s.Image)),
		ImageID: s.ImageID,
		Command: text.Clean(s.Command),
		State:   container.ContainerState(text.Clean(string(s.State))),
		Status:  text.Clean(s.Status),
		Ports:   ports(s.Ports),
		Project: text.Clean(s.Labels[ComposeProject]),
		Service: text.Clean(s.Labels[ComposeService]),
		Created: s.Created,

		ProjectDir: text.Clean(s.Labels[ComposeDir]), ProjectFiles: filesOf(s.Labels[ComposeFiles]),
	}
	c.Name = c.ID
	for _, n := range s.Names { // links add names with a second slash
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			c.Name = text.Clean(n)
			break
		}
	}
	if len(c.Name) == 64 {
		c.Name = Short(c.Name)
	}
	for _, m := range s.Mounts {
		mount := Mount{Source: text.Clean(m.Source), Path: text.Clean(m.Destination), ReadOnly: !m.RW}
		if m.Type == "volume" {
			mount.Volume = text.Clean(m.Name)
		}
		c.Mounts = append(c.Mounts, mount)
	}
	c.Networks = endpoints(s.NetworkSettings)
	c.Published = published(c.ID, c.Name, s.Ports)
	c.Exit = exitCode(c.Status)
	switch {
	case s.Health != nil:
		c.Health = s.Health.Status
	case strings.Contains(c.Status, "(healthy)"):
		c.Health = container.Healthy
	case strings.Contains(c.Status, "(unhealthy)"):
		c.Health = container.Unhealthy
	case strings.Contains(c.Status, "(health: starting)"):
		c.Health = container.Starting
	}
	return c
}

// endpoints cleans a container's places in networks, by name.
func endpoints(n *container.NetworkSettingsSummary) []Endpoint {
	if n == nil {
		return nil
	}
	var out []Endpoint
	for _, name := range slices.Sorted(maps.Keys(n.Networks)) {
		s := n.Networks[name]
		if s == nil {
			continue
		}
		e := Endpoint{Network: text.Clean(name), NetworkID: text.Clean(s.NetworkID)}
		if s.IPAddress.IsValid() {
			e.IPv4 = s.IPAddress.String()
		}
		if s.GlobalIPv6Address.IsValid() {
			e.IPv6 = s.GlobalIPv6Address.String()
		}
		if len(s.MacAddress) > 0 {
			e.MAC = s.MacAddress.String()
		}
		for _, a := range append(slices.Clone(s.DNSNames), s.Aliases...) {
			if a = text.Clean(a); !slices.Contains(e.Aliases, a) {
				e.Aliases = append(e.Aliases, a)
			}
		}
		out = append(out, e)
	}
	return out
}

// Running tells whether the container has a live process.
func (c Container) Running() bool {
	return c.State == container.StateRunning || c.State == container.StatePaused || c.State == container.StateRestarting
}

// Match is what the filter looks at.
func (c Container) Match() string {
	return strings.Join([]string{c.Name, c.Image, string(c.State), c.Ports, c.Project, Short(c.ID)}, " ")
}

// Short is the first twelve digits of an ID, without its algorithm.
func Short(id string) string {
	if _, hex, ok := strings.Cut(id, ":"); ok {
		id = hex
	}
	if len(id) > 12 {
		return id[:12]
	}
	return id
}

// shortImage shortens an image that is named by its ID only.
func shortImage(ref string) string {
	if strings.HasPrefix(ref, "sha256:") {
		return Short(ref)
	}
	return ref
}

// exitCode reads "Exited (137) 2 minutes ago"; the list has no field for it.
func exitCode(status string) int {
	_, rest, ok := strings.Cut(status, "(")
	code, _, ok2 := strings.Cut(rest, ")")
	if !ok || !ok2 || !strings.HasPrefix(status, "Exited") {
		return 0
	}
	n, err := strconv.Atoi(code)
	if err != nil {
		return 0
	}
	return n
}

// ports writes the published ports, those of IPv4 and IPv6 together, lowest first.
func ports(list []container.PortSummary) string {
	sort.SliceStable(list, func(i, j int) bool { return list[i].PublicPort < list[j].PublicPort })
	var out []string
	seen := map[string]bool{}
	for _, p := range list {
		if p.PublicPort == 0 {
			continue
		}
		s := fmt.Sprintf("%d→%d", p.PublicPort, p.PrivatePort)
		if p.Type != "" && p.Type != "tcp" {
			s += "/" + text.Clean(p.Type)
		}
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}
