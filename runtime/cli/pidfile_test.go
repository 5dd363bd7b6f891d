package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPIDFileIsNotWrittenThrough has somebody who knows the names that the runtime
// uses.
func TestPIDFileIsNotWrittenThrough(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pid", ".pid"} {
		if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	// Held by O_EXCL in writePID.
	if err := writePID(filepath.Join(dir, "pid"), 42); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "as it was" {
		t.Errorf("the file that the links led to holds %q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "pid")); err != nil || string(b) != "42" {
		t.Errorf("the pid file holds %q, %v", b, err)
	}
}
