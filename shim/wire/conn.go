package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"berth/runtime/sync"

	"golang.org/x/sys/unix"
)

// Conn sends and receives frames on a connected unix stream socket. One goroutine at a
// time may send and one receive.
type Conn struct {
	f   *os.File
	raw syscallConn
}

// syscallConn is what Conn needs of syscall.RawConn.
type syscallConn interface {
	Control(func(fd uintptr)) error
	Read(func(fd uintptr) bool) error
	Write(func(fd uintptr) bool) error
}

// NewConn takes over the socket fd.
func NewConn(fd int) (*Conn, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set socket non-blocking: %w", err)
	}
	f := os.NewFile(uintptr(fd), "shim socket")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("take over socket: %w", err)
	}
	return &Conn{f: f, raw: raw}, nil
}

// Pair returns a connected pair: a Conn, and the other end as a blocking file to be
// inherited by a child.
func Pair() (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	conn, err := NewConn(fds[0])
	if err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	return conn, os.NewFile(uintptr(fds[1]), "shim socket"), nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.f.Close() }

// SetDeadline bounds what is sent and received from now on; the zero time lifts the
// bound.
func (c *Conn) SetDeadline(t time.Time) error { return c.f.SetDeadline(t) }

// Peer returns who made the other side: for a client, the process that listens.
func (c *Conn) Peer() (*unix.Ucred, error) {
	var cred *unix.Ucred
	var err error
	if cerr := c.raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); cerr != nil {
		return nil, cerr
	}
	return cred, err
}

// Send writes one frame. The descriptors stay the caller's.
func (c *Conn) Send(t Type, body []byte, fds ...int) error {
	if len(body) > MaxBody {
		return fmt.Errorf("send message %d: body of %d bytes is over the bound of %d", t, len(body), MaxBody)
	}
	if len(fds) > MaxFDs {
		return fmt.Errorf("send message %d: %d descriptors are over the bound of %d", t, len(fds), MaxFDs)
	}
	frame := make([]byte, headerSize, headerSize+len(body))
	binary.BigEndian.PutUint32(frame, uint32(len(body)))
	frame[4], frame[5], frame[6] = Version, byte(t), byte(len(fds))
	frame = append(frame, body...)

	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	var sent int
	var err error
	cerr := c.raw.Write(func(fd uintptr) bool {
		for {
			sent, err = unix.SendmsgN(int(fd), frame, rights, nil, unix.MSG_NOSIGNAL)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	if err = errors.Join(cerr, err); err != nil {
		return fmt.Errorf("send message %d: %w", t, err)
	}
	// A stream socket may take only a part; the descriptors went with the first byte.
	if sent < len(frame) {
		if _, err := c.f.Write(frame[sent:]); err != nil {
			return fmt.Errorf("send message %d: %w", t, err)
		}
	}
	return nil
}

// WaitReadable blocks until there is something to receive, and takes nothing of it.
func (c *Conn) WaitReadable() error {
	return c.raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
}

// KeepOverExec makes the connection's descriptor survive an execve, or not, and returns
// it.
func (c *Conn) KeepOverExec(keep bool) (int, error) { return KeepOverExec(c.f, keep) }

// KeepOverExec makes the descriptor of f survive an execve, or not, and returns it.
// Unlike File.Fd it leaves f under the poller.
func KeepOverExec(f *os.File, keep bool) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	n, flags := -1, unix.FD_CLOEXEC
	if keep {
		flags = 0
	}
	cerr := raw.Control(func(fd uintptr) {
		n = int(fd)
		_, err = unix.FcntlInt(fd, unix.F_SETFD, flags)
	})
	return n, errors.Join(cerr, err)
}

// Message is a received frame. Its descriptors belong to the receiver, who closes what
// it does not keep.
type Message struct {
	Type Type
	Body []byte
	FDs  []int
}

// CloseFDs closes the descriptors that the message still has.
func (m *Message) CloseFDs() {
	for _, fd := range m.FDs {
		unix.Close(fd)
	}
	m.FDs = nil
}

// TakeFD returns the first descriptor as a file named name, and nil if there is none.
// It is the caller's then.
func (m *Message) TakeFD(name string) *os.File {
	if len(m.FDs) == 0 {
		return nil
	}
	f := os.NewFile(uintptr(m.FDs[0]), name)
	m.FDs = m.FDs[1:]
	return f
}

// Recv reads one frame. It returns io.EOF when the peer closed the connection between
// two frames.
func (c *Conn) Recv() (Message, error) {
	var header [headerSize]byte
	n, fds, err := c.recvmsg(header[:])
	m := Message{FDs: fds}
	if err == nil && n == 0 {
		m.CloseFDs()
		return Message{}, io.EOF
	}
	if err == nil && n < headerSize {
		_, err = io.ReadFull(c.f, header[n:])
	}
	if err == nil {
		err = m.readBody(c.f, header)
	}
	if err != nil {
		m.CloseFDs()
		return Message{}, fmt.Errorf("receive message: %w", err)
	}
	return m, nil
}

// readBody checks header and reads what it announces.
func (m *Message) readBody(r io.Reader, header [headerSize]byte) error {
	size := binary.BigEndian.Uint32(header[:])
	switch {
	case header[4] != Version:
		return fmt.Errorf("protocol version %d, not %d", header[4], Version)
	case size > MaxBody:
		return fmt.Errorf("body of %d bytes is over the bound of %d", size, MaxBody)
	case int(header[6]) != len(m.FDs):
		return fmt.Errorf("%d descriptors came, %d were announced", len(m.FDs), header[6])
	case header[7] != 0:
		return fmt.Errorf("reserved byte is %d", header[7])
	}
	m.Type = Type(header[5])
	// Read in steps: what a header announces costs memory only as it arrives.
	const step = 64 << 10
	for len(m.Body) < int(size) {
		at := len(m.Body)
		m.Body = append(m.Body, make([]byte, min(step, int(size)-at))...)
		if _, err := io.ReadFull(r, m.Body[at:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// recvmsg reads into p together with the descriptors that came along.
func (c *Conn) recvmsg(p []byte) (n int, fds []int, err error) {
	oob := make([]byte, unix.CmsgSpace(MaxFDs*4))
	var oobn, flags int
	cerr := c.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, _, err = unix.Recvmsg(int(fd), p, oob, unix.MSG_CMSG_CLOEXEC)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	if err = errors.Join(cerr, err); err != nil {
		return 0, nil, err
	}
	fds, err = sync.Rights(oob[:oobn])
	if err == nil && flags&unix.MSG_CTRUNC != 0 {
		err = errors.New("more descriptors than allowed")
	}
	if err != nil {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return 0, nil, err
	}
	return n, fds, nil
}
