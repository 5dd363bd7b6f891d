package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/cmd/berth/contexts"
)

// TestABrokenDockerConfigIsAWarning: docker's own CLI goes on, too.
func TestABrokenDockerConfigIsAWarning(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".docker"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".docker", "config.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	a := &app{environ: []string{"HOME=" + home}, err: &said}
	for range 2 {
		if name, err := a.contextName(); name != contexts.Default || err != nil {
			t.Errorf("context %q, %v", name, err)
		}
	}
	if strings.Count(said.String(), "WARNING: the default engine is used") != 1 || !strings.Contains(said.String(), "config.json") {
		t.Errorf("said %q", said.String())
	}
	if auth, err := a.registryAuth("registry.example"); auth != "" || err != nil || !strings.Contains(said.String(), "without credentials") {
		t.Errorf("auth %q, %v: %q", auth, err, said.String())
	}
	if auth, err := a.quietAuth("registry.example"); auth != "" || err != nil {
		t.Errorf("the console's: %q, %v", auth, err)
	}
}
