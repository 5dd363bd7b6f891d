package remotelog

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"berth/shim/jsonlog"
	"berth/shim/wire"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)

// datagrams listens on a unix socket.
func datagrams(t *testing.T) (*net.UnixConn, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, path
}

func receive(t *testing.T, l net.Conn) string {
	t.Helper()
	if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64<<10)
	n, err := l.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestForms(t *testing.T) {
	pid := fmt.Sprint(os.Getpid())
	for form, want := range map[string]string{
		"":             "<30>Mar  4 12:00:00 tag[PID]: text\n",
		"rfc3164":      "<30>Mar  4 12:00:00 host tag[PID]: text\n",
		"rfc5424":      "<30>1 2026-03-04T12:00:00Z host tag PID tag - text\n",
		"rfc5424micro": "<30>1 2026-03-04T12:00:00.123456Z host tag PID tag - text\n",
	} {
		l, path := datagrams(t)
		c, err := Dial(wire.LogRemote{Network: "unixgram", Path: path, Format: form, Facility: 3, Tag: "tag", Host: "host"})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Line(jsonlog.Stdout, []byte("text"), true, noon); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, l); got != strings.ReplaceAll(want, "PID", pid) {
			t.Errorf("%s: got %q", form, got)
		}
		if err := c.Line(jsonlog.Stderr, []byte("bad"), true, noon); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, l); !strings.HasPrefix(got, "<27>") {
			t.Errorf("%s: an error is %q", form, got)
		}
		c.Close()
	}
}

func TestJournal(t *testing.T) {
	l, path := datagrams(t)
	c, err := Dial(wire.LogRemote{Network: "unixgram", Path: path, Format: "journald", Tag: "tag", Fields: map[string]string{"CONTAINER_NAME": "web", "NOTE": "a\nb"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Line(jsonlog.Stderr, []byte("text"), false, noon); err != nil {
		t.Fatal(err)
	}
	want := "PRIORITY=3\nSYSLOG_IDENTIFIER=tag\nSYSLOG_TIMESTAMP=2026-03-04T12:00:00.123456789Z\nCONTAINER_PARTIAL_MESSAGE=true\n" +
		"CONTAINER_NAME=web\nNOTE\n\x03\x00\x00\x00\x00\x00\x00\x00a\nb\nMESSAGE=text\n"
	if got := receive(t, l); got != want {
		t.Errorf("got %q", got)
	}
}

// remote is the address of a listener of package net.
func remote(network, address string) wire.LogRemote {
	host, port, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	if four := ip.To4(); four != nil {
		ip = four
	}
	n := 0
	fmt.Sscan(port, &n)
	return wire.LogRemote{Network: network, IP: string(ip), Port: n, Tag: "t"}
}

func TestTCPServerThatComesBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Dial(remote("tcp", l.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Line(jsonlog.Stdout, []byte("one"), true, noon); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, first); !strings.HasSuffix(got, ": one\n") {
		t.Errorf("got %q", got)
	}
	first.(*net.TCPConn).SetLinger(0) // a reset, so that the next line is known to be lost
	first.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			accepted <- conn
		}
		close(accepted)
	}()
	// The reset may take until after a line; then the next one connects anew.
	for end := time.Now().Add(10 * time.Second); len(accepted) == 0; time.Sleep(time.Millisecond) {
		if err := c.Line(jsonlog.Stdout, []byte("two"), true, noon); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("it does not connect again")
		}
	}
	second := <-accepted
	defer second.Close()
	if got := receive(t, second); !regexp.MustCompile(`(?m)^<6>.*: two$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
}

func TestUDPAndIPv6AndNobody(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Skip("no loopback: ", err)
		}
		defer l.Close()
		c, err := Dial(remote("udp", l.LocalAddr().String()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Line(jsonlog.Stdout, []byte("text"), true, noon); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, l.(*net.UDPConn)); !strings.HasSuffix(got, ": text\n") {
			t.Errorf("got %q", got)
		}
	}
	if _, err := Dial(wire.LogRemote{Network: "unix", Path: t.TempDir() + "/none"}); err == nil {
		t.Error("it connected to nobody")
	}
}

// A server that takes connections and reads nothing is waited for once; then lines are
// lost at once, and no connection after the other is made to it.
func TestServerThatHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := &Conn{to: remote("tcp", l.Addr().String()), fd: -1, patience: 10 * time.Millisecond}
	defer c.Close()
	long := []byte(strings.Repeat("x", 1<<20))
	for err == nil {
		err = c.Line(jsonlog.Stdout, long, true, noon)
	}
	if !waitedInVain(err) || c.deaf.IsZero() || c.fd >= 0 {
		t.Fatalf("%v, deaf until %v, connection %d", err, c.deaf, c.fd)
	}
	c.deaf = time.Now().Add(time.Hour)
	if err := c.Line(jsonlog.Stdout, []byte("text"), true, noon); err == nil || c.fd >= 0 {
		t.Errorf("the next line: %v, connection %d", err, c.fd)
	}
	c.deaf = time.Time{}
	if err := c.Line(jsonlog.Stdout, []byte("text"), true, noon); err != nil {
		t.Errorf("when it is tried again: %v", err)
	}
}
