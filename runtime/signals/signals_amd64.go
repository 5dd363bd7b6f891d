package signals

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// whole is the kernel's struct sigaction.
type whole struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// Flags of it.
const (
	saRestorer = 0x04000000
	saOnStack  = 0x08000000 // the Go runtime demands it
	saRestart  = 0x10000000
)

// addresses gives the assembly functions of this package.
func addresses() (nothing, restorer uintptr)

// Handle has signals call handler, the address of an assembly function that the kernel
// calls on the thread's signal stack, which the Go runtime has made.
func Handle(handler uintptr, list []unix.Signal) error {
	_, restorer := addresses()
	// No handler interrupts another: the frames of all of them, with the registers of
	// AVX-512 in each, are more than a thread's signal stack holds.
	act := whole{handler: handler, flags: saOnStack | saRestart | saRestorer, restorer: restorer, mask: ^uint64(0)}
	for _, s := range list {
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0); errno != 0 {
			return fmt.Errorf("catch signal %d: %w", s, errno)
		}
	}
	return nil
}

// Survive has signals do nothing to this process. Unlike Ignore it is not inherited.
func Survive(list []unix.Signal) error {
	nothing, _ := addresses()
	return Handle(nothing, list)
}
