package connect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSettingsFiles(t *testing.T) {
	for vars, want := range map[string]string{
		"BERTH_CONFIG=/x HOME=/h":     "/x",
		"HOME=/h":                     "/etc/berth/config.toml /h/.config/berth/config.toml",
		"HOME=/h XDG_CONFIG_HOME=/xd": "/etc/berth/config.toml /xd/berth/config.toml",
		"":                            "/etc/berth/config.toml",
	} {
		got := SettingsFiles(func(name string) string {
			for _, kv := range strings.Fields(vars) {
				if value, ok := strings.CutPrefix(kv, name+"="); ok {
					return value
				}
			}
			return ""
		})
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", vars, got)
		}
	}
}

func TestPlaces(t *testing.T) {
	for text, want := range map[string]string{
		"root = \"/a\" # here\nstate='/b'\n": "/a /b",
		"# root = '/x'\nroot='/a'":           "/a ",
		"[registry]\nroot = '/a'":            " ",
		"root = 3\nstate = '/b":              " ",
	} {
		if root, state := Places(text); root+" "+state != want {
			t.Errorf("%q: %q %q", text, root, state)
		}
	}
	dir := t.TempDir()
	one, two := filepath.Join(dir, "1"), filepath.Join(dir, "2")
	for path, text := range map[string]string{one: "root='/1'\nstate='/1s'", two: "root='/2'"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := Config{}
	if err := c.Place(one, two, dir+"/none"); err != nil || c.Root != "/2" || c.State != "/1s" {
		t.Errorf("%+v, %v", c, err)
	}
	c = Config{Root: "/mine"}
	if err := c.Place(one); err != nil || c.Root != "/mine" || c.State != "/1s" {
		t.Errorf("%+v, %v", c, err)
	}
}
