package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// WatchOOM calls oom each time that the container runs out of memory, until its
// cgroup is removed or, in v2, empty. The calls come one after another.
func (m *Manager) WatchOOM(oom func()) error {
	var err error
	if m.Unified {
		err = m.watchV2(oom)
	} else {
		err = m.watchV1(oom)
	}
	if err != nil {
		return fmt.Errorf("watch for the end of memory: %w", err)
	}
	return nil
}

// watchV1 has the kernel count in an eventfd (admin-guide/cgroup-v1/memory.rst),
// which it also does when the cgroup is removed.
func (m *Manager) watchV1(oom func()) error {
	dir := m.Paths["memory"]
	control, err := os.Open(path.Join(dir, "memory.oom_control"))
	if err != nil {
		return err
	}
	defer control.Close()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return err
	}
	events := os.NewFile(uintptr(fd), "eventfd")
	defer events.Close()
	if err := writeFile(path.Join(dir, "cgroup.event_control"), fmt.Sprintf("%d %d", fd, control.Fd())); err != nil {
		return err
	}
	for count := make([]byte, 8); ; {
		if _, err := events.Read(count); err != nil {
			return err
		}
		if !exists(dir) {
			return nil
		}
		oom()
	}
}

// watchV2 waits for changes of memory.events and cgroup.events.
func (m *Manager) watchV2(oom func()) error {
	var polled []unix.PollFd
	var files []*os.File
	for _, name := range []string{"memory.events", "cgroup.events"} {
		f, err := os.Open(path.Join(m.Paths[""], name))
		if err != nil {
			return err
		}
		defer f.Close()
		files = append(files, f)
		polled = append(polled, unix.PollFd{Fd: int32(f.Fd()), Events: unix.POLLPRI})
	}
	var last uint64
	for first := true; ; first = false {
		kills, err := counted(files[0], "oom_kill")
		if err == nil && !first && kills > last {
			oom()
		}
		last = kills
		populated, perr := counted(files[1], "populated")
		switch err = errors.Join(err, perr); {
		case errors.Is(err, unix.ENODEV), err == nil && populated == 0:
			return nil
		case err != nil:
			return err
		}
		if _, err := unix.Poll(polled, -1); err != nil && err != unix.EINTR {
			return err
		}
	}
}

// counted reads a value of an open file of lines "key number".
func counted(f *os.File, key string) (uint64, error) {
	buf := make([]byte, 4096)
	n, err := unix.Pread(int(f.Fd()), buf, 0)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(buf[:n])) {
		if value, ok := strings.CutPrefix(line, key+" "); ok {
			return strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, nil
}
