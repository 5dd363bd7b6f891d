package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// engineGone makes an error of a connection that was cut off one for a person:
// what was being done, that the engine is the one who left, and what to do. The
// engine keeps whole images or none, so that the same can always be typed again.
func engineGone(doing string, err error) error {
	for _, cut := range []error{io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, cut) {
			return fmt.Errorf("the engine went away while %s (%w): no image is half made, type the same again; 'berth info' tells whether an engine answers", doing, err)
		}
	}
	return err
}
