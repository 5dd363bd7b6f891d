// Package config reads the engine's settings: /etc/berth/config.toml, and over it the
// user's config.toml below $XDG_CONFIG_HOME/berth. Flags and variables beat both.
//
// Every setting is in example.toml, which `berth serve --example` prints. A name that
// means nothing is an error that says on which line it stands: it would be a setting
// that is not made.
package config

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pelletier/go-toml/v2"

	"berth/cmd/berth/connect"
)

// Example is a file with every setting and what it means, each with its default.
//
//go:embed example.toml
var Example string

// File is what can be set.
type File struct {
	Root          string   `toml:"root"`
	State         string   `toml:"state"`
	Hosts         []string `toml:"hosts"`
	Group         string   `toml:"group"`
	StorageDriver string   `toml:"storage-driver"`
	LogLevel      string   `toml:"log-level"`
	Labels        []string `toml:"labels"`

	DefaultRuntime string             `toml:"default-runtime"`
	Runtimes       map[string]Runtime `toml:"runtimes"`

	TLS        TLS        `toml:"tls"`
	Logs       Logs       `toml:"logs"`
	Containers Containers `toml:"containers"`
	DNS        DNS        `toml:"dns"`
	Network    Network    `toml:"network"`
	Registry   Registry   `toml:"registry"`
}

// Runtime is an OCI runtime besides berth's own.
type Runtime struct {
	Path string   `toml:"path"`
	Args []string `toml:"args"`
}

// TLS is how tcp:// hosts are answered.
type TLS struct {
	Verify bool   `toml:"verify"`
	CA     string `toml:"ca"`
	Cert   string `toml:"cert"`
	Key    string `toml:"key"`
}

// Logs are where the output of new containers goes.
type Logs struct {
	Driver  string            `toml:"driver"`
	Options map[string]string `toml:"options"`
}

// Containers are what containers have where nothing else is said.
type Containers struct {
	Init            bool     `toml:"init"`
	NoNewPrivileges bool     `toml:"no-new-privileges"`
	Ulimits         []string `toml:"ulimits"`
	ShmSize         string   `toml:"shm-size"`
	IpcMode         string   `toml:"ipc-mode"`
	CgroupnsMode    string   `toml:"cgroupns-mode"`
	CgroupParent    string   `toml:"cgroup-parent"`
}

// DNS is who containers ask for names, instead of those whom the host asks.
type DNS struct {
	Servers []string `toml:"servers"`
	Search  []string `toml:"search"`
	Options []string `toml:"options"`
}

// Network is what the default network is like, and where subnets of networks that name
// none are chosen from.
type Network struct {
	MTU   int           `toml:"mtu"`
	BIP   string        `toml:"bip"`
	Range string        `toml:"fixed-cidr"`
	Pools []AddressPool `toml:"default-address-pools"`
}

// AddressPool is divided into subnets of the prefix length Size.
type AddressPool struct {
	Base string `toml:"base"`
	Size int    `toml:"size"`
}

// Registry is how registries are reached.
type Registry struct {
	Mirrors   []string `toml:"mirrors"`
	Insecure  []string `toml:"insecure"`
	Downloads int      `toml:"max-concurrent-downloads"`
	Uploads   int      `toml:"max-concurrent-uploads"`
}

// Load reads the files that there are; a setting of a later one counts more.
func Load(paths ...string) (File, error) {
	var f File
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return f, fmt.Errorf("reading the settings: %w", err)
		}
		if err := f.decode(data); err != nil {
			return f, fmt.Errorf("reading the settings: %s%w", path, err)
		}
	}
	return f, nil
}

// decode takes the settings of a file; what it does not name stays. Its errors go on
// where the name of the file ends.
func (f *File) decode(data []byte) error {
	before := *f
	err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(f)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		row, _ := unknown.Errors[0].Position()
		return fmt.Errorf(" line %d: there is no setting %v", row, unknown.Errors[0].Key())
	}
	var syntax *toml.DecodeError
	if errors.As(err, &syntax) {
		row, _ := syntax.Position()
		return fmt.Errorf(" line %d: %w", row, err)
	}
	if err != nil {
		return fmt.Errorf(": %w", err)
	}
	// Verbs that start no engine read these two in their own way.
	if root, state := connect.Places(string(data)); f.Root != before.Root && f.Root != root || f.State != before.State && f.State != state {
		return errors.New(": root and state must be strings on lines of their own, before the first table")
	}
	if err := f.Check(); err != nil {
		return fmt.Errorf(": %w", err)
	}
	return nil
}
