//go:build !client

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"berth/cmd/berth/doctor"
)

// requirements says in one sentence each what this machine lacks for an engine.
func requirements() error {
	if os.Geteuid() != 0 {
		return errors.New("the engine needs root: run the command with sudo")
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("asking for the kernel's version: %w", err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err == nil {
		if major < doctor.OldestMajor || major == doctor.OldestMajor && minor < doctor.OldestMinor {
			return fmt.Errorf("the engine needs Linux %d.%d or newer, and this is %s", doctor.OldestMajor, doctor.OldestMinor, release)
		}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &fs); err != nil {
		return fmt.Errorf("the engine needs control groups at /sys/fs/cgroup: %w", err)
	}
	if fs.Type != unix.CGROUP2_SUPER_MAGIC && fs.Type != unix.TMPFS_MAGIC {
		return errors.New("the engine needs control groups, and none are mounted at /sys/fs/cgroup: mount -t cgroup2 cgroup2 /sys/fs/cgroup")
	}
	return nil
}
