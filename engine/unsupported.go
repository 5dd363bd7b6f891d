package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// unsupported refuses options that would otherwise be lost silently.
func unsupported(cfg *container.Config, hc *container.HostConfig) error {
	asked := map[string]bool{
		"an init process (--init)":                        hc.Init != nil && *hc.Init,
		"links (--link)":                                  len(hc.Links) > 0,
		"device requests (--gpus)":                        len(hc.DeviceRequests) > 0,
		"storage options":                                 len(hc.StorageOpt) > 0,
		"user namespace modes":                            hc.UsernsMode != "" && !hc.UsernsMode.IsHost(),
		"volume drivers but \"local\"":                    hc.VolumeDriver != "" && hc.VolumeDriver != "local",
		"the IPC namespace of another container (--ipc)":  hc.IpcMode.IsContainer(), // its /dev/shm would stay its own
		"the cgroup of another container":                 hc.Cgroup != "",
		"isolation modes (--isolation)":                   !hc.Isolation.IsDefault(),
		"the limits of Windows (CpuCount, CpuPercent, …)": hc.CPUCount != 0 || hc.CPUPercent != 0 || hc.IOMaximumIOps != 0 || hc.IOMaximumBandwidth != 0,
		"health checks (--health-cmd)":                    cfg.Healthcheck != nil && !noHealthcheck(cfg.Healthcheck),
	}
	// In an order, so that one request always gets one answer.
	for _, what := range slices.Sorted(maps.Keys(asked)) {
		if asked[what] {
			return fmt.Errorf("%s cannot be used with this engine yet: %w", what, errdefs.ErrNotImplemented)
		}
	}
	return nil
}

// noHealthcheck is how a client turns off the image's check.
func noHealthcheck(h *container.HealthConfig) bool {
	return len(h.Test) == 1 && h.Test[0] == "NONE"
}

// unhonoured tells what an image asks for and does not get: an image that
// brings a health check must run all the same.
func unhonoured(cfg *container.Config, img baseImage) []string {
	if img.health == nil || len(img.health.Test) == 0 || noHealthcheck(img.health) || cfg.Healthcheck != nil {
		return nil
	}
	return []string{"The image's HEALTHCHECK is not run by this engine yet."}
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
		{"cgroup namespace", string(hc.CgroupnsMode), hc.CgroupnsMode.Valid()},
	} {
		if !m.ok {
			return kind(errdefs.ErrInvalidArgument, "invalid %s mode: %s", m.name, m.value)
		}
	}
	return nil
}

// checkNetworking refuses what is asked of endpoints and cannot be done: a
// second network, and settings that no network has yet.
func checkNetworking(mode container.NetworkMode, nc *network.NetworkingConfig) error {
	if nc == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(nc.EndpointsConfig)) {
		// The network of the mode goes by several names in clients.
		if name != mode.NetworkName() && name != string(mode) && name != network.NetworkDefault {
			return fmt.Errorf("a container in more than one network (%s beside %s) cannot be used with this engine yet: %w", name, mode, errdefs.ErrNotImplemented)
		}
		es := nc.EndpointsConfig[name]
		if es == nil {
			continue
		}
		if len(es.Aliases) > 0 && mode.IsBridge() {
			return kind(errdefs.ErrInvalidArgument, "invalid config for network %s: invalid endpoint settings:\nnetwork-scoped aliases are only supported for user-defined networks", mode)
		}
		for what, asked := range map[string]bool{
			"links":                len(es.Links) > 0,
			"driver options":       len(es.DriverOpts) > 0,
			"an IPv6 address":      es.IPAMConfig != nil && es.IPAMConfig.IPv6Address.IsValid(),
			"link-local addresses": es.IPAMConfig != nil && len(es.IPAMConfig.LinkLocalIPs) > 0,
		} {
			if asked {
				return fmt.Errorf("%s of the network %s cannot be used with this engine yet: %w", what, name, errdefs.ErrNotImplemented)
			}
		}
	}
	return nil
}
