package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"berth/runtime/mount"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// The IPC namespace of a container that is "shareable" can be joined by others, and to
// that belongs its /dev/shm. It is mounted on the host then, for a mount inside the
// container's own namespace could not be bound into another's. It lives as long as the
// run does; who has joined keeps it by its own bind.

// shmDir is where the /dev/shm of a shareable container is mounted.
func (cs *Containers) shmDir(id string) string { return filepath.Join(cs.e.cfg.State, "shm", id) }

// makeShm mounts the /dev/shm of a container that shares it.
func (cs *Containers) makeShm(rec record) error {
	if !rec.HostConfig.IpcMode.IsShareable() {
		return nil
	}
	dir := cs.shmDir(rec.ID)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = unix.Mount("shm", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_NODEV, "mode=1777,size="+strconv.FormatInt(rec.HostConfig.ShmSize, 10))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("mount the shared memory of container %s: %w", rec.ID, err), cs.dropShm(rec.ID))
	}
	return nil
}

// dropShm takes it away; there is none as a rule.
func (cs *Containers) dropShm(id string) error {
	dir := cs.shmDir(id)
	if err := unix.Rmdir(dir); err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err := mount.Unmount(dir, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("take away the shared memory of container %s: %w", id, err)
	}
	return os.Remove(dir)
}

// shm is the directory that a container has as its /dev/shm; "" if the runtime makes it one.
func (cs *Containers) shm(rec record, joined namespaces) string {
	switch {
	case rec.HostConfig.IpcMode.IsShareable():
		return cs.shmDir(rec.ID)
	case joined.ipc != nil:
		return cs.shmDir(joined.ipc.ID)
	}
	return ""
}

// shareable refuses a container that keeps its IPC namespace to itself.
func shareable(rec record) error {
	if rec.HostConfig.IpcMode.IsShareable() {
		return nil
	}
	return kind(errdefs.ErrInvalidArgument, "can't join IPC of container %s: non-shareable IPC (hint: use IpcMode:shareable for the donor container)", rec.ID)
}
