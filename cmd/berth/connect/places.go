package connect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// systemSettings is where the settings of all are.
const systemSettings = "/etc/berth/config.toml"

// SettingsFiles are the files with settings, the last counting most: BERTH_CONFIG
// alone, or the system's and the user's.
func SettingsFiles(getenv func(string) string) []string {
	if path := getenv("BERTH_CONFIG"); path != "" {
		return []string{path}
	}
	own := getenv("XDG_CONFIG_HOME")
	if own == "" && getenv("HOME") != "" {
		own = filepath.Join(getenv("HOME"), ".config")
	}
	if own == "" {
		return []string{systemSettings}
	}
	return []string{systemSettings, filepath.Join(own, "berth", "config.toml")}
}

// ConsoleFiles are the files with the console's settings, the last counting most:
// beside those of the engine.
func ConsoleFiles(getenv func(string) string) []string {
	var out []string
	for _, path := range SettingsFiles(getenv) {
		out = append(out, filepath.Join(filepath.Dir(path), "console.toml"))
	}
	return out
}

// Place fills in the root and the state that the files name where c has none. All else
// in them is the engine's; reading it all would cost every verb a parser of TOML.
func (c *Config) Place(paths ...string) error {
	var root, state string
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the settings: %w", err)
		}
		r, s := Places(string(data))
		if r != "" {
			root = r
		}
		if s != "" {
			state = s
		}
	}
	if c.Root == "" {
		c.Root = root
	}
	if c.State == "" {
		c.State = state
	}
	return nil
}

// Places finds root and state in a file of settings: strings on lines of their own,
// before the first table.
func Places(text string) (root, state string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			break
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		switch strings.TrimSpace(key) {
		case "root":
			root = plainString(value)
		case "state":
			state = plainString(value)
		}
	}
	return root, state
}

// plainString reads a string of TOML and leaves out the comment behind it; "" if it is none.
func plainString(text string) string {
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, "'"); ok {
		value, _, ok := strings.Cut(rest, "'")
		if !ok {
			return ""
		}
		return value
	}
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return ""
	}
	value, err := strconv.Unquote(quoted)
	if err != nil {
		return ""
	}
	return value
}
