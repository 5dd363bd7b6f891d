package cgroup

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Signal sends a signal to every process in the cgroups and those below, and
// returns how many there were. Those that are born meanwhile may not get it.
//
// A process may end, and its number be given to one of the host's, between the
// reading of the list and the signal; a container can make that likely. So a number
// is turned into a descriptor first, and only what is in the cgroup after that gets
// the signal.
func (m *Manager) Signal(sig unix.Signal) (int, error) {
	pids, err := m.Pids()
	if err != nil {
		return 0, err
	}
	for some := range slices.Chunk(pids, 128) { // that many descriptors at a time
		if err := m.signal(some, sig); err != nil {
			return 0, err
		}
	}
	return len(pids), nil
}

func (m *Manager) signal(pids []int, sig unix.Signal) error {
	fds := make(map[int]int, len(pids))
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err == unix.ESRCH {
			continue
		}
		if err != nil {
			return fmt.Errorf("open process %d: %w", pid, err)
		}
		fds[pid] = fd
	}
	still, err := m.Pids()
	if err != nil {
		return err
	}
	for _, pid := range still {
		fd, ok := fds[pid]
		if !ok {
			continue
		}
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && err != unix.ESRCH {
			return fmt.Errorf("send signal %d to process %d: %w", sig, pid, err)
		}
	}
	return nil
}
