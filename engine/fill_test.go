package engine

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// In a volume with a file system of its own a container can put what it likes in the
// place of what the engine has put together: it is not followed, nor waited for.
func TestFillIsNotLedAstray(t *testing.T) {
	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "host"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, put := range map[string]func(name string) error{
		"a link":  func(name string) error { return os.Symlink(elsewhere, name) },
		"a FIFO":  func(name string) error { return unix.Mkfifo(name, 0o600) },
		"a file":  func(name string) error { return os.WriteFile(name, nil, 0o600) },
		"nothing": func(string) error { return nil },
	} {
		vol := t.TempDir()
		if err := put(filepath.Join(vol, filledPrefix+"volume")); err != nil {
			t.Fatal(err)
		}
		if err := finishFill(vol, "volume", vol); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Lstat(filepath.Join(vol, "host")); err == nil {
			t.Errorf("%s: what it leads to was moved into the volume", what)
		}
	}
	if _, err := os.Lstat(filepath.Join(elsewhere, "host")); err != nil {
		t.Errorf("a file of the host: %v", err)
	}
}
