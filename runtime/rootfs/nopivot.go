package rootfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"berth/runtime/plainfile"
	"golang.org/x/sys/unix"
)

// hideHost takes the host's own proc and sysfs out of the mount namespace. Without
// pivot_root they stay in it below the new root, and the kernel would take them for
// leave to mount others, bare of the masks, in a user namespace made inside
// (fs/namespace.c, mount_too_revealing).
func (r *Rootfs) hideHost() error {
	info, err := plainfile.Read("/proc/thread-self/mountinfo")
	if err != nil {
		return fmt.Errorf("find the host's proc and sysfs: %w", err)
	}
	own, err := os.Readlink("/proc/thread-self/fd/" + strconv.Itoa(r.FD()))
	if err != nil {
		return fmt.Errorf("find the root file system: %w", err)
	}
	for _, at := range bare(string(info)) {
		if strings.HasPrefix(at, own+"/") {
			continue // the container's
		}
		err := unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err == unix.EINVAL || err == unix.EPERM { // locked, as by a user namespace
			err = unix.Mount("tmpfs", at, "tmpfs", unix.MS_RDONLY, "size=0")
		}
		// What a mount taken before it had upon it is gone with that.
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("hide the host's %s: %w", at, err)
		}
	}
	return nil
}

// unescape undoes what the kernel does to names in it.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// bare lists the places of the whole proc and sysfs file systems in a mountinfo,
// the last mounted first (proc_pid_mountinfo(5)).
func bare(info string) (list []string) {
	for line := range strings.Lines(info) {
		before, after, ok := strings.Cut(line, " - ")
		f := strings.Fields(before)
		if !ok || len(f) < 5 || f[3] != "/" {
			continue
		}
		if kind, _, _ := strings.Cut(after, " "); kind == "proc" || kind == "sysfs" {
			list = append([]string{unescape.Replace(f[4])}, list...)
		}
	}
	return list
}
