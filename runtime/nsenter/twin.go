package nsenter

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// User namespaces belong to processes: no thread of a Go process, which always
// has several, may enter one. A twin is the way out.
//
// clone3 with CLONE_VM, CLONE_FILES and CLONE_VFORK makes a process of its own
// that shares everything with this one that Go code can see: the memory, the
// stack, the thread-local storage, the descriptors. The kernel lets the calling
// thread sleep until the child is gone. So the child simply goes on with the
// goroutine, of which the Go runtime notices nothing, while the kernel sees a
// process with one thread, which may enter a user namespace:
//
//	thread   ──► enterTwin ┄┄┄┄┄┄┄┄┄(asleep in clone3)┄┄┄┄┄┄┄┄┄┄► goes on with f's caller
//	twin                   └──► f, in Go ──► leaveTwin, exit ──┘
//
// When f is done, leaveTwin notes where the goroutine's stack is by then (it may
// have grown and moved) and ends the twin; the thread wakes up and goes on there.
//
// What keeps this sound: the goroutine is locked to its thread, so nothing else
// ever runs on it, and the Go runtime starts new threads from elsewhere. Signals
// to the sleeping thread stay pending, so f is only preempted where it calls
// something, and so are other threads when a garbage collection begins in f, as its
// signals to them go to the wrong process. The twin is undumpable as this process is, and its memory belongs to
// the user namespace of this process: nothing in the container can trace it.
//
// A child that the twin forks must be forked with CLONE_PARENT, or it would be an
// orphan at once (Fork does).

// twin is where the goroutine is when it leaves: its stack pointer and its frame
// pointer.
type twin [2]uintptr

// Twin runs f in a process of its own that shares memory and descriptors with
// this one. It must be called on a builder's thread, and so must be what f is to
// leave alone.
func Twin(f func() error) error {
	if !hasTwin {
		return fmt.Errorf("linux.namespaces: user namespaces on %s: %w", runtime.GOARCH, errdefs.ErrNotImplemented)
	}
	var mask, all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	// No handler may run on the thread before it is back on the right stack.
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &mask); err != nil {
		return fmt.Errorf("block the signals: %w", err)
	}
	t := new(twin)
	args := &cloneArgs{flags: unix.CLONE_VM | unix.CLONE_FILES | unix.CLONE_VFORK, exitSignal: uint64(unix.SIGCHLD)}
	if r := enterTwin(args, unsafe.Sizeof(*args), t); r < 0 {
		_ = unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
		return fmt.Errorf("make a process for the user namespace: %w", unix.Errno(-r))
	}
	// Deferred, as a panic must not go on in the twin either.
	defer func() {
		_ = unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil)
		pid := leaveTwin(t)
		_ = unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
		for {
			if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
				return
			}
		}
	}()
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
	if err := dieWithParent(); err != nil {
		return err
	}
	if unix.Getppid() != process {
		return os.ErrProcessDone // nobody is left to see it
	}
	return f()
}

// dieWithParent makes the kernel kill a twin whose process is killed. It has to be
// called again after every change of user.
func dieWithParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("ask to die with the parent: %w", err)
	}
	return nil
}

// process is this process, as opposed to a twin of it.
var process = unix.Getpid()

// inTwin tells whether the caller is on a twin.
func inTwin() bool { return unix.Getpid() != process }
