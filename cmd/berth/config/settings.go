package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"

	"berth/engine"
	"berth/engine/network"
	"berth/engine/registry"
)

// Check says what is wrong with the values.
func (f *File) Check() error {
	if f.Registry.Downloads < 0 || f.Registry.Uploads < 0 {
		return errors.New("max-concurrent-downloads and max-concurrent-uploads cannot be negative")
	}
	if _, err := f.Level(); err != nil {
		return err
	}
	if _, err := f.NetworkDefaults(); err != nil {
		return err
	}
	_, err := f.Settings()
	return err
}

// Level is the least important kind of line in the engine's log.
func (f *File) Level() (slog.Level, error) {
	var level slog.Level
	if f.LogLevel == "" {
		return level, nil
	}
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return level, fmt.Errorf("log-level %q must be debug, info, warn or error", f.LogLevel)
	}
	return level, nil
}

// Settings are those that the engine works with.
func (f *File) Settings() (engine.Settings, error) {
	s := engine.Settings{
		LogDriver: f.Logs.Driver, LogOpts: f.Logs.Options,
		Init: f.Containers.Init, NoNewPrivileges: f.Containers.NoNewPrivileges,
		IpcMode: container.IpcMode(f.Containers.IpcMode), CgroupnsMode: container.CgroupnsMode(f.Containers.CgroupnsMode),
		CgroupParent: f.Containers.CgroupParent,
		DNSSearch:    f.DNS.Search, DNSOptions: f.DNS.Options,
		DefaultRuntime: f.DefaultRuntime,
	}
	for name, r := range f.Runtimes {
		if s.Runtimes == nil {
			s.Runtimes = map[string]engine.Runtime{}
		}
		s.Runtimes[name] = engine.Runtime(r)
	}
	for _, text := range f.Containers.Ulimits {
		u, err := units.ParseUlimit(text)
		if err != nil {
			return s, fmt.Errorf("ulimits: %q: %w", text, err)
		}
		s.Ulimits = append(s.Ulimits, u)
	}
	if text := f.Containers.ShmSize; text != "" {
		n, err := units.RAMInBytes(text)
		if err != nil || n <= 0 {
			return s, fmt.Errorf("shm-size %q is no size", text)
		}
		s.ShmSize = n
	}
	for _, text := range f.DNS.Servers {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return s, fmt.Errorf("dns servers: %q is no address", text)
		}
		s.DNS = append(s.DNS, a)
	}
	for _, label := range f.Labels {
		if name, _, ok := strings.Cut(label, "="); !ok || name == "" {
			return s, fmt.Errorf("labels: %q must be name=value", label)
		}
		s.Labels = append(s.Labels, label)
	}
	return s, s.Check()
}

// NetworkDefaults are the choices for networks, for engine.Config.
func (f *File) NetworkDefaults() (network.Defaults, error) {
	d := network.Defaults{MTU: f.Network.MTU}
	parse := func(to *netip.Prefix, name, text string) error {
		var err error
		if text != "" {
			*to, err = netip.ParsePrefix(text)
		}
		if err != nil {
			return fmt.Errorf("%s: %q is no address with the length of a prefix", name, text)
		}
		return nil
	}
	err := errors.Join(parse(&d.Address, "bip", f.Network.BIP), parse(&d.Range, "fixed-cidr", f.Network.Range))
	for _, p := range f.Network.Pools {
		pool := network.AddressPool{Size: p.Size}
		err = errors.Join(err, parse(&pool.Base, "default-address-pools", p.Base))
		d.Pools = append(d.Pools, pool)
	}
	if err != nil {
		return d, err
	}
	return d, d.Check()
}

// Registries is how the engine reaches registries; agent is how it calls itself there.
func (f *File) Registries(agent string) registry.Config {
	return registry.Config{
		CertDirs: registry.CertDirs, Agent: agent, Mirrors: f.Registry.Mirrors, Insecure: f.Registry.Insecure,
		Downloads: f.Registry.Downloads, Uploads: f.Registry.Uploads,
	}
}

// Fixed are the names of the settings in which f and other differ and which count from
// the next start of the engine on.
func (f *File) Fixed(other *File) []string {
	var names []string
	for name, differ := range map[string]bool{
		"root": f.Root != other.Root, "state": f.State != other.State, "group": f.Group != other.Group,
		"storage-driver": f.StorageDriver != other.StorageDriver,
		"hosts":          strings.Join(f.Hosts, "\n") != strings.Join(other.Hosts, "\n"),
		"network":        !reflect.DeepEqual(f.Network, other.Network),
		"tls.verify":     f.TLS.Verify != other.TLS.Verify,
		"tls.ca":         f.TLS.CA != other.TLS.CA,
		"tls.cert":       f.TLS.Cert != other.TLS.Cert,
		"tls.key":        f.TLS.Key != other.TLS.Key,
	} {
		if differ {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
