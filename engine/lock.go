package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// orphanPatience is how long a lock may outlive the engine that took it.
const orphanPatience = 5 * time.Second

// takeLocks holds Root and State for this process; the kernel lets go of them
// when the process ends, however that is.
func (e *Engine) takeLocks() error {
	for _, dir := range []string{e.cfg.Root, e.cfg.State} {
		f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("open engine: %w", err)
		}
		if err := takeLock(dir, int(f.Fd())); err != nil {
			return errors.Join(fmt.Errorf("another engine works on %s: %w: %w", dir, err, errdefs.ErrUnavailable), f.Close())
		}
		e.locks = append(e.locks, f)
	}
	return nil
}

// takeLock takes the lock of dir, unless another engine has it. An engine that was killed
// while it forked leaves the lock to the child, until that executes a program.
func takeLock(dir string, fd int) error {
	for end := time.Now().Add(orphanPatience); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			return err
		}
		// 0: who took it has died, or let go of it by now.
		if pid, herr := LockHolder(dir); herr != nil || pid != 0 {
			return errors.Join(err, herr)
		}
	}
}

// LockHolder is the process of the engine that holds a Root or a State, 0 if none that
// lives does (proc_locks(5)).
func LockHolder(dir string) (pid int, err error) {
	var st unix.Stat_t
	path := filepath.Join(dir, lockName)
	err = unix.Stat(path, &st)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return 0, nil
	}
	if err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0, err
	}
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for line := range strings.Lines(string(locks)) {
		if f := strings.Fields(line); len(f) >= 6 && f[1] == "FLOCK" && f[5] == file {
			if pid, err = strconv.Atoi(f[4]); err != nil || !lives(pid) {
				return 0, err
			}
			return pid, nil
		}
	}
	return 0, nil
}

// lives tells that a process has not ended; one that nobody has waited for yet has.
func lives(pid int) bool {
	if pid <= 0 { // not in this PID namespace
		return false
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return !errors.Is(err, unix.ESRCH) && unix.Kill(pid, 0) != unix.ESRCH // no pidfds before Linux 5.3
	}
	defer unix.Close(fd)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n == 0 || err != nil
}
