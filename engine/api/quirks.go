package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
)

// This file holds what older versions of the API answered and the newest does not; what each dropped is in
// docs/CHANGELOG.md of the module github.com/moby/moby/api.

// extend is the JSON object of v with the fields of more added, which v must not have.
func extend(v, more any) (json.RawMessage, error) {
	head, err := marshal(v)
	if err != nil {
		return nil, err
	}
	tail, err := marshal(more)
	if err != nil {
		return nil, err
	}
	switch {
	case len(tail) == 2: // {}
		return head, nil
	case len(head) == 2:
		return tail, nil
	}
	return append(append(head[:len(head)-1], ','), tail[1:]...), nil
}

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding an answer: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// endpoint152 is what GET /containers/{id}/json said of the default network, apart from Networks, until 1.52.
type endpoint152 struct {
	Bridge                 string
	HairpinMode            bool
	LinkLocalIPv6Address   string
	LinkLocalIPv6PrefixLen int
	SecondaryIPAddresses   []string
	SecondaryIPv6Addresses []string
	EndpointID             string
	Gateway                netip.Addr
	GlobalIPv6Address      netip.Addr
	GlobalIPv6PrefixLen    int
	IPAddress              netip.Addr
	IPPrefixLen            int
	IPv6Gateway            netip.Addr
	MacAddress             network.HardwareAddr
}

// container152 is what else the Config of a container had until 1.52: instructions even where there are none, and
// the address that was asked for, not the one that the container got.
type container152 struct {
	OnBuild    *[]string `json:",omitempty"`
	MacAddress string    `json:",omitempty"`
}

// inspected is the answer to GET /containers/{id}/json; mac is the address that the container was given.
func inspected(c container.InspectResponse, mac network.HardwareAddr, v version) (any, error) {
	if !v.before(52) || c.NetworkSettings == nil || c.Config == nil {
		return c, nil
	}
	if v.before(45) {
		aliases45(&c)
	}
	more := container152{MacAddress: mac.String()}
	if len(c.Config.OnBuild) == 0 {
		more.OnBuild = new([]string)
	}
	config, err := extend(c.Config, more)
	if err != nil {
		return nil, err
	}
	var old endpoint152
	if e := c.NetworkSettings.Networks[network.NetworkBridge]; e != nil {
		old.EndpointID, old.Gateway, old.IPAddress, old.IPPrefixLen = e.EndpointID, e.Gateway, e.IPAddress, e.IPPrefixLen
		old.GlobalIPv6Address, old.GlobalIPv6PrefixLen, old.IPv6Gateway = e.GlobalIPv6Address, e.GlobalIPv6PrefixLen, e.IPv6Gateway
		old.MacAddress = e.MacAddress
	}
	settings, err := extend(c.NetworkSettings, old)
	if err != nil {
		return nil, err
	}
	// The outer fields hide the inner ones of the same names.
	return struct {
		container.InspectResponse
		Config, NetworkSettings json.RawMessage
	}{c, config, settings}, nil
}

// neverStarted is how StartedAt says it.
const neverStarted = "0001-01-01T00:00:00Z"

// aliases45 adds what the name server answers to beside the aliases: since 1.45 these are only what the client named,
// and DNSNames has all. Before its first start a container is in no network yet: docker-compose 1, which takes one whose
// aliases have the short ID as connected, would not connect it anew and lose the addresses that it wants to ask for.
func aliases45(c *container.InspectResponse) {
	if c.State != nil && c.State.StartedAt == neverStarted {
		return
	}
	networks := maps.Clone(c.NetworkSettings.Networks)
	for name, e := range networks {
		if !container.NetworkMode(name).IsUserDefined() || e == nil {
			continue
		}
		old := *e
		old.Aliases = slices.Clone(e.Aliases)
		for _, alias := range []string{c.ID[:min(12, len(c.ID))], c.Config.Hostname} {
			if alias != "" && !slices.Contains(old.Aliases, alias) {
				old.Aliases = append(old.Aliases, alias)
			}
		}
		networks[name] = &old
	}
	settings := *c.NetworkSettings
	settings.Networks = networks
	c.NetworkSettings = &settings
}

// networks52 is what a list of networks had of each until 1.52: the containers in it, told by inspect alone since 1.28.
type networks52 struct {
	Containers struct{}
}

