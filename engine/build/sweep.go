package build

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"berth/runtime/mount"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Sweep takes away what builds left mounted below dir, and dir. An engine does it
// before its first build and after its last.
func Sweep(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("sweep mounts of builds: %w", err)
	}
	below := func(m *mountinfo.Info) (skip, stop bool) { return !strings.HasPrefix(m.Mountpoint, real+"/"), false }
	mounts, err := mountinfo.GetMounts(below)
	if err != nil {
		return fmt.Errorf("sweep mounts of builds: %w", err)
	}
	// What was mounted last lies on top.
	slices.Reverse(mounts)
	for _, m := range mounts {
		if err := mount.Unmount(m.Mountpoint, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("sweep mounts of builds: %w", err)
		}
	}
	// Nothing is removed through a mount that is still there.
	if left, err := mountinfo.GetMounts(below); err != nil || len(left) > 0 {
		return errors.Join(err, fmt.Errorf("sweep mounts of builds: %d are left below %s", len(left), dir))
	}
	return os.RemoveAll(dir)
}
