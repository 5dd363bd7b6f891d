package server

import (
	"fmt"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/shim/wire"
)

// maxKept bounds the names under which descriptors are kept.
const maxKept = 64

// keep holds descriptors for engines to come, under a name that they ask by, in
// place of those that had it; none forgets the name.
func (s *shim) keep(name string, m *wire.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.kept[name]; !there && len(s.kept) >= maxKept {
		return fmt.Errorf("keep descriptors for container %s: there are %d names already: %w", s.cfg.ID, maxKept, errdefs.ErrResourceExhausted)
	}
	closeFDs(s.kept[name])
	delete(s.kept, name)
	if len(m.FDs) == 0 {
		return nil
	}
	if s.kept == nil {
		s.kept = make(map[string][]int)
	}
	s.kept[name], m.FDs = m.FDs, nil
	return nil
}

// getKept duplicates what is kept under a name.
func (s *shim) getKept(name string) (fds []int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept[name]) == 0 {
		return nil, fmt.Errorf("nothing is kept for container %s as %s: %w", s.cfg.ID, name, errdefs.ErrNotFound)
	}
	for _, fd := range s.kept[name] {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			closeFDs(fds)
			return nil, fmt.Errorf("get what is kept for container %s as %s: %w", s.cfg.ID, name, err)
		}
		fds = append(fds, dup)
	}
	return fds, nil
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// passKept makes what is kept survive an execve, or not.
func (s *shim) passKept(on bool) error {
	flags := unix.FD_CLOEXEC
	if on {
		flags = 0
	}
	for _, fds := range s.kept {
		for _, fd := range fds {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags); err != nil {
				return err
			}
		}
	}
	return nil
}
