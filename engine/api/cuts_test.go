package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// cuts are the ways in which a client leaves a connection that is not HTTP's any more.
var cuts = []struct {
	name string
	ask  func(head string) string               // what is sent of the request
	end  func(conn *net.TCPConn, middle string) // what happens once the answer is there; nil: it is not waited for
}{
	{"in the request", func(head string) string { return head[:len(head)-7] }, nil},
	{"before the answer", func(head string) string { return head }, nil},
	{"after the answer", func(head string) string { return head }, func(*net.TCPConn, string) {}},
	{"in a frame", func(head string) string { return head }, func(conn *net.TCPConn, middle string) { io.WriteString(conn, middle) }},
	{"by a reset", func(head string) string { return head }, func(conn *net.TCPConn, middle string) {
		io.WriteString(conn, middle)
		conn.SetLinger(0)
	}},
	{"writing first", func(head string) string { return head }, func(conn *net.TCPConn, middle string) {
		io.WriteString(conn, middle)
		conn.CloseWrite()
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, _ = io.CopyN(io.Discard, conn, 100)
	}},
	{"reading first", func(head string) string { return head }, func(conn *net.TCPConn, middle string) {
		conn.CloseRead()
		io.WriteString(conn, middle)
	}},
	{"with the request", func(head string) string { return head + "\x00\x01\x02" }, nil},
}

// TestStreamsThatAreCut leaves every kind of stream at every kind of point, and looks for what stays: goroutines and
// descriptors of the engine, threads and descriptors of the shim, running execs.
func TestStreamsThatAreCut(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go r.server.Serve(l)
	id := r.create("web", container.Config{OpenStdin: true}, "sh", "-c", "while true; do echo tick; sleep 0.01; done")
	r.start(id)
	shim := shimOf(t, id)
	const upgrade = " HTTP/1.1\r\nHost: berth\r\nConnection: Upgrade\r\nUpgrade: "
	var execs []string
	streams := []struct {
		name, middle string
		head         func() string
	}{
		{"attach", "half a line", func() string {
			return "POST /containers/web/attach?stream=1&stdin=1&stdout=1&stderr=1" + upgrade + "tcp\r\n\r\n"
		}},
		{"attach without an upgrade", "half a line", func() string {
			return "POST /containers/web/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: berth\r\n\r\n"
		}},
		{"websocket", "\x82\xfe\x10", func() string {
			return "GET /containers/web/attach/ws?stream=1&stdin=1&stdout=1" + upgrade +
				"websocket\r\nOrigin: http://berth\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		}},
		{"exec", "half a line", func() string {
			made, err := r.client.ExecCreate(ctx, id, client.ExecCreateOptions{Cmd: []string{"cat"}, AttachStdin: true, AttachStdout: true, AttachStderr: true})
			if err != nil {
				t.Fatal(err)
			}
			execs = append(execs, made.ID)
			return "POST /exec/" + made.ID + "/start" + upgrade + "tcp\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
		}},
		{"session", "PRI * HTTP/2.0\r\n\r", func() string {
			return "POST /session" + upgrade + "h2c\r\nX-Docker-Expose-Session-Uuid: u\r\nX-Docker-Expose-Session-Name: n\r\n\r\n"
		}},
		{"grpc", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00", func() string { return "POST /grpc" + upgrade + "h2c\r\n\r\n" }},
	}
	round := func() {
		for _, s := range streams {
			for _, c := range cuts {
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				io.WriteString(conn, c.ask(s.head()))
				if c.end != nil {
					in := bufio.NewReader(conn)
					if status, err := in.ReadString('\n'); err != nil || !strings.Contains(status, " 101 ") && !strings.Contains(status, " 200 ") {
						t.Errorf("%s, cut %s: %q, %v", s.name, c.name, status, err)
					}
					c.end(conn.(*net.TCPConn), s.middle)
				}
				conn.Close()
			}
		}
	}
	// The first round makes what is made once.
	settle := func() {
		r.eventually("no exec is left", func() bool {
			for _, x := range execs {
				if in, err := r.client.ExecInspect(ctx, x, client.ExecInspectOptions{}); err != nil || in.Running {
					return false
				}
			}
			return r.server.Clients() <= 1 // this one's own
		})
	}
	round()
	settle()
	r.eventually("the shim has let go", func() bool {
		n := shim.count(t, "fd")
		time.Sleep(20 * time.Millisecond)
		return shim.count(t, "fd") == n
	})
	goroutines, fds, shimFDs, threads := runtime.NumGoroutine(), shimProcess(os.Getpid()).count(t, "fd"), shim.count(t, "fd"), shim.count(t, "task")
	for range 3 {
		round()
	}
	settle()
	r.eventually("the engine has no more goroutines than before", func() bool { return runtime.NumGoroutine() <= goroutines+5 })
	r.eventually("the engine has no more descriptors than before", func() bool { return shimProcess(os.Getpid()).count(t, "fd") <= fds+5 })
	r.eventually("the shim has no more descriptors than before", func() bool { return shim.count(t, "fd") <= shimFDs })
	if n := shim.count(t, "task"); n > threads+4 {
		t.Errorf("the shim has %d threads, had %d", n, threads)
	}
	// And it still serves.
	got, err := r.client.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdout: true})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if text, err := got.Reader.ReadString('\n'); err != nil || !strings.HasSuffix(text, "tick\n") {
		t.Errorf("got %q, %v", text, err)
	}
}

// shimProcess is the process of a shim.
type shimProcess int

// shimOf finds the shim of a container.
func shimOf(t *testing.T, id string) shimProcess {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if text, err := os.ReadFile(path); err == nil && bytes.HasPrefix(text, []byte("berth-shim\x00"+id)) {
			var pid int
			if _, err := fmt.Sscanf(path, "/proc/%d/", &pid); err == nil {
				return shimProcess(pid)
			}
		}
	}
	t.Fatal("there is no shim")
	return 0
}

// count is how many descriptors ("fd") or threads ("task") it has.
func (p shimProcess) count(t *testing.T, what string) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", p, what))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
