package shim_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"berth/shim"
)

func memoryLimit(n int64) *specs.LinuxResources {
	return &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &n, Swap: &n}}
}

// terminal is our end of an attached connection.
type terminal struct {
	b     *bench
	f     *os.File
	ended chan shim.End
	seen  []byte
}

// connect makes a connection: ours, and the one to hand over.
func (b *bench) connect() (*terminal, *os.File) {
	b.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	c := &terminal{b: b, f: os.NewFile(uintptr(fds[0]), "client"), ended: make(chan shim.End, 1)}
	c.f.SetDeadline(time.Now().Add(waitLimit))
	b.t.Cleanup(func() { c.f.Close() })
	return c, os.NewFile(uintptr(fds[1]), "connection")
}

func (b *bench) attach(c *shim.Client, o shim.AttachOptions) *terminal {
	b.t.Helper()
	term, conn := b.connect()
	defer conn.Close()
	o.Ended = func(e shim.End) { term.ended <- e }
	if err := c.Attach(o, conn); err != nil {
		b.t.Fatal(err)
	}
	return term
}

func (t *terminal) write(s string) {
	t.b.t.Helper()
	if _, err := t.f.WriteString(s); err != nil {
		t.b.t.Fatal(err)
	}
}

// closeWrite ends our input.
func (t *terminal) closeWrite() {
	t.b.t.Helper()
	raw, err := t.f.SyscallConn()
	if err == nil {
		cerr := raw.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_WR) })
		err = errors.Join(cerr, err)
	}
	if err != nil {
		t.b.t.Fatal(err)
	}
}

// expect reads until s has come.
func (t *terminal) expect(s string) {
	t.b.t.Helper()
	buf := make([]byte, 4096)
	for {
		if i := bytes.Index(t.seen, []byte(s)); i >= 0 {
			t.seen = t.seen[i+len(s):]
			return
		}
		n, err := t.f.Read(buf)
		t.seen = append(t.seen, buf[:n]...)
		if err != nil {
			t.b.t.Fatalf("waiting for %q: %v after %q", s, err, t.seen)
		}
	}
}

// all reads to the end.
func (t *terminal) all() string {
	t.b.t.Helper()
	rest, err := io.ReadAll(t.f)
	if err != nil {
		t.b.t.Fatal(err)
	}
	return string(t.seen) + string(rest)
}

func (t *terminal) end() shim.End {
	t.b.t.Helper()
	select {
	case e := <-t.ended:
		return e
	case <-time.After(waitLimit):
		t.b.t.Fatal("the attachment does not end")
		return 0
	}
}

// demux splits docker's frames.
func demux(t *testing.T, s string) (out, err string) {
	t.Helper()
	for len(s) > 0 {
		if len(s) < 8 || s[1:4] != "\x00\x00\x00" {
			t.Fatalf("no frame: %q", s)
		}
		n := int(binary.BigEndian.Uint32([]byte(s[4:8])))
		switch s[0] {
		case 1:
			out += s[8 : 8+n]
		case 2:
			err += s[8 : 8+n]
		default:
			t.Fatalf("stream %d", s[0])
		}
		s = s[8+n:]
	}
	return out, err
}

func TestAttachTwoClients(t *testing.T) {
	b := newBench(t)
	cfg := b.config("echo out; echo err >&2; read x; echo got $x")
	cfg.OpenStdin = true
	c := b.create(cfg)
	first := b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true, Stderr: true, Mux: true})
	second := b.attach(c, shim.AttachOptions{Stdout: true})
	if i, err := c.Info(); err != nil || i.Attached != 2 {
		t.Errorf("%d are attached, %v", i.Attached, err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	second.expect("out\n")
	first.write("hello\n")
	if got := second.all(); got != "got hello\n" {
		t.Errorf("the second client got %q", got)
	}
	if out, errs := demux(t, first.all()); out != "out\ngot hello\n" || errs != "err\n" {
		t.Errorf("the first client got %q and %q", out, errs)
	}
	if e := first.end(); e != shim.EndExited {
		t.Errorf("the attachment ended by %d", e)
	}
	b.exit(c)
}

// The end of the client's input ends the container's only if it is to be read once.
func TestStdinHalfClose(t *testing.T) {
	b := newBench(t)
	cfg := b.config("cat; echo end")
	cfg.OpenStdin, cfg.StdinOnce = true, true
	c := b.create(cfg)
	term := b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true, Pending: []byte("early ")})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("0123456789abcdef", 20000)
	go func() {
		io.WriteString(term.f, big)
		term.closeWrite()
	}()
	if got := term.all(); got != "early "+big+"end\n" {
		t.Errorf("got %d bytes, %d were sent", len(got), len(big))
	}
	b.exit(c)

	cfg = b.config("read a; read b; echo $a $b")
	cfg.OpenStdin = true
	c = b.run(cfg)
	term = b.attach(c, shim.AttachOptions{Stdin: true})
	term.write("one\n")
	term.f.Close()
	if e := term.end(); e != shim.EndGone {
		t.Errorf("the attachment ended by %d", e)
	}
	term = b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true})
	term.write("two\n")
	term.closeWrite()
	if got := term.all(); got != "one two\n" {
		t.Errorf("got %q", got)
	}
	b.exit(c)
}

