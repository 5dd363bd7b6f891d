package server

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigaction is the beginning of the kernel's struct, in which all architectures
// agree; the rest is as large as on any of them.
type sigaction struct {
	handler uintptr
	_       [7]uint64
}

const (
	signalDefault = 0 // SIG_DFL
	signalIgnored = 1 // SIG_IGN
	lastSignal    = 64
)

// heedSignals gives the signals that whoever started the engine had ignored, as
// nohup does, their default action: an execve keeps what is ignored, and no
// container should depend on how its engine was started.
func heedSignals() {
	for s := uintptr(1); s <= lastSignal; s++ {
		var act sigaction
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, s, 0, uintptr(unsafe.Pointer(&act)), 8, 0, 0)
		if errno != 0 || act.handler != signalIgnored {
			continue
		}
		act = sigaction{handler: signalDefault}
		// It fails for none but KILL and STOP, which nobody can ignore.
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, s, uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
	}
}
