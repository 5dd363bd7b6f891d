package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"berth/engine"

	"github.com/containerd/platforms"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// createBody is the body of a create.
type createBody struct {
	configBody
	HostConfig       *hostBody
	NetworkingConfig *network.NetworkingConfig
	MacAddress       network.HardwareAddr
}

// createRequest is what a client asks for, with what later versions of the API dropped from it.
type createRequest struct {
	container.CreateRequest
	// MacAddress was the container's own until API 1.43, when each endpoint got one; 1.52 ignores it.
	MacAddress network.HardwareAddr
}

// create answers POST /containers/create?name=&platform= with 201 and the ID. 404 for a missing image is what makes the
// CLI pull; 409 is a name that is taken.
func (c *containerHandlers) create(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	var body createBody
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	req := createRequest{MacAddress: body.MacAddress, CreateRequest: container.CreateRequest{
		Config: body.configBody.config(), HostConfig: body.HostConfig.config(), NetworkingConfig: body.NetworkingConfig,
	}}
	if req.Config == nil {
		return invalid("config cannot be empty in order to create a container")
	}
	platform, err := platformOf(query.Get("platform"))
	if err != nil {
		return err
	}
	if err := req.adapt(versionOf(r)); err != nil {
		return err
	}
	warning, err := req.moveSysctls(versionOf(r))
	if err != nil {
		return err
	}
	created, err := c.life.Create(r.Context(), engine.CreateOptions{
		Name: strings.TrimPrefix(query.Get("name"), "/"), Platform: platform,
		Config: req.Config, HostConfig: req.HostConfig, NetworkingConfig: req.NetworkingConfig,
		ShallowReadOnly: versionOf(r).before(44),
	})
	if err != nil {
		return err
	}
	created.Warnings = list(created.Warnings)
	if warning != "" {
		created.Warnings = append(created.Warnings, warning)
	}
	return writeJSON(w, http.StatusCreated, created)
}

// adapt turns what clients of version v say into what the newest says. What a version did not have is ignored, as the
// engines of its time did, since clients send fields without looking at the version.
func (req *createRequest) adapt(v version) error {
	if req.HostConfig == nil {
		req.HostConfig = &container.HostConfig{}
	}
	host := req.HostConfig
	if n := host.MemorySwappiness; n != nil && *n == -1 {
		// Old clients and today's docker CLI say "unset" like this.
		host.MemorySwappiness = nil
	}
	if n := host.PidsLimit; n != nil && *n <= 0 {
		host.PidsLimit = nil
	}
	if v.before(40) && host.IpcMode == "" {
		host.IpcMode = container.IPCModeShareable
	}
	if v.before(41) && host.CgroupnsMode == "" {
		host.CgroupnsMode = container.CgroupnsModeHost
	}
	if v.before(44) {
		if net := req.NetworkingConfig; net != nil && len(net.EndpointsConfig) > 1 {
			names := slices.Sorted(maps.Keys(net.EndpointsConfig))
			return invalid("Container cannot be created with multiple network endpoints: %s", strings.Join(names, ", "))
		}
		if check := req.Config.Healthcheck; check != nil {
			check.StartInterval = 0
		}
	}
	for i := range host.Mounts {
		adaptMount(&host.Mounts[i], v)
	}
	if v.before(52) && len(req.MacAddress) > 0 {
		req.moveMAC()
	}
	return nil
}

// adaptMount is adapt for one of HostConfig.Mounts.
func adaptMount(m *mount.Mount, v version) {
	if o := m.BindOptions; o != nil {
		o.NonRecursive = o.NonRecursive && !v.before(40)
		o.CreateMountpoint = o.CreateMountpoint && !v.before(42)
	}
	if v.before(44) && m.Type == mount.TypeBind && m.ReadOnly {
		// Until then only the mount itself was made read-only, not what is mounted below it.
		if m.BindOptions == nil {
			m.BindOptions = &mount.BindOptions{}
		}
		m.BindOptions.ReadOnlyNonRecursive = true
	}
	if v.before(45) && m.VolumeOptions != nil {
		m.VolumeOptions.Subpath = ""
	}
}

// moveMAC gives the container's MAC address to the endpoint of its network.
func (req *createRequest) moveMAC() {
	if e := req.mainEndpoint(); len(e.MacAddress) == 0 {
		e.MacAddress = req.MacAddress
	}
}

// mainEndpoint is that of the network mode; it is made where there is none.
func (req *createRequest) mainEndpoint() *network.EndpointSettings {
	if req.NetworkingConfig == nil {
		req.NetworkingConfig = &network.NetworkingConfig{}
	}
	endpoints := &req.NetworkingConfig.EndpointsConfig
	if *endpoints == nil {
		*endpoints = map[string]*network.EndpointSettings{}
	}
	name := req.HostConfig.NetworkMode.NetworkName()
	if name == "" {
		name = network.NetworkDefault
	}
	if (*endpoints)[name] == nil {
		(*endpoints)[name] = &network.EndpointSettings{}
	}
	return (*endpoints)[name]
}

// platformOf reads ?platform= of a create: "linux/amd64" or the JSON that newer clients send.
func platformOf(text string) (*ocispec.Platform, error) {
	if text == "" {
		return nil, nil
	}
	if strings.HasPrefix(text, "{") {
		var p ocispec.Platform
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return nil, invalid("invalid platform %q: %w", text, err)
		}
		return &p, nil
	}
	p, err := platforms.Parse(text)
	if err != nil {
		return nil, invalid("%w", err) // it brings a kind of its own
	}
	return &p, nil
}
