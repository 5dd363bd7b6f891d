package external

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// terminal is the socket on which the runtime sends a terminal's master.
type terminal struct {
	dir  *os.File
	fd   int
	name string // in the directory of the shim, where the runtime runs
}

// listen makes the socket. Its address goes through a descriptor of the directory,
// and the runtime is told the bare name, since an address ends at 107 bytes.
func (c *Container) listen(name string) (*terminal, error) {
	wrap := func(err error) error { return fmt.Errorf("listen for the terminal of container %s: %w", c.id, err) }
	dir, err := os.Open(c.dir)
	if err != nil {
		return nil, wrap(err)
	}
	t := &terminal{dir: dir, fd: -1, name: name}
	if t.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err == nil {
		err = unix.Bind(t.fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + name})
	}
	if err == nil {
		err = unix.Listen(t.fd, 1)
	}
	if err != nil {
		t.close()
		return nil, wrap(err)
	}
	return t, nil
}

func (t *terminal) close() {
	if t.fd >= 0 {
		unix.Close(t.fd)
	}
	unix.Unlinkat(int(t.dir.Fd()), t.name, 0)
	t.dir.Close()
}

// pass sends on what the runtime sent, which has ended by now.
func (t *terminal) pass(to *os.File) error {
	conn, _, err := unix.Accept4(t.fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		return fmt.Errorf("the runtime sent no terminal: %w", err)
	}
	defer unix.Close(conn)
	data, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(conn, data, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return fmt.Errorf("receive the terminal: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err == nil && len(messages) != 1 {
		err = errors.New("no descriptor came")
	}
	var fds []int
	if err == nil {
		fds, err = unix.ParseUnixRights(&messages[0])
	}
	if err != nil {
		return fmt.Errorf("receive the terminal: %w", err)
	}
	defer unix.Close(fds[0])
	if err := unix.Sendmsg(int(to.Fd()), []byte{0}, unix.UnixRights(fds[0]), nil, 0); err != nil {
		return fmt.Errorf("pass on the terminal: %w", err)
	}
	return nil
}
