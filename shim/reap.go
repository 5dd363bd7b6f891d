package shim

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// Reap removes what is left of the container id and its shim: dir is the Config.Dir of
// the shim and runtimeRoot its Config.RuntimeRoot. A shim that still lives, even a
// stopped one, is killed, then the container through its cgroup. Nothing left is no
// error. The exit record is the caller's to write.
func Reap(ctx context.Context, dir, runtimeRoot, id string) error {
	if err := killShim(ctx, dir); err != nil {
		return fmt.Errorf("reap container %s: %w", id, err)
	}
	box, err := find(dir, runtimeRoot, id)
	if err == nil {
		err = box.Delete(true)
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("reap container %s: %w", id, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("reap container %s: %w", id, err)
	}
	return nil
}

// killShim kills the process that listens on the socket in dir and waits until it is
// gone.
func killShim(ctx context.Context, dir string) error {
	conn, err := dial(dir)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	cred, err := conn.Peer()
	conn.Close()
	if err != nil {
		return fmt.Errorf("find shim's process: %w", err)
	}
	pidfd, err := unix.PidfdOpen(int(cred.Pid), 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open shim's process %d: %w", cred.Pid, err)
	}
	defer unix.Close(pidfd)
	// A half-made container may hold the socket of a shim that is gone, and its number
	// may be another's. Looked at after the descriptor was opened: if it is a shim, the
	// descriptor is its.
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cred.Pid)); err != nil || !bytes.HasPrefix(line, []byte("berth-shim\x00")) {
		return nil
	}
	if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
		return fmt.Errorf("kill shim %d: %w", cred.Pid, err)
	}
	if err := waitGone(ctx, pidfd); err != nil {
		return fmt.Errorf("wait for the end of shim %d: %w", cred.Pid, err)
	}
	return nil
}
