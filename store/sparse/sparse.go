// Package sparse writes files with holes where the content is zeros: layers and
// blobs carry the holes of a database or a disk image as zeros, which would
// take their room for good.
package sparse

import (
	"bytes"
	"io"

	"golang.org/x/sys/unix"
)

// unit is the size in which holes are looked for. What is smaller is not worth a
// system call and another extent.
const unit = 16 << 10

var zeros [unit]byte

// Write is write(2) for all of b at the position of fd, but leaves out what is
// zeros; the position moves as if it were written. It reports whether b ended
// so: the file is then shorter than the position unless more follows or
// ftruncate(2) says where it ends.
func Write(fd int, b []byte) (hole bool, err error) {
	for len(b) > 0 {
		n := run(b)
		if hole = n < 0; hole {
			n = -n
			_, err = unix.Seek(fd, int64(n), io.SeekCurrent)
		} else {
			err = writeAll(fd, b[:n])
		}
		if err != nil {
			return false, err
		}
		b = b[n:]
	}
	return hole, nil
}

// run is the length of what b begins with: of data, or, negative, of zeros.
func run(b []byte) int {
	isZero := func(at int) bool { return at+unit <= len(b) && bytes.Equal(b[at:at+unit], zeros[:]) }
	n, zero := 0, isZero(0)
	for n < len(b) && isZero(n) == zero {
		n = min(n+unit, len(b))
	}
	if zero {
		return -n
	}
	return n
}

// writeAll is write(2) for all of b.
func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		switch {
		case err == unix.EINTR: // on a network file system
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		default:
			b = b[n:]
		}
	}
	return nil
}