// networksOf is the answer to GET /networks.
func networksOf(found []network.Summary, v version) (any, error) {
	if !v.before(52) {
		return list(found), nil
	}
	answer := make([]json.RawMessage, len(found))
	for i, one := range found {
		var err error
		if answer[i], err = extend(one, networks52{}); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// listed is the answer to GET /containers/json.
func listed(found []container.Summary, v version) []container.Summary {
	for i := range found {
		if v.before(46) {
			found[i].HostConfig.Annotations = nil
		}
		if v.before(52) {
			found[i].Health = nil
		}
	}
	return list(found)
}

// event152 is what an event said twice until 1.52.
type event152 struct {
	Status string `json:"status,omitempty"`
	ID     string `json:"id,omitempty"`
	From   string `json:"from,omitempty"`
}

// eventOf is one line of GET /events.
func eventOf(e events.Message, v version) (any, error) {
	if !v.before(52) || e.Type != events.ContainerEventType && e.Type != events.ImageEventType {
		return e, nil
	}
	return extend(e, event152{Status: string(e.Action), ID: e.Actor.ID, From: e.Actor.Attributes["image"]})
}

// summariesOf is the answer to GET /images/json.
func summariesOf(images []image.Summary, v version) (any, error) {
	if v.before(51) {
		for i := range images {
			images[i].Containers = -1
		}
	}
	return sizedSummaries(images, v)
}

// sizedSummaries lists images as GET /images/json and GET /system/df do.
func sizedSummaries(images []image.Summary, v version) (any, error) {
	if !v.before(44) {
		return list(images), nil
	}
	answer := make([]any, len(images))
	for i, img := range images {
		if v.before(43) {
			if len(img.RepoTags)+len(img.RepoDigests) == 0 {
				img.RepoTags, img.RepoDigests = []string{"<none>:<none>"}, []string{"<none>@<none>"}
			}
		}
		var err error
		if answer[i], err = extend(img, virtual44{img.Size}); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// virtual44 is what the size of an image was called beside Size until 1.44.
type virtual44 struct{ VirtualSize int64 }

// image152 is what GET /images/{name}/json said even where it was empty, until 1.52.
type image152 struct {
	Parent        string
	DockerVersion string
	Comment       *string `json:",omitempty"`
	Author        *string `json:",omitempty"`
}

// config152 is the Config of an image until 1.52: what is empty was there too.
type config152 struct {
	User         string
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Env          []string
	Cmd          []string
	Healthcheck  *container.HealthConfig `json:",omitempty"`
	Volumes      map[string]struct{}
	WorkingDir   string
	Entrypoint   []string
	OnBuild      []string
	Labels       map[string]string
	StopSignal   string   `json:",omitempty"`
	Shell        []string `json:",omitempty"`
}

// container150 is what the Config of an image had of that of a container until 1.50, always empty.
type container150 struct {
	Hostname, Domainname                    string
	AttachStdin, AttachStdout, AttachStderr bool
	Tty, OpenStdin, StdinOnce               bool
	Image                                   string
}

// build45 tells of the container that an image was committed from, until 1.45. What docker kept of it was
// the image's configuration but for its command; docker-compose 1 looks there for the image's volumes.
type build45 struct {
	Container       string
	ContainerConfig json.RawMessage
}

// imageOf is the answer to GET /images/{name}/json; parent is the ID of the image that it was made of.
func imageOf(img image.InspectResponse, parent string, v version) (any, error) {
	if !v.before(52) {
		return img, nil
	}
	config, err := imageConfig(img.Config, v)
	if err != nil {
		return nil, err
	}
	var empty string
	old := image152{Parent: parent}
	if img.Comment == "" {
		old.Comment = &empty
	}
	if img.Author == "" {
		old.Author = &empty
	}
	// The outer field hides the inner one of the same name.
	answer, err := extend(struct {
		image.InspectResponse
		Config json.RawMessage
	}{img, config}, old)
	if err == nil && v.before(45) {
		answer, err = extend(answer, build45{ContainerConfig: config})
	}
	if err == nil && v.before(44) {
		answer, err = extend(answer, virtual44{img.Size})
	}
	return answer, err
}

// imageConfig is the Config of an image; an empty one for nil.
func imageConfig(c *dockerspec.DockerOCIImageConfig, v version) (json.RawMessage, error) {
	if c == nil {
		c = &dockerspec.DockerOCIImageConfig{}
	}
	config := config152{
		User: c.User, ExposedPorts: c.ExposedPorts, Env: c.Env, Cmd: c.Cmd, Healthcheck: c.Healthcheck,
		Volumes: c.Volumes, WorkingDir: c.WorkingDir, Entrypoint: c.Entrypoint, OnBuild: c.OnBuild, Labels: c.Labels,
		StopSignal: c.StopSignal, Shell: c.Shell,
	}
	if v.before(50) {
		return extend(config, container150{})
	}
	return marshal(config)
}
