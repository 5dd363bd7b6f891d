package nsenter

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Entered is what Enter leaves to init.
type Entered struct {
	// Time is the time namespace that init has to join; it is nil if that is the
	// runtime's. It is the caller's to close.
	Time *os.File
	// NoGroups says that the user namespace does not let its processes set their
	// additional groups (user_namespaces(7), "setgroups").
	NoGroups bool
}

// enterUser is Enter with a user or a time namespace. Given namespaces are joined
// with the rights that the runtime has where it is, as they may well belong to the
// host, and only those for which it has none there with those that it has inside
// the user namespace. New ones are made inside, and so belong to it.
func (n Namespaces) enterUser(settings Settings) (in Entered, err error) {
	given, err := n.open()
	defer func() {
		for _, f := range given {
			f.Close()
		}
	}()
	if err != nil {
		return in, err
	}
	in.Time = given[specs.TimeNamespace]
	user := given[specs.UserNamespace]
	delete(given, specs.TimeNamespace)
	delete(given, specs.UserNamespace)
	defer func() {
		if user != nil {
			user.Close()
		}
		if err != nil && in.Time != nil {
			in.Time.Close()
		}
	}()
	if n.Own(specs.UserNamespace) {
		if err := joinAll(given, true); err != nil {
			return in, err
		}
	}
	if user != nil {
		if err := unix.Setns(int(user.Fd()), unix.CLONE_NEWUSER); err != nil {
			return in, fmt.Errorf("join the user namespace at %s: %w", user.Name(), err)
		}
		tid := unix.Gettid()
		if err := outside(func() error { return settings.compare(tid) }); err != nil {
			return in, fmt.Errorf("join the user namespace at %s: %w", user.Name(), err)
		}
	}
	if err := n.settle(settings, &in); err != nil {
		return in, err
	}
	if n.Own(specs.UserNamespace) {
		if in.NoGroups, err = becomeRoot(); err != nil {
			return in, err
		}
	}
	if err := joinAll(given, false); err != nil {
		return in, err
	}
	return in, n.unshare()
}

// settle makes the new user and time namespaces and has them set up from outside.
// They are made at once: the time namespace then belongs to the user namespace.
func (n Namespaces) settle(settings Settings, in *Entered) error {
	made := n.made & (unix.CLONE_NEWUSER | unix.CLONE_NEWTIME)
	if made == 0 {
		return nil
	}
	if err := unix.Unshare(int(made)); err != nil {
		return fmt.Errorf("make namespaces: %w", err)
	}
	if made&unix.CLONE_NEWUSER != 0 {
		if err := dieWithParent(); err != nil {
			return err
		}
	} else {
		settings.UIDs, settings.GIDs = nil, nil
	}
	tid := unix.Gettid()
	return outside(func() (err error) {
		if err := settings.apply(tid); err != nil || made&unix.CLONE_NEWTIME == 0 {
			return err
		}
		in.Time, err = os.Open(nsFile(tid, "time_for_children"))
		return err
	})
}

// outside runs f on another thread, which is where the runtime is.
func outside(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return <-done
}

func nsFile(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/ns/" + name }

// open opens the given namespaces, while their paths mean what they mean to the
// runtime.
func (n Namespaces) open() (map[specs.LinuxNamespaceType]*os.File, error) {
	files := map[specs.LinuxNamespaceType]*os.File{}
	for t, path := range n.paths {
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return files, fmt.Errorf("join the %s namespace at %s: %w", t, path, err)
		}
		files[t] = f
	}
	return files, nil
}

// joinAll joins the namespaces in their order. With some, those that cannot be
// joined for want of rights stay in the list.
func joinAll(list map[specs.LinuxNamespaceType]*os.File, some bool) error {
	for _, t := range order {
		f := list[t]
		if f == nil {
			continue
		}
		err := unix.Setns(int(f.Fd()), int(flags[t]))
		if some && errors.Is(err, unix.EPERM) {
			continue
		}
		if err != nil {
			return fmt.Errorf("join the %s namespace at %s: %w", t, f.Name(), err)
		}
		f.Close()
		delete(list, t)
	}
	return nil
}

