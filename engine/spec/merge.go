package spec

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Merge fills what cfg leaves open from the image's config: entrypoint and
// command together, environment by variable, labels and volumes by key.
// health is the image's check, which its OCI config does not carry.
func Merge(cfg *container.Config, img ocispec.ImageConfig, health *container.HealthConfig) {
	if cfg.User == "" {
		cfg.User = img.User
	}
	// An image with a port that cannot be read still runs.
	for port := range img.ExposedPorts {
		if p, err := network.ParsePort(port); err == nil {
			if cfg.ExposedPorts == nil {
				cfg.ExposedPorts = network.PortSet{}
			}
			cfg.ExposedPorts[p] = struct{}{}
		}
	}
	cfg.Env = withImageEnv(cfg.Env, img.Env)
	if cfg.Labels == nil {
		cfg.Labels = map[string]string{}
	}
	for k, v := range img.Labels {
		if _, ok := cfg.Labels[k]; !ok {
			cfg.Labels[k] = v
		}
	}
	// A user's entrypoint stands alone; the image's command was written for the image's.
	if len(cfg.Entrypoint) == 0 {
		if len(cfg.Cmd) == 0 {
			cfg.Cmd = slices.Clone(img.Cmd)
		}
		if cfg.Entrypoint == nil {
			cfg.Entrypoint = slices.Clone(img.Entrypoint)
		}
	} else if len(cfg.Entrypoint) == 1 && cfg.Entrypoint[0] == "" {
		cfg.Entrypoint = nil // `--entrypoint ""`
	}
	if cfg.WorkingDir == "" {
		cfg.WorkingDir = img.WorkingDir
	}
	if len(img.Volumes) > 0 {
		vols := maps.Clone(img.Volumes)
		maps.Copy(vols, cfg.Volumes)
		cfg.Volumes = vols
	}
	if cfg.StopSignal == "" {
		cfg.StopSignal = img.StopSignal
	}
	cfg.Healthcheck = mergeHealth(cfg.Healthcheck, health)
}

// mergeHealth fills what the user left open of the check with the image's.
func mergeHealth(own, img *container.HealthConfig) *container.HealthConfig {
	if own == nil || img == nil {
		return cmp.Or(own, img)
	}
	h := *own
	if len(h.Test) == 0 {
		h.Test = img.Test
	}
	h.Interval = cmp.Or(h.Interval, img.Interval)
	h.Timeout = cmp.Or(h.Timeout, img.Timeout)
	h.StartPeriod = cmp.Or(h.StartPeriod, img.StartPeriod)
	h.StartInterval = cmp.Or(h.StartInterval, img.StartInterval)
	h.Retries = cmp.Or(h.Retries, img.Retries)
	return &h
}

// Command is what runs: the entrypoint with the command as arguments.
// Both are empty when the container has neither.
func Command(cfg *container.Config) (path string, args []string) {
	all := slices.Concat(cfg.Entrypoint, cfg.Cmd)
	if len(all) == 0 {
		return "", nil
	}
	return all[0], all[1:]
}

// withImageEnv is a container's own environment, first and in its order as
// docker has it, and what the image adds. A name without "=" keeps the image's
// variable away; it stays, for who asks what the container was made with.
func withImageEnv(own, image []string) []string {
	out := slices.Clone(own)
	for _, kv := range image {
		key, _, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(own, func(have string) bool { k, _, _ := strings.Cut(have, "="); return k == key }) {
			out = append(out, kv)
		}
	}
	return out
}

// mergeEnv puts over's variables over base's, in base's order; an entry
// without "=" removes the variable.
func mergeEnv(base, over []string) []string {
	out := slices.Clone(base)
	for _, kv := range over {
		key, _, set := strings.Cut(kv, "=")
		at := slices.IndexFunc(out, func(have string) bool {
			k, _, _ := strings.Cut(have, "=")
			return k == key
		})
		switch {
		case at >= 0 && set:
			out[at] = kv
		case at >= 0:
			out = slices.Delete(out, at, at+1)
		case set:
			out = append(out, kv)
		}
	}
	return out
}

// defaultPath is what docker gives to an image without PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is the process's: defaults, overridden by the configured
// variables, and HOME of the user if nobody set it.
func environment(env []string, hostname, home string, tty bool) []string {
	base := []string{"PATH=" + defaultPath, "HOSTNAME=" + hostname}
	if tty {
		base = append(base, "TERM=xterm")
	}
	out := mergeEnv(base, env)
	if !slices.ContainsFunc(out, func(kv string) bool { return strings.HasPrefix(kv, "HOME=") }) {
		out = append(out, "HOME="+home)
	}
	return out
}
