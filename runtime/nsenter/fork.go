// Package nsenter gets into namespaces: new ones, given ones, and those of a
// running container.
//
// Namespaces other than user namespaces belong to threads. So all of it happens
// on a *builder*: a goroutine locked to a thread of its own, which takes on the
// namespaces with unshare and setns while the rest of the process stays where it
// is, does its work there in ordinary Go, forks init, and is thrown away with
// its thread. Fork is the raw one that this needs: the child runs no Go runtime
// but the program of package initproc.
package nsenter

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"berth/runtime/initproc"
	"golang.org/x/sys/unix"
)

// The Go runtime's own preparations for a fork (the syscall package uses the
// same; gVisor links them the same way): signals are blocked around it, so that
// none arrives in the child, whose handlers the kernel resets
// (CLONE_CLEAR_SIGHAND), before its program restores the mask.
//
//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

// cloneArgs is struct clone_args of clone3(2).
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// Fork makes a child of this process, from this thread and so in its
// namespaces, that runs the program. flags are further CLONE_* flags; cgroup is
// a descriptor of the cgroup v2 directory to be born in, or negative.
func Fork(p *initproc.Program, flags uintptr, cgroup int) (pid int, pidfd *os.File, err error) {
	var fd int32 = -1
	args := cloneArgs{
		flags:      uint64(flags) | unix.CLONE_PIDFD | unix.CLONE_CLEAR_SIGHAND,
		pidfd:      uint64(uintptr(unsafe.Pointer(&fd))),
		exitSignal: uint64(unix.SIGCHLD),
	}
	if cgroup >= 0 {
		args.flags |= unix.CLONE_INTO_CGROUP
		args.cgroup = uint64(cgroup)
	}
	pid, errno := fork(&args, p.Entry())
	if errno != 0 {
		return 0, nil, fmt.Errorf("fork init: %w", errno)
	}
	if err := unix.SetNonblock(int(fd), true); err != nil {
		return 0, nil, fmt.Errorf("fork init: %w", err)
	}
	return pid, os.NewFile(uintptr(fd), "pidfd"), nil
}

// fork is the part in which the child exists and nothing may allocate.
//
//go:norace
//go:noinline
//go:nosplit
func fork(args *cloneArgs, entry initproc.Entry) (int, syscall.Errno) {
	beforeFork()
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args), 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		afterFork()
		return int(pid), errno
	}
	entry.Run()
	return 0, 0
}