func TestTerminal(t *testing.T) {
	b := newBench(t)
	cfg := b.config("tty; stty size; read x; stty size; echo bye >&2")
	cfg.Tty, cfg.OpenStdin, cfg.ConsoleSize = true, true, [2]uint{33, 101}
	cfg.Spec.Process.Terminal = true
	c := b.create(cfg)
	term := b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true, Stderr: true, Mux: true})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	term.expect("/dev/")
	term.expect("33 101\r\n")
	if err := c.Resize(44, 120); err != nil {
		t.Fatal(err)
	}
	term.write("x\n")
	term.expect("44 120\r\n")
	// In a frame of its own, or in that of the size.
	if got := term.all(); got != "bye\r\n" && got != "\x01\x00\x00\x00\x00\x00\x00\x05bye\r\n" {
		t.Errorf("the end is %q", got)
	}
	b.exit(c)
	if got := logText(t, "stdout", cfg.Log.Path); !strings.HasSuffix(got, "bye\r\n") {
		t.Errorf("log has %q", got)
	}
}

func TestDetachKeys(t *testing.T) {
	b := newBench(t)
	cfg := b.config("stty -echo -icanon; echo ready; head -c 3; echo; read x")
	cfg.Tty, cfg.OpenStdin = true, true
	cfg.Spec.Process.Terminal = true
	c := b.create(cfg)
	term := b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	term.expect("ready")
	term.write("a\x10") // held back
	term.write("b")     // and passed on now
	term.expect("a\x10b")
	term.write("\x10\x11lost")
	if term.all(); term.end() != shim.EndDetached {
		t.Error("the default keys do not detach")
	}
	term = b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true, DetachKeys: "ctrl-a,x"})
	term.write("\x01")
	term.write("x")
	if e := term.end(); e != shim.EndDetached {
		t.Errorf("ended by %d", e)
	}
	if i, err := c.Info(); err != nil || i.Status != shim.StatusRunning {
		t.Errorf("the container is %s, %v", i.Status, err)
	}
	if err := c.Attach(shim.AttachOptions{DetachKeys: "ctrl-!"}, os.Stdin); err == nil {
		t.Error("bad detach keys are taken")
	}
	c.Kill(unix.SIGKILL, true)
	b.exit(c)
}

// A client that reads slowly holds the container up but loses nothing; one that never
// reads is dropped, and the log is complete.
func TestSlowClients(t *testing.T) {
	b := newBench(t)
	const size = 8 << 20
	cfg := b.config("head -c 8388608 /dev/zero | tr '\\0' 'x'; echo; echo done >&2")
	cfg.Spec.Process.Args = []string{"/bin/sh", "-c", "yes 0123456789abcde | head -n 524288; echo done >&2"}
	c := b.create(cfg)
	slow := b.attach(c, shim.AttachOptions{Stdout: true})
	dead := b.attach(c, shim.AttachOptions{Stdout: true})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	n := 0
	buf := make([]byte, 8<<10)
	for n < 64<<10 { // a little, and then both are stuck
		k, err := slow.f.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	if i, err := c.Info(); err != nil || i.Status != shim.StatusRunning {
		t.Fatalf("the container is %s, %v: nothing held it up", i.Status, err)
	}
	dead.f.Close()
	for {
		k, err := slow.f.Read(buf)
		n += k
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n != size {
		t.Errorf("the slow client got %d bytes of %d", n, size)
	}
	b.exit(c)
	if got := len(logText(t, "stdout", cfg.Log.Path)); got != size {
		t.Errorf("the log has %d bytes of %d", got, size)
	}
}

// A client who attached and never reads does not keep the exit from being recorded.
func TestStuckClientAtTheEnd(t *testing.T) {
	b := newBench(t)
	cfg := b.config("yes 0123456789abcde | head -n 50000")
	c := b.create(cfg)
	b.attach(c, shim.AttachOptions{Stdout: true})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if x := b.exit(c); x.Status != 0 {
		t.Errorf("exit is %+v", x)
	}
}
