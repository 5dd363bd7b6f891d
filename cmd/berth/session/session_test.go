package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/moby/moby/client"
)

// pipe is a connection to a pretended container.
func pipe(t *testing.T) (client.HijackedResponse, net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		if ends[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	t.Cleanup(func() { ends[0].Close(); ends[1].Close() })
	return client.NewHijackedResponse(ends[0], ""), ends[1]
}

// frame is docker's header before a piece of stdout (1) or stderr (2).
func frame(stream byte, s string) []byte {
	h := make([]byte, 8, 8+len(s))
	h[0] = stream
	binary.BigEndian.PutUint32(h[4:], uint32(len(s)))
	return append(h, s...)
}

// stdin is a file that holds text.
func stdin(t *testing.T, text string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() { io.WriteString(w, text); w.Close() }()
	t.Cleanup(func() { r.Close() })
	return r
}

func TestCopyTakesTheStreamsApart(t *testing.T) {
	conn, ctr := pipe(t)
	go func() {
		got, _ := io.ReadAll(ctr) // ends when the client has closed its half
		ctr.Write(frame(1, "in: "+string(got)))
		ctr.Write(frame(2, "complaint"))
		ctr.Close()
	}()
	var out, errs bytes.Buffer
	err := Copy(context.Background(), conn, Streams{In: stdin(t, "words"), Out: &out, Err: &errs}, Options{})
	if err != nil || out.String() != "in: words" || errs.String() != "complaint" {
		t.Errorf("out %q, err %q: %v", out.String(), errs.String(), err)
	}
}

func TestCopyOfATerminalIsRaw(t *testing.T) {
	conn, ctr := pipe(t)
	go func() { ctr.Write([]byte("\x01\x00plain")); ctr.Close() }()
	var out bytes.Buffer
	if err := Copy(context.Background(), conn, Streams{Out: &out}, Options{TTY: true}); err != nil || out.String() != "\x01\x00plain" {
		t.Errorf("out %q: %v", out.String(), err)
	}
}

func TestDetachKeys(t *testing.T) {
	for _, c := range []struct{ keys, typed, arrives string }{
		{"", "ab\x10\x11", "ab"},
		{"ctrl-x", "ab\x18cd", "ab"},
		{"a,b", "xab", "x"},
	} {
		conn, ctr := pipe(t)
		err := Copy(context.Background(), conn, Streams{In: stdin(t, c.typed), Out: io.Discard}, Options{TTY: true, DetachKeys: c.keys})
		if !errors.Is(err, ErrDetached) {
			t.Errorf("keys %q: %v", c.keys, err)
		}
		got, _ := io.ReadAll(ctr)
		if string(got) != c.arrives {
			t.Errorf("keys %q: %q arrived, want %q", c.keys, got, c.arrives)
		}
	}
	conn, _ := pipe(t)
	if err := Copy(context.Background(), conn, Streams{In: stdin(t, ""), Out: io.Discard}, Options{TTY: true, DetachKeys: "ctrl-nonsense"}); err == nil || !strings.Contains(err.Error(), "ctrl-nonsense") {
		t.Errorf("bad keys: %v", err)
	}
}

func TestCopyEndsWithItsContext(t *testing.T) {
	conn, _ := pipe(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Copy(ctx, conn, Streams{Out: io.Discard, Err: io.Discard}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestRawTerminalIsGivenBack(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	if !IsTerminal(tty) || IsTerminal(nil) {
		t.Error("a terminal is not recognised")
	}
	restore, err := Raw(tty)
	if err != nil {
		t.Fatal(err)
	}
	// Raw: no line editing, so a single byte can be read.
	master.Write([]byte("x"))
	b := make([]byte, 1)
	if _, err := tty.Read(b); err != nil || b[0] != 'x' {
		t.Errorf("read %q: %v", b, err)
	}
	restore()
	restore()
	master.Write([]byte("line\n"))
	b = make([]byte, 10)
	if n, err := tty.Read(b); err != nil || string(b[:n]) != "line\n" {
		t.Errorf("read %q: %v", b[:n], err)
	}
	if _, err := Raw(stdin(t, "")); err == nil {
		t.Error("a pipe became a raw terminal")
	}
}

func TestWatchSize(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	if _, _, ok := Size(tty); ok {
		t.Error("a terminal without a size has one")
	}
	pty.Setsize(tty, &pty.Winsize{Rows: 10, Cols: 20})
	sizes := make(chan [2]uint, 10)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	WatchSize(ctx, tty, func(_ context.Context, h, w uint) error { sizes <- [2]uint{h, w}; return nil })
	if got := <-sizes; got != [2]uint{10, 20} {
		t.Errorf("first size %v", got)
	}
	pty.Setsize(tty, &pty.Winsize{Rows: 5, Cols: 6})
	syscall.Kill(os.Getpid(), syscall.SIGWINCH)
	if got := <-sizes; got != [2]uint{5, 6} {
		t.Errorf("second size %v", got)
	}
}

func TestForwardSignals(t *testing.T) {
	var mu sync.Mutex
	var got []string
	arrived := make(chan struct{}, 10)
	stop := ForwardSignals(context.Background(), func(_ context.Context, s string) error {
		mu.Lock()
		got = append(got, s)
		mu.Unlock()
		arrived <- struct{}{}
		return nil
	})
	for _, s := range []syscall.Signal{syscall.SIGWINCH, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGUSR1} {
		syscall.Kill(os.Getpid(), s)
	}
	await := func() {
		t.Helper()
		select {
		case <-arrived:
		case <-time.After(10 * time.Second):
			t.Fatal("a signal did not arrive")
		}
	}
	await()
	await()
	// Those that are rarely sent are handled a moment later.
	unusual := make(chan os.Signal, 1)
	signal.Notify(unusual, syscall.SIGALRM)
	defer signal.Stop(unusual)
	for more := true; more; {
		syscall.Kill(os.Getpid(), syscall.SIGALRM)
		select {
		case <-arrived:
			more = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	stop()
	stop()
	mu.Lock()
	defer mu.Unlock()
	text := strings.Join(got[:2], " ")
	if got[2] != "SIGALRM" || !strings.Contains(text, "SIGTERM") || !strings.Contains(text, "SIGUSR1") {
		t.Errorf("forwarded %s", text)
	}
}
