package server

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestReadSome reads from packets, which come one by one like the output of a terminal.
func TestReadSome(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	send := func(packets ...string) {
		t.Helper()
		for _, p := range packets {
			if _, err := unix.Write(pair[1], []byte(p)); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func(size int, tty bool, want string, wantErr error) {
		t.Helper()
		buf := make([]byte, size)
		n, err := readSome(pair[0], buf, tty)
		if err != wantErr || string(buf[:max(n, 0)]) != want {
			t.Errorf("read %q and %v, want %q and %v", buf[:max(n, 0)], err, want, wantErr)
		}
	}
	send("one ", "two ", "three")
	read(16, true, "one two three", nil)
	read(16, true, "", unix.EAGAIN)
	send("one ", "two ", "three")
	read(16, false, "one ", nil)
	read(4, true, "two ", nil) // no room for more
	unix.Close(pair[1])
	read(16, true, "three", nil) // the end does not hide what came before it
	read(16, true, "", nil)
}
