//go:build !client

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pelletier/go-toml/v2"

	"berth/engine/registry"
)

// configPath is where the engine's settings are.
const configPath = "/etc/berth/config.toml"

// configFile are the engine's settings:
//
//	[registry]
//	mirrors = ["https://mirror.example"]     # of docker.io
//	insecure = ["r.example:5000", "10.0.0.0/8"]  # any certificate, or none
//	max-concurrent-downloads = 3             # layers of one pull
//	max-concurrent-uploads = 5               # layers of one push
type configFile struct {
	Registry struct {
		Mirrors   []string `toml:"mirrors"`
		Insecure  []string `toml:"insecure"`
		Downloads int      `toml:"max-concurrent-downloads"`
		Uploads   int      `toml:"max-concurrent-uploads"`
	} `toml:"registry"`
}

// readConfig reads the settings; without the file they are the defaults. A
// name that means nothing is an error: it would be a setting that is not made.
func readConfig(path string) (configFile, error) {
	var c configFile
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("reading the settings: %w", err)
	}
	err = toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&c)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		row, _ := unknown.Errors[0].Position()
		return c, fmt.Errorf("reading the settings: %s line %d: there is no setting %v", path, row, unknown.Errors[0].Key())
	}
	if err == nil && (c.Registry.Downloads < 0 || c.Registry.Uploads < 0) {
		err = errors.New("max-concurrent-downloads and max-concurrent-uploads cannot be negative")
	}
	if err != nil {
		return c, fmt.Errorf("reading the settings: %s: %w", path, err)
	}
	return c, nil
}

// registryConfig is how this machine reaches registries.
func registryConfig() (registry.Config, error) {
	path := os.Getenv("BERTH_CONFIG")
	if path == "" {
		path = configPath
	}
	c, err := readConfig(path)
	return registry.Config{
		CertDirs: registry.CertDirs, Agent: "berth/" + berthVersion(),
		Mirrors: c.Registry.Mirrors, Insecure: c.Registry.Insecure,
		Downloads: c.Registry.Downloads, Uploads: c.Registry.Uploads,
	}, err
}
