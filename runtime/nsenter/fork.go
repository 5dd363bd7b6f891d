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
	"runtime"
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
// namespaces, that runs the program: in stub (Program.Stub) or, if that is nil, as
// a copy of this process. keep are the descriptors that the program names. flags
// are further CLONE_* flags; cgroup is a descriptor of the cgroup v2 directory to be
// born in, or negative.
func Fork(p *initproc.Program, stub *os.File, keep []int, flags uintptr, cgroup int) (pid int, pidfd *os.File, err error) {
	// The kernel writes the pidfd through an address that the Go runtime does not
	// know as one: on the stack it would be stale once the stack has moved.
	fd := new(int32)
	*fd = -1
	var pin runtime.Pinner
	pin.Pin(fd)
	defer pin.Unpin()
	args := cloneArgs{
		flags:      uint64(flags) | unix.CLONE_PIDFD | unix.CLONE_CLEAR_SIGHAND,
		pidfd:      uint64(uintptr(unsafe.Pointer(fd))),
		exitSignal: uint64(unix.SIGCHLD),
	}
	if inTwin() {
		// The child is to be this process's, and signals its end as the twin does.
		args.flags |= unix.CLONE_PARENT
		args.exitSignal = 0
	}
	if cgroup >= 0 {
		args.flags |= unix.CLONE_INTO_CGROUP
		args.cgroup = uint64(cgroup)
	}
	var errno syscall.Errno
	if stub == nil {
		pid, errno = fork(&args, p.Entry())
	} else {
		args.flags |= unix.CLONE_VM | unix.CLONE_VFORK
		list := []int32{int32(p.ArenaFD())}
		for _, k := range keep {
			list = append(list, int32(k))
		}
		list = append(list, -1)
		argv, empty := p.Strings([]string{"berth-init"}), p.Strings(nil)
		path := p.String("")
		pid = vfork(&args, &list[0], int32(stub.Fd()), path, argv, empty)
		if pid == -int(unix.EINVAL) {
			// Before Linux 6.3 a thread that has made a time namespace cannot lend its
			// memory to a child; it is copied then.
			args.flags &^= unix.CLONE_VM
			pid = vfork(&args, &list[0], int32(stub.Fd()), path, argv, empty)
		}
		if pid < 0 {
			errno = syscall.Errno(-pid)
		}
	}
	if errno != 0 {
		return 0, nil, fmt.Errorf("fork init: %w", errno)
	}
	if err := unix.SetNonblock(int(*fd), true); err != nil {
		return 0, nil, fmt.Errorf("fork init: %w", err)
	}
	return pid, os.NewFile(uintptr(*fd), "pidfd"), nil
}

// vfork is fork for a child that leaves this process's memory at once.
//
//go:norace
//go:noinline
//go:nosplit
func vfork(args *cloneArgs, keep *int32, stub int32, path, argv, env uintptr) int {
	beforeFork()
	pid := spawn(args, unsafe.Sizeof(*args), keep, stub, path, argv, env)
	afterFork()
	return pid
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