// becomeRoot makes the calling thread, and no other of the process, the root of
// its user namespace.
func becomeRoot() (noGroups bool, err error) {
	_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
	if noGroups = errno == unix.EPERM; !noGroups && errno != 0 {
		return false, fmt.Errorf("drop the runtime's groups: %w", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, 0, 0, 0); errno != 0 {
		return false, fmt.Errorf("become group 0 of the user namespace: %w", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 0, 0, 0); errno != 0 {
		return false, fmt.Errorf("become the root of the user namespace: %w", errno)
	}
	return noGroups, dieWithParent()
}

// EnterUserOf takes the calling thread, a twin's, into all namespaces of a process
// in which the twin is not yet, its user namespace among them, and makes it root
// there. pid and pidfd name the process.
func EnterUserOf(pid int, pidfd *os.File) (in Entered, err error) {
	all := 0
	for file, flag := range map[string]int{
		"user": unix.CLONE_NEWUSER, "ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS, "net": unix.CLONE_NEWNET,
		"pid": unix.CLONE_NEWPID, "cgroup": unix.CLONE_NEWCGROUP, "mnt": unix.CLONE_NEWNS,
	} {
		theirs, err := os.Readlink(nsFile(pid, file))
		if err != nil {
			return in, fmt.Errorf("find the namespaces of the container: %w", err)
		}
		// One that is the runtime's own needs no joining, and may not allow it.
		if ours, err := os.Readlink("/proc/self/ns/" + file); err != nil || ours != theirs {
			all |= flag
		}
	}
	if err := unix.Setns(int(pidfd.Fd()), all); err != nil {
		return in, fmt.Errorf("join the namespaces of the container: %w", err)
	}
	if all&unix.CLONE_NEWUSER != 0 {
		in.NoGroups, err = becomeRoot()
	}
	return in, err
}

// EnterCgroupOf is EnterCgroup for a thread in a user namespace, which may not
// look at the process itself.
func EnterCgroupOf(pid int) error { return enterOf(pid, "cgroup", unix.CLONE_NEWCGROUP) }

// EnterPIDOf has the children of the calling thread, a builder's, born in the pid
// namespace of a process.
func EnterPIDOf(pid int) error { return enterOf(pid, "pid", unix.CLONE_NEWPID) }

func enterOf(pid int, name string, flag int) error {
	var f *os.File
	err := outside(func() (err error) {
		f, err = os.Open(nsFile(pid, name))
		return err
	})
	if err == nil {
		defer f.Close()
		err = unix.Setns(int(f.Fd()), flag)
	}
	if err != nil {
		return fmt.Errorf("join the %s namespace of init: %w", name, err)
	}
	return nil
}

// Privileged runs f on a thread that has the runtime's rights and is in the mount
// namespace of the process pid, a twin. Those of the container's root may not do for
// the way to a directory that the container is to get, or over its file system.
func Privileged(pid int, f func() error) error {
	return outside(func() error {
		return Builder(func() error {
			if err := setns(nsFile(pid, "mnt"), unix.CLONE_NEWNS); err != nil {
				return fmt.Errorf("go where the container's root lacks rights: %w", err)
			}
			return f()
		})
	})
}

// NewUser makes a user namespace that nobody is in.
func NewUser(settings Settings) (f *os.File, err error) {
	err = outside(func() error {
		return Builder(func() error {
			return Twin(func() error {
				if err := unix.Unshare(unix.CLONE_NEWUSER); err != nil {
					return fmt.Errorf("make a user namespace: %w", err)
				}
				pid := unix.Getpid()
				if err := outside(func() error { return settings.apply(pid) }); err != nil {
					return err
				}
				f, err = os.Open("/proc/self/ns/user")
				return err
			})
		})
	})
	return f, err
}

// TimeOf gives what an exec has to join of the time namespace of a process.
func TimeOf(pid int) (in Entered, err error) {
	if in.Time, err = os.Open(nsFile(pid, "time")); err != nil {
		return in, fmt.Errorf("find the time namespace of the container: %w", err)
	}
	return in, nil
}

// TimeFD is the descriptor of Time, 0 without one.
func (in Entered) TimeFD() int {
	if in.Time == nil {
		return 0
	}
	return int(in.Time.Fd())
}

// Close closes what is open.
func (in Entered) Close() error {
	if in.Time == nil {
		return nil
	}
	return in.Time.Close()
}
