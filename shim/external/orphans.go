package external

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// What the runtime leaves running when it ends becomes the child of its nearest
// ancestor that adopts orphans. This process does so as long as a command runs that
// leaves one, and no longer: the orphans of a container without a pid namespace of its
// own are the host's to reap.
//
// A command that fails may leave one too. It must be reaped, for the first process of a
// pid namespace does not end before all others in it are gone.
var (
	adoptMu  sync.Mutex
	adopters int
	children = map[int]struct{}{} // those that somebody waits for
)

// Keep tells that the caller waits for the child pid, which a process image before this
// one has adopted. He does already for those that Create and Exec return.
func Keep(pid int) {
	adoptMu.Lock()
	defer adoptMu.Unlock()
	children[pid] = struct{}{}
}

// fork keeps the child that f makes.
func fork(f func() (pid int, err error)) (int, error) {
	adoptMu.Lock()
	defer adoptMu.Unlock()
	pid, err := f()
	if err == nil {
		children[pid] = struct{}{}
	}
	return pid, err
}

// Forget tells that a child has been waited for.
func Forget(pid int) {
	adoptMu.Lock()
	defer adoptMu.Unlock()
	delete(children, pid)
}

// adoptOrphans makes orphans of descendants this process's children until the last
// release. Those that no one has kept by then are reaped when they end.
func adoptOrphans() (release func(), err error) {
	adoptMu.Lock()
	defer adoptMu.Unlock()
	if adopters == 0 {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("adopt what the runtime starts: %w", err)
		}
	}
	adopters++
	return func() {
		adoptMu.Lock()
		defer adoptMu.Unlock()
		if adopters--; adopters > 0 {
			return
		}
		_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) // as it could be set it can be cleared
		for _, pid := range listChildren() {
			if _, kept := children[pid]; !kept {
				children[pid] = struct{}{}
				go reap(pid)
			}
		}
	}, nil
}

// listChildren reads proc_tid_children(5) of every thread.
func listChildren() (pids []int) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil
	}
	for _, t := range threads {
		b, err := os.ReadFile("/proc/self/task/" + t.Name() + "/children")
		if err != nil {
			continue // the thread has ended
		}
		for _, f := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// reap waits for the end of a child, without a thread.
func reap(pid int) {
	defer Forget(pid)
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(uintptr) bool {
		for {
			got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
			if err != unix.EINTR {
				return got != 0 || err != nil
			}
		}
	})
}
