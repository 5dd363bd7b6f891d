// Package sync is the protocol between the process that makes a container or an
// exec (the parent) and the process that becomes its command (init). There are
// two connections, both unix SOCK_SEQPACKET, so that a message arrives whole or
// not at all and the death of either side reads as end of file.
//
// The build connection is a socket pair that lives until init is ready:
//
//	parent (builder thread)              init (system call program)
//	                                     joins cgroups, makes its cgroup namespace,
//	                                     mounts /proc for its pid namespace, detached
//	          ◄── Made, [proc mounts] ──
//	mounts everything, pivot_root
//	          ── Built, [root], [terminal] ──►
//	                                     session, terminal, stdio, limits, user,
//	                                     capabilities
//	          ◄── Listening ──           only if the seccomp filter notifies an agent
//	hands the listener over
//	          ── one byte ──►
//	          ◄── Ready ──
//
// An exec joins what exists and so begins at Built. The start connection goes
// over a listening socket in the container's state directory, so that another
// process may start what this one created:
//
//	starter                              init
//	          ── connect ──►             (was waiting in accept)
//	                                     seccomp, execve
//	          ◄── end of file ──         the command runs: execve closed the socket
//
// Instead of any message from init, Failed or Refused may come; init is then
// gone. If the parent goes first, init reads end of file and leaves without a word.
package sync

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// The messages of init. The parent's only message, Built, is one byte of any
// value, as its arrival is all it says.
const (
	Made    = 1
	Ready   = 2
	Failed  = 3 // a system call failed
	Refused = 4 // it was the execve of the command
	// Listening says that init has a seccomp listener, whose descriptor is in Step,
	// and waits for one byte before it goes on. It is a plain write(2), as this is
	// the one call that a profile cannot leave to the agent behind the listener; so
	// the parent fetches the descriptor (pidfd_getfd(2)).
	Listening = 5
)

// Size is the length of a message of init: Kind, Step and Errno as 32-bit
// numbers in the machine's order.
const Size = 12

// Message is what init tells its parent or starter.
type Message struct {
	Kind  int32
	Step  int32      // the number of the system call in init's program
	Errno unix.Errno // why, of Failed and Refused
}

// Encode gives the message as it goes over the wire.
func (m Message) Encode() []byte {
	b := make([]byte, 0, Size)
	b = binary.NativeEndian.AppendUint32(b, uint32(m.Kind))
	b = binary.NativeEndian.AppendUint32(b, uint32(m.Step))
	return binary.NativeEndian.AppendUint32(b, uint32(m.Errno))
}

// Receive waits for one message. It fills fds with descriptors that came along
// and fails if their number is not that of fds. io.EOF means that init is gone
// or, on the start connection, that the command runs.
func Receive(conn int, fds []int) (Message, error) {
	buf := make([]byte, Size)
	oob := make([]byte, unix.CmsgSpace(4*max(len(fds), 1)))
	var n, oobn int
	var err error
	for {
		n, oobn, _, _, err = unix.Recvmsg(conn, buf, oob, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err == unix.ECONNRESET || err == nil && n == 0 {
		return Message{}, io.EOF
	}
	if err != nil {
		return Message{}, fmt.Errorf("receive from init: %w", err)
	}
	got, err := Rights(oob[:oobn])
	if err != nil {
		return Message{}, fmt.Errorf("receive from init: %w", err)
	}
	m, err := decode(buf[:n], len(got), len(fds))
	if err != nil || len(got) != len(fds) {
		for _, fd := range got {
			unix.Close(fd)
		}
		return m, err
	}
	copy(fds, got)
	return m, nil
}

// decode reads a message that came with got descriptors where want were awaited.
func decode(b []byte, got, want int) (Message, error) {
	if len(b) != Size {
		return Message{}, fmt.Errorf("receive from init: message of %d bytes, want %d", len(b), Size)
	}
	m := Message{
		Kind:  int32(binary.NativeEndian.Uint32(b)),
		Step:  int32(binary.NativeEndian.Uint32(b[4:])),
		Errno: unix.Errno(binary.NativeEndian.Uint32(b[8:])),
	}
	if m.Kind != Failed && m.Kind != Refused && got != want {
		return m, fmt.Errorf("receive from init: %d descriptors, want %d", got, want)
	}
	return m, nil
}

// Rights returns the descriptors in the control messages of a Unix socket
// (SCM_RIGHTS, unix(7)). On an error none stays open.
func Rights(oob []byte) (fds []int, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	defer func() {
		if err != nil {
			for _, fd := range fds {
				unix.Close(fd)
			}
			fds = nil
		}
	}()
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for i := range msgs {
		got, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			return fds, err
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

// SendBuilt tells init that everything around it stands, and hands it the root
// if it has to go there itself, and the terminal if there is one.
func SendBuilt(conn int, fds ...int) error {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	err := unix.Sendmsg(conn, []byte{0}, oob, nil, unix.MSG_NOSIGNAL)
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return io.EOF
	}
	return err
}
