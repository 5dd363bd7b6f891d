// Package signals catches signals without os/signal. That package starts three threads
// for it, which is most of what an idle process of berth has, and changes between them
// four times for each signal.
package signals

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// action is the beginning of the kernel's struct sigaction, in which all architectures
// agree; the rest is as large as on any of them.
type action struct {
	handler uintptr
	_       [7]uint64
}

const (
	byDefault = 0 // SIG_DFL
	ignored   = 1 // SIG_IGN
	last      = 64
)

// Heed gives the signals that whoever started this process had ignored, as nohup does,
// their default action: an execve keeps what is ignored, and no container should depend
// on how its engine was started.
func Heed() {
	for s := uintptr(1); s <= last; s++ {
		var act action
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, s, 0, uintptr(unsafe.Pointer(&act)), 8, 0, 0)
		if errno != 0 || act.handler != ignored {
			continue
		}
		act = action{handler: byDefault}
		// It fails for none but KILL and STOP, which nobody can ignore.
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, s, uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
	}
}

// Ignore has signals do nothing, neither to this process nor to what it executes.
func Ignore(list []unix.Signal) error {
	act := action{handler: ignored}
	for _, s := range list {
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0); errno != 0 {
			return fmt.Errorf("ignore signal %d: %w", s, errno)
		}
	}
	return nil
}
