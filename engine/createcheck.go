package engine

import (
	"path"
	"strings"

	"berth/engine/spec"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// checkValues refuses single values that docker refuses in the request to create a container, in its words, and gives the
// working directory the form that inspect shows.
func checkValues(cfg *container.Config, hc *container.HostConfig) error {
	for _, variable := range cfg.Env {
		if name, _, _ := strings.Cut(variable, "="); name == "" {
			return kind(errdefs.ErrInvalidArgument, "invalid environment variable: %s", variable)
		}
	}
	if cfg.WorkingDir != "" {
		if !path.IsAbs(cfg.WorkingDir) {
			return kind(errdefs.ErrInvalidArgument, "the working directory '%s' is invalid, it needs to be an absolute path", cfg.WorkingDir)
		}
		cfg.WorkingDir = path.Clean(cfg.WorkingDir)
	}
	for dest := range hc.Tmpfs {
		if err := spec.CheckDestination(dest); err != nil {
			return kind(errdefs.ErrInvalidArgument, "%v", err)
		}
	}
	if _, ok := hc.Annotations[""]; ok {
		return kind(errdefs.ErrInvalidArgument, "invalid Annotations: the empty string is not permitted as an annotation key")
	}
	for option, names := range map[string][]string{"CapAdd": hc.CapAdd, "CapDrop": hc.CapDrop} {
		if _, err := spec.Capabilities(false, names, nil); err != nil {
			return kind(errdefs.ErrInvalidArgument, "invalid %s: %v", option, err)
		}
	}
	if hc.CPUShares < 0 {
		return kind(errdefs.ErrInvalidArgument, "invalid CPU shares (%d): value must be a positive integer", hc.CPUShares)
	}
	return nil
}

// checkNamespaces looks the containers up whose namespaces a new one asks for. That they run is asked at its start.
func (cs *Containers) checkNamespaces(hc *container.HostConfig) error {
	for _, ref := range []string{hc.PidMode.Container(), hc.IpcMode.Container()} {
		if ref == "" {
			continue
		}
		if _, err := cs.get(ref); err != nil {
			return kind(errdefs.ErrInvalidArgument, "%v", err)
		}
	}
	return nil
}
