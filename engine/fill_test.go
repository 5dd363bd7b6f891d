package engine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/moby/api/types/volume"
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

// A container that has a volume can see where the volume's content is put together, and
// put links there: what they lead to on the host stays as it is.
func TestFillFollowsNoLinks(t *testing.T) {
	r := newRig(t)
	outside, inside := t.TempDir(), t.TempDir()
	if err := os.Chmod(outside, 0o711); err != nil {
		t.Fatal(err)
	}
	v, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "shared", DriverOpts: map[string]string{"type": "none", "device": inside, "o": "bind"}})
	if err != nil {
		t.Fatal(err)
	}
	filling, filled := filepath.Join(inside, fillingPrefix+"volume"), filepath.Join(inside, filledPrefix+"volume")
	swap := func(name string) {
		t.Helper()
		if err := errors.Join(os.Rename(name, filepath.Join(inside, "old")), os.Symlink(outside, name)); err != nil {
			t.Fatal(err)
		}
	}
	err = r.Volumes.fill(r.ctx, v, "", func(into string) error {
		swap(filling)
		return errors.Join(os.Chmod(into, 0o755), os.WriteFile(filepath.Join(into, "hostile"), nil, 0o644))
	})
	if err == nil {
		t.Error("a link took the place of what was put together, and that is no error")
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(inside, "old")), os.Symlink(outside, filled)); err != nil {
		t.Fatal(err)
	}
	if err := r.Volumes.fill(r.ctx, v, "", func(string) error { return errNothing }); err != nil {
		t.Errorf("a link where a complete copy would be: %v", err)
	}
	entries, err := os.ReadDir(outside)
	fi, serr := os.Stat(outside)
	if err != nil || serr != nil || len(entries) > 0 || fi.Mode().Perm() != 0o711 {
		t.Errorf("outside: %v, %v, %v, %v", entries, fi.Mode(), err, serr)
	}
}
