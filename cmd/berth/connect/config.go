// Package connect finds the engine that a verb talks to: a remote one that was
// named, the one that already listens on the local socket, or one that it
// starts in the background.
//
// Terms: the root is where images and containers live, the state is what does
// not survive a boot; the state holds the socket (berth.sock) and the log of a
// background engine (engine.log). It must not import the engine: a verb is a
// client and nothing else.
package connect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"berth/cmd/berth/credentials"
)

// Config says where the engine is.
type Config struct {
	Root  string // images and containers, e.g. /var/lib/berth
	State string // sockets and running containers, e.g. /run/berth
	Host  string // a named engine (unix://, tcp://); empty: the local one of Root and State
	TLS   TLS    // of tcp:// hosts

	// StorageDriver is how a local engine gets images into containers; empty: as it finds best.
	StorageDriver string
}

// Environment is the Config that BERTH_ROOT, BERTH_STATE, BERTH_STORAGE_DRIVER, BERTH_HOST and, after
// them, DOCKER_HOST give. A BERTH_ROOT or BERTH_STATE says that the local
// engine is meant, so DOCKER_HOST is not looked at then.
func Environment(getenv func(string) string) Config {
	c := Config{Root: getenv("BERTH_ROOT"), State: getenv("BERTH_STATE"), Host: getenv("BERTH_HOST"), StorageDriver: getenv("BERTH_STORAGE_DRIVER")}
	if c.Host == "" && c.Root == "" && c.State == "" {
		c.Host = getenv("DOCKER_HOST")
	}
	c.TLS = TLS{
		On:     getenv("DOCKER_CERT_PATH") != "" || getenv("DOCKER_TLS") != "",
		Verify: getenv("DOCKER_TLS_VERIFY") != "",
		Dir:    getenv("DOCKER_CERT_PATH"),
	}
	if c.TLS.Dir == "" {
		c.TLS.Dir = filepath.Dir(credentials.Path(getenv))
	}
	return c
}

// Fill puts defaults where nothing was said. A root that was moved without a
// state gets a state of its own, since one state belongs to one root.
func (c *Config) Fill() error {
	if c.Root == "" {
		c.Root = "/var/lib/berth"
	}
	if c.State == "" {
		c.State = "/run/berth"
	}
	for _, p := range []*string{&c.Root, &c.State} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return fmt.Errorf("making %s absolute: %w", *p, err)
		}
		*p = abs
	}
	// The kernel's limit on a unix socket's path is 107 bytes (unix(7)).
	if n := len(c.SocketPath()); n > 107 {
		return fmt.Errorf("state directory %s is too long: its socket's path has %d bytes and the kernel takes 107; give a shorter --state", c.State, n)
	}
	return nil
}

// SocketPath is where the local engine listens.
func (c Config) SocketPath() string { return filepath.Join(c.State, "berth.sock") }

// Socket is SocketPath as a host.
func (c Config) Socket() string { return "unix://" + c.SocketPath() }

// LogPath is where a background engine logs.
func (c Config) LogPath() string { return filepath.Join(c.State, "engine.log") }

// Local says whether c means the engine of Root and State.
func (c Config) Local() bool { return c.Host == "" || c.Host == c.Socket() }

// Environ is the environment for a child that is to use the same engine.
func (c Config) Environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "BERTH_") && !strings.HasPrefix(kv, "BERTH_CONFIG=") || strings.HasPrefix(kv, "NOTIFY_SOCKET=") {
			continue
		}
		env = append(env, kv)
	}
	return append(env, "BERTH_ROOT="+c.Root, "BERTH_STATE="+c.State)
}
