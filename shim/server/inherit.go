package server

import (
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"berth/shim/wire"
)

// takeName has lists of processes show whose shim this is, if it was started before that
// was known: the arguments are where the kernel put them, and can be written to.
func takeName(id string) {
	if len(os.Args) != 2 || os.Args[1] != wire.NoID {
		return
	}
	arg := unsafe.Slice(unsafe.StringData(os.Args[1]), len(wire.NoID))
	clear(arg[copy(arg, id):])
}

// closeInherited closes descriptors that the engine's own parents leaked into it, and
// none of the trees that follow the configuration's: whoever waits for the end of such a
// pipe would wait for the container.
func closeInherited(trees int) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= wire.ConfigFD+trees {
			continue
		}
		// What this process opened itself is closed over an execve.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}
