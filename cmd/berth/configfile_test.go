package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestConfigFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	if c, err := readConfig(path); err != nil || c.Registry.Downloads != 0 {
		t.Errorf("no file: %+v, %v", c, err)
	}
	for content, want := range map[string]string{
		"[registry]\nmirrors = ['https://m.example']\ninsecure = ['10.0.0.0/8']\nmax-concurrent-downloads = 2\nmax-concurrent-uploads = 1\n": "",
		"[registry]\nmirror = ['https://m.example']\n": "line 2: there is no setting [registry mirror]",
		"[registry]\nmirrors = 3\n":                    path,
		"[registry]\nmax-concurrent-downloads = -1\n":  "cannot be negative",
		"[registry\n": path,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readConfig(path)
		switch {
		case want == "" && (err != nil || !slices.Equal(c.Registry.Mirrors, []string{"https://m.example"}) || c.Registry.Downloads != 2 || c.Registry.Uploads != 1 || len(c.Registry.Insecure) != 1):
			t.Errorf("%s: %+v, %v", content, c, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
}
