package sync

import (
	"errors"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func pair(t *testing.T) (parent, init int) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]) })
	return p[0], p[1]
}

func TestMessagesAndDescriptors(t *testing.T) {
	parent, init := pair(t)
	defer unix.Close(init)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd := int(null.Fd())
	send := func(m Message, fds ...int) {
		t.Helper()
		var oob []byte
		if len(fds) > 0 {
			oob = unix.UnixRights(fds...)
		}
		if err := unix.Sendmsg(init, m.Encode(), oob, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	send(Message{Kind: Made}, fd, fd)
	got := make([]int, 2)
	if m, err := Receive(parent, got); err != nil || m.Kind != Made {
		t.Fatalf("%+v, %v", m, err)
	}
	for _, f := range got {
		var st unix.Stat_t
		if err := unix.Fstat(f, &st); err != nil || st.Rdev != unix.Mkdev(1, 3) {
			t.Errorf("descriptor %d: %v", f, err)
		}
		unix.Close(f)
	}
	want := Message{Kind: Failed, Step: 7, Errno: unix.EACCES}
	send(want)
	if m, err := Receive(parent, make([]int, 1)); err != nil || m != want {
		t.Errorf("%+v, %v; want %+v", m, err, want)
	}
	before := descriptors(t)
	send(want, fd)
	if m, err := Receive(parent, nil); err != nil || m != want {
		t.Errorf("with a descriptor: %+v, %v; want %+v", m, err, want)
	}
	send(Message{Kind: Ready}, fd)
	if _, err := Receive(parent, nil); err == nil {
		t.Error("a descriptor that nobody asked for is accepted")
	}
	if err := unix.Sendmsg(init, []byte("short"), nil, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Receive(parent, nil); err == nil {
		t.Error("a short message is accepted")
	}
	if err := unix.Sendmsg(init, []byte("short"), unix.UnixRights(fd), nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Receive(parent, make([]int, 1)); err == nil {
		t.Error("a short message with a descriptor is accepted")
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d before what was refused", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestBuiltBringsTheTerminal(t *testing.T) {
	parent, init := pair(t)
	defer unix.Close(init)
	for _, terminal := range [][]int{nil, {0}, {0, 1}} {
		if err := SendBuilt(parent, terminal...); err != nil {
			t.Fatal(err)
		}
		oob := make([]byte, 64)
		n, oobn, _, _, err := unix.Recvmsg(init, make([]byte, 8), oob, unix.MSG_CMSG_CLOEXEC)
		if err != nil || n != 1 || (oobn > 0) != (len(terminal) > 0) {
			t.Errorf("descriptors %d: %d bytes, %d of control, %v", terminal, n, oobn, err)
		}
		fds, err := Rights(oob[:oobn])
		if err != nil || len(fds) != len(terminal) {
			t.Errorf("descriptors %v, %v", fds, err)
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}

func TestTheOtherSideGone(t *testing.T) {
	parent, init := pair(t)
	unix.Close(init)
	if _, err := Receive(parent, nil); !errors.Is(err, io.EOF) {
		t.Errorf("receive: %v", err)
	}
	if err := SendBuilt(parent); !errors.Is(err, io.EOF) {
		t.Errorf("send: %v", err)
	}
}
