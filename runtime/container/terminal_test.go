package container

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// console is a console socket and its other end.
func console(t *testing.T) (socket, ours *os.File) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	socket, ours = os.NewFile(uintptr(pair[0]), "socket"), os.NewFile(uintptr(pair[1]), "ours")
	t.Cleanup(func() { socket.Close(); ours.Close() })
	return socket, ours
}

// master receives the terminal.
func master(t *testing.T, ours *os.File) *os.File {
	t.Helper()
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(ours.Fd()), make([]byte, 256), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatalf("receive the terminal: %v", err)
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(msgs) != 1 {
		t.Fatalf("receive the terminal: %d messages, %v", len(msgs), err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("receive the terminal: descriptors %v, %v", fds, err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "master")
	t.Cleanup(func() { f.Close() })
	return f
}

// readUntil reads what is printed until it holds want.
func readUntil(t *testing.T, f *os.File, want string) string {
	t.Helper()
	if err := f.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), want) {
		n, err := f.Read(buf)
		if err != nil {
			t.Fatalf("read the terminal: %v, after %q; want %q", err, got.String(), want)
		}
		got.Write(buf[:n])
	}
	return got.String()
}

func TestTerminal(t *testing.T) {
	f := newFixture(t, "sh")
	socket, ours := console(t)
	f.opts.ConsoleSocket = socket
	p := f.opts.Spec.Process
	p.Terminal, p.ConsoleSize = true, &specs.Box{Height: 33, Width: 99}
	p.User = specs.User{UID: 1000, GID: 1000}
	c := f.create()
	m := master(t, ours)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// The commands are echoed, so what is looked for must not stand in them.
	if _, err := m.WriteString("echo size $(stty size); tty; stat -c 'owner %u %a' $(tty); [ -t 2 ] && ls -l /dev/console | cut -c1; ps -o stat,args; echo do''ne\n"); err != nil {
		t.Fatal(err)
	}
	got := readUntil(t, m, "done\r\n")
	for _, want := range []string{"size 33 99\r\n", "/dev/pts/0\r\n", "owner 1000 620\r\n", "\nc\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the terminal shows %q, without %q", got, want)
		}
	}
	// Ctrl-C reaches the foreground process through the controlling terminal.
	if _, err := m.WriteString("sleep 1000; echo inter''rupted\n"); err != nil {
		t.Fatal(err)
	}
	readUntil(t, m, "sleep 1000")
	conn, err := m.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		var group int
		if err := conn.Control(func(fd uintptr) { group, _ = unix.IoctlGetInt(int(fd), unix.TIOCGPGRP) }); err != nil || time.Now().After(deadline) {
			t.Fatalf("the command is not in the foreground: group %d, %v", group, err)
		}
		if group != 0 && group != c.Init().PID() {
			break // the shell has handed the terminal over
		}
	}
	if _, err := m.WriteString("\x03exit 5\n"); err != nil {
		t.Fatal(err)
	}
	if s := f.wait(c.Init()); s.ExitStatus() != 5 {
		t.Errorf("status %v, want 5", s)
	}
}

func TestTerminalOfExec(t *testing.T) {
	f := newFixture(t)
	c := f.running()
	socket, ours := console(t)
	p, err := c.Exec(context.Background(), ExecOptions{ConsoleSocket: socket, Process: &specs.Process{
		Args: []string{"sh", "-c", "tty; stty size; ls /proc/self/fd | tr '\\n' ' '"}, Cwd: "/", Env: []string{"PATH=/bin"},
		Terminal: true, ConsoleSize: &specs.Box{Height: 11, Width: 22}}})
	if err != nil {
		t.Fatal(err)
	}
	m := master(t, ours)
	if got, want := readUntil(t, m, "3 "), "/dev/pts/0\r\n11 22\r\n0 1 2 3 "; got != want {
		t.Errorf("the terminal shows %q, want %q", got, want)
	}
	if s := f.wait(p); s != 0 {
		t.Errorf("status %v", s)
	}
}

// TestTerminalIsNotTheImages has an image with a file where the devpts belongs.
func TestTerminalIsNotTheImages(t *testing.T) {
	f := newFixture(t, "sh")
	socket, _ := console(t)
	f.opts.ConsoleSocket = socket
	f.opts.Spec.Process.Terminal = true
	f.opts.Spec.Mounts = f.opts.Spec.Mounts[:2] // proc and /dev
	addMount(f.opts.Spec, "/dev/pts", "tmpfs", "tmpfs")
	if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), "devpts") {
		t.Errorf("create: %v, want an error about the devpts", err)
	}
}
