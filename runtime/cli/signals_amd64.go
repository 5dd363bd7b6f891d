package cli

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// signalPipe is what the signal handler writes to. It stays open.
//
//lint:ignore U1000 it is read in signals_amd64.s
var signalPipe int32

func handlers() (handler, restorer uintptr)

// sigaction is the kernel's struct, of sigaction(2).
type sigaction struct {
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

var signals = sync.OnceValues(func() (*os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("make a pipe for signals: %w", err)
	}
	signalPipe = int32(fds[1])
	handler, restorer := handlers()
	// No handler interrupts another: the frames of all of them, with the registers of
	// AVX-512 in each, are more than a thread's signal stack holds.
	act := sigaction{handler: handler, flags: saOnStack | saRestart | saRestorer, restorer: restorer, mask: ^uint64(0)}
	for _, s := range forwarded {
		if _, _, err := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0); err != 0 {
			return nil, fmt.Errorf("catch signal %d: %w", s, err)
		}
	}
	return os.NewFile(uintptr(fds[0]), "signals"), nil
})

// catch has the signals of forwarded kept from now on for next, which waits for
// one and is for one caller. It does not use os/signal, which takes four changes of
// thread for each signal: 0.3 ms, while the container is being made.
func catch() (next func() (unix.Signal, error), err error) {
	pipe, err := signals()
	return func() (unix.Signal, error) {
		var b [4]byte
		if _, err := pipe.Read(b[:]); err != nil {
			return 0, fmt.Errorf("wait for a signal: %w", err)
		}
		return unix.Signal(binary.NativeEndian.Uint32(b[:])), nil
	}, err
}
