package engine

import (
	"strings"

	"berth/engine/spec"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// checkConfig copies what the client sent, fills in the engine's defaults and refuses
// what contradicts itself or cannot be done. What docker merely warns of is left out.
func (cs *Containers) checkConfig(opts CreateOptions) (_ *container.Config, _ *container.HostConfig, warnings []string, _ error) {
	bad := func(format string, args ...any) (*container.Config, *container.HostConfig, []string, error) {
		return nil, nil, nil, kind(errdefs.ErrInvalidArgument, format, args...)
	}
	if opts.Config == nil {
		return bad("config cannot be empty in order to create a container")
	}
	cfg, hc := *opts.Config, container.HostConfig{}
	if opts.HostConfig != nil {
		hc = *opts.HostConfig
	}
	if len(cfg.Volumes) == 0 {
		cfg.Volumes = nil // which is what inspect shows of none
	}
	if cfg.Image == "" {
		return bad("no image specified")
	}
	if err := checkValues(&cfg, &hc); err != nil {
		return nil, nil, nil, err
	}
	cs.fillDefaults(&hc)
	for _, check := range []func() error{
		func() error { return checkRestart(&hc) },
		func() error { return checkNetworkMode(&cfg, &hc) },
		func() error { return checkModes(&hc) },
		func() error { return checkHostFiles(&cfg, &hc) },
		func() error { return checkPorts(&cfg, &hc) },
		// Checked here, though used at start: a client reads the answer to create.
		func() error { _, err := logConfig(hc.LogConfig); return err },
		func() error { return cs.e.capacity.refuse(&hc.Resources) },
		func() error { warnings = cs.e.capacity.discard(&hc.Resources); return nil },
		func() error { return spec.Complete(&hc) },
		// This also completes the limits (swap), which inspect shows.
		func() error { _, err := spec.Resources(&hc); return err },
		func() error { return checkHealth(cfg.Healthcheck) },
		func() error { return cs.unsupported(&hc) },
		func() error { return cs.resolveLinks(&hc) },
		func() error {
			if cfg.StopSignal == "" {
				return nil
			}
			_, err := parseSignal(cfg.StopSignal)
			return err
		},
	} {
		if err := check(); err != nil {
			return nil, nil, nil, err
		}
	}
	if !cs.e.settings().hasRuntime(hc.Runtime) {
		return bad("unknown or invalid runtime name: %s", hc.Runtime)
	}
	switch {
	case hc.ShmSize < 0:
		return bad("SHM size can not be less than 0")
	case hc.OomScoreAdj < -1000 || hc.OomScoreAdj > 1000:
		return bad("Invalid value %d, range for oom score adj is [-1000, 1000]", hc.OomScoreAdj)
	}
	if hc.NetworkMode.IsHost() && len(hc.PortBindings) > 0 {
		warnings = append(warnings, "Published ports are discarded when using host network mode")
	}
	return &cfg, &hc, warnings, nil
}

// fillDefaults fills in what the client left open.
func (cs *Containers) fillDefaults(hc *container.HostConfig) {
	s := cs.e.settings()
	if hc.RestartPolicy.Name == "" {
		hc.RestartPolicy.Name = container.RestartPolicyDisabled
	}
	if hc.NetworkMode.IsDefault() || hc.NetworkMode == "" {
		hc.NetworkMode = network.NetworkBridge
	}
	// The names of other containers are good now, perhaps not at the start.
	if ref := hc.NetworkMode.ConnectedContainer(); ref != "" {
		hc.NetworkMode = container.NetworkMode("container:" + cs.idOf(ref))
	}
	if ref := hc.PidMode.Container(); ref != "" {
		hc.PidMode = container.PidMode("container:" + cs.idOf(ref))
	}
	if ref := hc.IpcMode.Container(); ref != "" {
		hc.IpcMode = container.IpcMode("container:" + cs.idOf(ref))
	}
	if hc.IpcMode.IsEmpty() {
		if hc.IpcMode = s.IpcMode; hc.IpcMode == "" {
			hc.IpcMode = container.IPCModePrivate
		}
	}
	if hc.CgroupnsMode.IsEmpty() && !hc.Privileged {
		hc.CgroupnsMode = s.CgroupnsMode
	}
	if hc.CgroupParent == "" {
		hc.CgroupParent = s.CgroupParent
	}
	if hc.ShmSize == 0 {
		if hc.ShmSize = s.ShmSize; hc.ShmSize == 0 {
			hc.ShmSize = 64 << 20
		}
	}
	if hc.Runtime == "" {
		hc.Runtime = s.defaultRuntime()
	}
	hc.LogConfig = s.logs(hc.LogConfig)
}

// idOf is the ID of a container, or ref if there is none: its start will say so.
func (cs *Containers) idOf(ref string) string {
	if c, err := cs.get(ref); err == nil {
		return c.id
	}
	return ref
}

func checkRestart(hc *container.HostConfig) error {
	if err := container.ValidateRestartPolicy(hc.RestartPolicy); err != nil {
		return kind(errdefs.ErrInvalidArgument, "%v", err)
	}
	if hc.AutoRemove && !hc.RestartPolicy.IsNone() {
		return kind(errdefs.ErrInvalidArgument, "can't create 'AutoRemove' container with restart policy")
	}
	return nil
}

// checkNetworkMode refuses what belongs to a network namespace that is another's.
func checkNetworkMode(cfg *container.Config, hc *container.HostConfig) error {
	what := ""
	switch mode := hc.NetworkMode; {
	case mode == "container:":
		return kind(errdefs.ErrInvalidArgument, "invalid network mode: invalid container format container:<name|id>")
	case mode.IsHost() && len(hc.Links) > 0:
		what = "host type networking can't be used with links. This would result in undefined behavior"
	case !mode.IsContainer():
		return nil
	case cfg.Hostname != "":
		what = "hostname and the network mode"
	case len(hc.Links) > 0:
		what = "container type network can't be used with links. This would result in undefined behavior"
	case len(hc.PortBindings) > 0 || hc.PublishAllPorts:
		what = "port publishing and the container type network mode"
	case len(cfg.ExposedPorts) > 0:
		what = "port exposing and the container type network mode"
	case len(hc.ExtraHosts) > 0:
		what = "custom host-to-IP mapping and the network mode"
	case len(hc.DNS) > 0:
		what = "dns and the network mode"
	default:
		return nil
	}
	return kind(errdefs.ErrInvalidArgument, "conflicting options: %s", what)
}

// checkModes refuses words that are no modes, which would otherwise mean "private".
func checkModes(hc *container.HostConfig) error {
	for _, m := range []struct {
		name, value string
		ok          bool
	}{
		{"IPC", string(hc.IpcMode), hc.IpcMode.Valid()},
		{"PID", string(hc.PidMode), hc.PidMode.Valid()},
		{"UTS", string(hc.UTSMode), hc.UTSMode.Valid()},
		{"user namespace", string(hc.UsernsMode), hc.UsernsMode.Valid()},
		{"cgroup namespace", string(hc.CgroupnsMode), hc.CgroupnsMode.Valid()},
		{"Cgroup", string(hc.Cgroup), hc.Cgroup.Valid()},
	} {
		if !m.ok {
			return kind(errdefs.ErrInvalidArgument, "invalid %s mode: %s", m.name, m.value)
		}
	}
	if !hc.Isolation.IsDefault() {
		return kind(errdefs.ErrInvalidArgument, "invalid isolation '%s' on linux", strings.ToLower(string(hc.Isolation)))
	}
	return nil
}
