package cli

import (
	"fmt"
	"os"
	"strconv"

	"berth/runtime/mount"
	"golang.org/x/sys/unix"
)

// seal makes sure that this process runs from a read-only mount, executing
// itself again from one if need be. Where init is a fork of this process, a
// container's command may be /proc/self/exe, and its /proc/<pid>/exe is then this
// binary, which must not be writable through it (CVE-2019-5736). Where init is a
// program of its own (initproc.Stub) that can not happen.
func seal() error {
	exe, err := os.OpenFile("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the runtime's binary: %w", err)
	}
	defer exe.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(exe.Fd()), &st); err != nil {
		return fmt.Errorf("look at the runtime's binary: %w", err)
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		return nil
	}
	tree, err := mount.ReadOnly("/proc/self/exe")
	if err != nil {
		return err
	}
	defer tree.Close()
	err = unix.Exec("/proc/self/fd/"+strconv.Itoa(int(tree.Fd())), os.Args, os.Environ())
	return fmt.Errorf("run the read-only copy of the runtime: %w", err)
}
