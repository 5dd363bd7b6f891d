package shim_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/shim"
)

// reserved is a port of ::1 as the engine hands it to a shim, and its forward to a
// server of 127.0.0.1, in the place of a container.
func reserved(t *testing.T, network string, target net.Addr) (shim.Forward, *os.File, string) {
	t.Helper()
	var file func() (*os.File, error)
	var at net.Addr
	var proto uint8 = unix.IPPROTO_TCP
	if network == "tcp" {
		l, err := net.Listen("tcp", "[::1]:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		file, at = l.(*net.TCPListener).File, l.Addr()
	} else {
		c, err := net.ListenPacket("udp", "[::1]:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		file, at, proto = c.(*net.UDPConn).File, c.LocalAddr(), unix.IPPROTO_UDP
	}
	f, err := file()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	to := netip.MustParseAddrPort(target.String())
	return shim.Forward{Name: network + " " + at.String(), Proto: proto, Addr: to.Addr().AsSlice(), Port: to.Port(), Socket: true}, f, at.String()
}

// parked is a container that does nothing until it is killed.
func (b *bench) parked() (*shim.Client, shim.Config) {
	cfg := b.config("sleep 1000")
	return b.run(cfg), cfg
}

func listen(t *testing.T, serve func(*net.TCPConn)) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c.(*net.TCPConn))
		}
	}()
	return l.Addr()
}

// The end of one direction leaves the other open, and not a byte is lost.
func TestForwardedStream(t *testing.T) {
	b := newBench(t)
	c, cfg := b.parked()
	sum := listen(t, func(c *net.TCPConn) { // answers once it has read everything
		defer c.Close()
		h := sha256.New()
		n, err := io.Copy(h, c)
		fmt.Fprintf(c, "%d %x %v", n, h.Sum(nil), err)
	})
	fwd, socket, addr := reserved(t, "tcp", sum)
	if err := c.Forward([]shim.Forward{fwd}, socket); err != nil {
		t.Fatal(err)
	}
	socket.Close()
	text := bytes.Repeat([]byte("a line of text, and another one\n"), 100_000)
	ask := func() {
		t.Helper()
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(text); err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(conn)
		if want := fmt.Sprintf("%d %x <nil>", len(text), sha256.Sum256(text)); err != nil || string(answer) != want {
			t.Errorf("the answer is %q, %v; want %q", answer, err, want)
		}
	}
	ask()
	// The fresh image has the port, too, and another one does not get it.
	b.until("it is fresh", func() bool { return renewed(c) })
	ask()
	if l, err := net.Listen("tcp", addr); err == nil {
		l.Close()
		t.Error("somebody else could take the port")
	}
	// Elsewhere: there nobody listens, which is a reset and not an end.
	l := listen(t, func(c *net.TCPConn) { c.SetLinger(0); c.Close() })
	to := netip.MustParseAddrPort(l.String())
	fwd.Addr, fwd.Port, fwd.Socket = to.Addr().AsSlice(), to.Port(), false
	if err := c.Forward([]shim.Forward{fwd}); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr)
	if err == nil { // else the reset was quicker than the dialer
		_, err = io.ReadAll(conn)
		conn.Close()
	}
	if !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("a connection that the container resets ends with %v", err)
	}
	list, err := c.Forwards()
	if err != nil || len(list) != 1 || list[0].Name != fwd.Name || list[0].Port != fwd.Port {
		t.Errorf("it holds %+v, %v", list, err)
	}
	// Given back, and with the end of the container.
	fwd.Addr = nil
	if err := c.Forward([]shim.Forward{fwd}); err != nil {
		t.Fatal(err)
	}
	free := func() {
		t.Helper()
		b.until("the port is free", func() bool {
			l, err := net.Listen("tcp", addr)
			if err == nil {
				l.Close()
			}
			return err == nil
		})
	}
	free()
	fwd, socket, addr = reserved(t, "tcp", sum)
	if err := c.Forward([]shim.Forward{fwd}, socket); err != nil {
		t.Fatal(err)
	}
	socket.Close()
	unix.Kill(c.ShimPID(), unix.SIGKILL)
	free()
	b.until("it is reaped", func() bool { return shim.Reap(b.ctx(), cfg.Dir, cfg.RuntimeRoot, cfg.ID) == nil })
	os.Remove(cfg.MountPoint)
}

// Clients of a datagram port are told apart, and none is lost over a renewal.
func TestForwardedDatagrams(t *testing.T) {
	b := newBench(t)
	c, _ := b.parked()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			server.WriteTo(append([]byte("re:"), buf[:n]...), from)
		}
	}()
	fwd, socket, addr := reserved(t, "udp", server.LocalAddr())
	if err := c.Forward([]shim.Forward{fwd}, socket); err != nil {
		t.Fatal(err)
	}
	socket.Close()
	var clients []net.Conn
	for range 3 {
		conn, err := net.Dial("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		clients = append(clients, conn)
	}
	for _, size := range []int{0, 1, 1400, 40_000} {
		for i, conn := range clients {
			word := bytes.Repeat([]byte{byte('a' + i)}, size)
			if _, err := conn.Write(word); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 64<<10)
			conn.SetReadDeadline(time.Now().Add(waitLimit))
			n, err := conn.Read(got)
			if err != nil || string(got[:n]) != "re:"+string(word) {
				t.Errorf("client %d sent %d bytes and got %d, %v", i, size, n, err)
			}
		}
	}
	if l, err := net.ListenPacket("udp", addr); err == nil {
		l.Close()
		t.Error("somebody else could take the port")
	}
	if renewed(c) {
		t.Error("it renewed itself while it had clients")
	}
}

func TestForwardIsChecked(t *testing.T) {
	b := newBench(t)
	c, _ := b.parked()
	fwd := shim.Forward{Name: "tcp x", Proto: unix.IPPROTO_TCP, Addr: []byte{127, 0, 0, 1}, Port: 1}
	if err := c.Forward([]shim.Forward{fwd}); !errdefs.IsNotFound(err) {
		t.Errorf("leading a port elsewhere that it does not hold: %v", err)
	}
	fwd.Addr = nil
	if err := c.Forward([]shim.Forward{fwd}); err != nil {
		t.Errorf("giving a port back twice: %v", err)
	}
	fwd.Addr, fwd.Socket = []byte{1, 2, 3}, true
	if err := c.Forward([]shim.Forward{fwd}, os.Stdin); err == nil {
		t.Error("an address of three bytes was taken")
	}
	if err := c.Forward([]shim.Forward{fwd}); err == nil {
		t.Error("a new port without a socket was taken")
	}
}
