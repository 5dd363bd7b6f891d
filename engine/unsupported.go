package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// unsupported refuses options that would otherwise be lost silently.
func unsupported(hc *container.HostConfig) error {
	for option := range hc.StorageOpt {
		if !strings.EqualFold(option, "size") {
			return kind(errdefs.ErrInvalidArgument, "Unknown option %s", option)
		}
	}
	if len(hc.StorageOpt) > 0 {
		return kind(errdefs.ErrInvalidArgument, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
	}
	asked := map[string]bool{
		"links (--link)":                                  len(hc.Links) > 0,
		"device requests (--gpus)":                        len(hc.DeviceRequests) > 0,
		"user namespace modes":                            hc.UsernsMode != "" && !hc.UsernsMode.IsHost(),
		"the IPC namespace of another container (--ipc)":  hc.IpcMode.IsContainer(), // its /dev/shm would stay its own
		"the cgroup of another container":                 hc.Cgroup != "",
		"isolation modes (--isolation)":                   !hc.Isolation.IsDefault(),
		"the limits of Windows (CpuCount, CpuPercent, …)": hc.CPUCount != 0 || hc.CPUPercent != 0 || hc.IOMaximumIOps != 0 || hc.IOMaximumBandwidth != 0,
	}
	// In an order, so that one request always gets one answer.
	for _, what := range slices.Sorted(maps.Keys(asked)) {
		if asked[what] {
			return fmt.Errorf("%s cannot be used with this engine yet: %w", what, errdefs.ErrNotImplemented)
		}
	}
	return nil
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
