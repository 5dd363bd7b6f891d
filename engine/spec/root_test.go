package spec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLayersReadLikeOverlay(t *testing.T) {
	dir := t.TempDir()
	mk := func(layer, name, content string) {
		t.Helper()
		file := filepath.Join(dir, layer, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			if err := os.Symlink(target, file); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mk("low", "etc/passwd", "low")
	mk("low", "etc/group", "low")
	mk("low", "real/file", "real")
	mk("low", "abs", "-> /real")
	mk("low", "up/escape", "-> ../../../../../../real/file")
	mk("low", "loop", "-> loop")
	mk("low", "over/x", "low")
	mk("top", "etc/passwd", "top")
	mk("top", "over", "a file over a directory")
	layers := Layers{filepath.Join(dir, "top"), filepath.Join(dir, "low")}
	for name, want := range map[string]string{
		"/etc/passwd": "top", "/etc/group": "low", "/abs/file": "real", "/up/escape": "real", "/etc/../etc//group": "low",
	} {
		if got, err := layers.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"/none", "/etc/none", "/over/x", "/loop", "/etc", "/etc/passwd/x"} {
		if got, err := layers.ReadFile(name); err == nil {
			t.Errorf("%s: got %q, want an error", name, got)
		}
	}
	f, err := os.Open(filepath.Join(dir, "low"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string]string{"/etc/passwd": "low", "/abs/file": "real", "/up/escape": "real"} {
		if got, err := (Mounted{f}).ReadFile(name); err != nil || string(got) != want {
			t.Errorf("mounted %s: got %q, %v", name, got, err)
		}
	}
}
