// Package plainfile reads and writes the small files that a container is made of:
// those of proc, of cgroups and of its state directory.
//
// Package os asks the kernel for every file that it opens whether it can be waited
// for (four calls beside the one that opens it, two more to close it), as its files
// may be pipes or terminals. None of these ever is, there are sixty of them in
// the life of a container, and on a busy machine each call is paid for.
package plainfile

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Open opens a file with the flags of open(2), close-on-exec. Errors are
// *os.PathError.
func Open(name string, flags int) (*os.File, error) {
	fd, err := open(name, flags, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Read gives the whole contents of a file.
func Read(name string) ([]byte, error) {
	fd, err := open(name, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 4096)
	for {
		n, err := unix.Read(fd, b[len(b):cap(b)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, &os.PathError{Op: "read", Path: name, Err: err}
		case n == 0:
			return b, nil
		default:
			if b = b[:len(b)+n]; len(b) == cap(b) {
				b = append(b, 0)[:len(b)]
			}
		}
	}
}

// Write writes value to a file that exists, with one write(2): for the kernel a value
// is one write.
func Write(name, value string) error {
	return write(name, unix.O_WRONLY, 0, []byte(value))
}

// Create makes a file of the mode, less the umask, with these contents, or replaces
// those that it has.
func Create(name string, contents []byte, mode uint32) error {
	return write(name, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, mode, contents)
}

func write(name string, flags int, mode uint32, b []byte) error {
	fd, err := open(name, flags, mode)
	if err != nil {
		return err
	}
	for {
		n, err := unix.Write(fd, b)
		if err == unix.EINTR {
			continue
		}
		if b = b[max(n, 0):]; err == nil && len(b) > 0 {
			continue // a large one, or a full file system, which says so next
		}
		if cerr := unix.Close(fd); err == nil {
			err = cerr
		}
		if err != nil {
			return &os.PathError{Op: "write", Path: name, Err: err}
		}
		return nil
	}
}

func open(name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Open(name, flags|unix.O_CLOEXEC, mode)
		if err == nil {
			return fd, nil
		}
		if err != unix.EINTR {
			return -1, &os.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

// FD is a path to the file of a descriptor. It goes by the process and not by
// thread-self: what is looked up below a thread's directory is dropped when the
// thread ends, and whoever reaps the process at that moment spins until that is
// done, milliseconds on a busy machine.
func FD(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
