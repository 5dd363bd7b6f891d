package cli

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"berth/runtime/signals"
	"golang.org/x/sys/unix"
)

// signalPipe is what the signal handler writes to. It stays open.
//
//lint:ignore U1000 it is read in signals_amd64.s
var signalPipe int32

// handlerAddress is the address of the signal handler.
func handlerAddress() uintptr

var caught = sync.OnceValues(func() (*os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("make a pipe for signals: %w", err)
	}
	signalPipe = int32(fds[1])
	if err := signals.Handle(handlerAddress(), forwarded); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "signals"), nil
})

// catch has the signals of forwarded kept from now on for next, which waits for
// one and is for one caller. It does not use os/signal, which takes four changes of
// thread for each signal: 0.3 ms, while the container is being made.
func catch() (next func() (unix.Signal, error), err error) {
	pipe, err := caught()
	return func() (unix.Signal, error) {
		var b [4]byte
		if _, err := pipe.Read(b[:]); err != nil {
			return 0, fmt.Errorf("wait for a signal: %w", err)
		}
		return unix.Signal(binary.NativeEndian.Uint32(b[:])), nil
	}, err
}
