package engine

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
)

// Settings are what an engine does where a client does not say otherwise. The zero value
// is docker's defaults. They can change while the engine runs (Reload).
type Settings struct {
	LogDriver string            // of new containers; "": json-file
	LogOpts   map[string]string // of new containers with that driver

	ShmSize      int64                  // bytes of /dev/shm of new containers; 0: 64 MiB
	IpcMode      container.IpcMode      // of new containers: "private" (the default) or "shareable"
	CgroupnsMode container.CgroupnsMode // of new containers; "": private with cgroup v2, host with v1
	CgroupParent string                 // of new containers; "": the engine's own

	// These count from the next start of a container on.
	Init            bool            // containers have an init process
	NoNewPrivileges bool            // set-user-ID programs are ordinary ones in containers
	Ulimits         []*units.Ulimit // those that the container does not name itself
	DNS             []netip.Addr    // instead of the host's name servers
	DNSSearch       []string        // instead of the host's search domains
	DNSOptions      []string        // instead of the host's options

	Labels []string // "key=value", what info says of the engine

	Runtimes       map[string]Runtime // external OCI runtimes by name
	DefaultRuntime string             // of new containers; "": berth's own
}

// Check says what is wrong with the settings.
func (s *Settings) Check() error {
	if _, err := logConfig(s.logs(container.LogConfig{})); err != nil {
		return err
	}
	if err := s.checkRuntimes(); err != nil {
		return err
	}
	if s.IpcMode != "" && !s.IpcMode.IsPrivate() && !s.IpcMode.IsShareable() {
		return kind(errdefs.ErrInvalidArgument, "IPC mode %q is not private or shareable", s.IpcMode)
	}
	if !s.CgroupnsMode.Valid() {
		return kind(errdefs.ErrInvalidArgument, "cgroup namespace mode %q is not private or host", s.CgroupnsMode)
	}
	return nil
}

// settings are those of this moment; nobody changes them in place.
func (e *Engine) settings() *Settings { return e.current.Load() }

// logs is the log configuration of a new container that asked for conf.
func (s *Settings) logs(conf container.LogConfig) container.LogConfig {
	standard := s.LogDriver
	if standard == "" {
		standard = "json-file"
	}
	if conf.Type == "" {
		conf.Type = standard
	}
	opts := map[string]string{}
	if conf.Type == standard {
		maps.Copy(opts, s.LogOpts)
	}
	maps.Copy(opts, conf.Config)
	return container.LogConfig{Type: conf.Type, Config: opts}
}

// effective is rec with the settings that count from a start on.
func (cs *Containers) effective(rec record) record {
	rec.HostConfig = cs.e.settings().atStart(rec.HostConfig)
	return rec
}

// atStart is hc with the settings that count from a start on; hc stays as it is.
func (s *Settings) atStart(hc *container.HostConfig) *container.HostConfig {
	out := *hc
	if out.Init == nil && s.Init {
		out.Init = &s.Init
	}
	for _, u := range s.Ulimits {
		if !slices.ContainsFunc(hc.Ulimits, func(own *units.Ulimit) bool { return own.Name == u.Name }) {
			out.Ulimits = append(slices.Clip(out.Ulimits), u)
		}
	}
	if len(out.DNS) == 0 {
		out.DNS = s.DNS
	}
	if len(out.DNSSearch) == 0 {
		out.DNSSearch = s.DNSSearch
	}
	if len(out.DNSOptions) == 0 {
		out.DNSOptions = s.DNSOptions
	}
	if s.NoNewPrivileges {
		// First, so that the container's own option counts more.
		out.SecurityOpt = append([]string{"no-new-privileges"}, out.SecurityOpt...)
	}
	return &out
}
