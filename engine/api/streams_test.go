package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"berth/engine"
	"berth/engine/logs"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/events"
)

// entry is a line of a log.
type entry struct{ logs.Entry }

func line(stream, text string) entry {
	return entry{logs.Entry{Time: time.Unix(1, 5).UTC(), Stream: stream, Line: []byte(text), Attrs: map[string]string{"b": "2", "a": "1"}}}
}

func TestLogsAreFramedUnlessThereIsATerminal(t *testing.T) {
	f := serve(t)
	f.containers.entries = []entry{line("stdout", "one\n"), line("stderr", "two\n")}
	resp := f.send("GET", "/containers/web/logs?stdout=1&stderr=1&timestamps=1&details=1", "")
	defer resp.Body.Close()
	var out, errs bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &errs, resp.Body); err != nil {
		t.Fatal(err)
	}
	const head = "1970-01-01T00:00:01.000000005Z a=1,b=2 "
	if out.String() != head+"one\n" || errs.String() != head+"two\n" {
		t.Errorf("got %q and %q", out.String(), errs.String())
	}
	if got := resp.Header.Get("Content-Type"); got != "application/vnd.docker.multiplexed-stream" {
		t.Errorf("type %s", got)
	}
	f.containers.tty = true
	f.expect("GET", "/containers/web/logs?stdout=1", "", 200, "one\ntwo")
	f.expect("GET", "/containers/web/logs", "", 400, "message: Bad parameters: you must choose at least one stream")
	f.expect("GET", "/containers/web/logs?stdout=1&since=never", "", 400, `message: "never" is not a time`)
	f.expect("GET", "/containers/nope/logs?stdout=1", "", 404, "message: No such container: nope")
}

func TestFollowedLinesArriveAtOnceAndTheFollowerMayLeave(t *testing.T) {
	f := serve(t)
	f.containers.tty = true
	f.containers.entries = []entry{line("stdout", "one\n")}
	resp := f.send("GET", "/containers/web/logs?stdout=1&follow=1", "")
	got := make([]byte, 4)
	if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != "one\n" {
		t.Fatalf("%q, %v", got, err)
	}
	if n := f.server.Clients(); n != 1 {
		t.Errorf("%d clients", n)
	}
	resp.Body.Close()
	eventually(t, "the follower is gone", func() bool { return f.server.Clients() == 0 })
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestWhatIsHalfSentIsCut(t *testing.T) {
	f := serve(t)
	resp := f.send("GET", "/containers/web/export", "")
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("a broken export looks whole: %q", body)
	}
}

func TestStatsCarryTheSampleBefore(t *testing.T) {
	f := serve(t)
	_, body := f.do("GET", "/containers/web/stats", "")
	samples := strings.Split(body, "\n")
	if len(samples) != 2 || !strings.Contains(samples[0], `"precpu_stats":{"cpu_usage":{"total_usage":0`) ||
		!strings.Contains(samples[1], `"precpu_stats":{"cpu_usage":{"total_usage":1`) {
		t.Errorf("got %s", body)
	}
	f.containers.samples = 0
	if _, body := f.do("GET", "/containers/web/stats?stream=0&one-shot=1", ""); strings.Contains(body, "\n") || !strings.Contains(body, `"total_usage":1`) {
		t.Errorf("got %s", body)
	}
	f.expect("GET", "/containers/web/stats?stream=1&one-shot=1", "", 400, "message: cannot have stream=true and one-shot=true")
}

func TestEventsInEveryForm(t *testing.T) {
	for accept, want := range map[string]string{"": "application/json", "application/jsonl, x/y;q=0.1": "application/jsonl", "application/json-seq": "application/json-seq"} {
		f := serve(t)
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://berth/events", nil)
		req.Header.Set("Accept", accept)
		resp, err := f.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		f.bus.Publish(events.ContainerEventType, events.ActionStart, "0123", map[string]string{"image": "i"})
		text, err := bufio.NewReader(resp.Body).ReadString('\n')
		if got := resp.Header.Get("Content-Type"); err != nil || got != want {
			t.Errorf("%s: %v %v", accept, got, err)
		}
		if strings.HasPrefix(text, "\x1e{") != (accept == "application/json-seq") || strings.Contains(text, `"status"`) {
			t.Errorf("%s: %q", accept, text)
		}
		cancel()
		resp.Body.Close()
		eventually(t, "the listener is gone", func() bool { return f.server.Clients() == 0 })
	}
	f := serve(t)
	resp := f.send("GET", "/v1.50/events", "")
	defer resp.Body.Close()
	f.bus.Publish(events.ContainerEventType, events.ActionStart, "0123", map[string]string{"image": "i"})
	if text, _ := bufio.NewReader(resp.Body).ReadString('\n'); !strings.Contains(text, `"status":"start","id":"0123","from":"i"}`) {
		t.Errorf("old clients: %q", text)
	}
}

// dialAttach sends the head of an attach, and more right behind it.
func dialAttach(t *testing.T, conn net.Conn, path, headers, more string) *bufio.Reader {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: berth\r\n"+headers+"Content-Length: 0\r\n\r\n"+more); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(conn)
}

// echo says what it got ahead, then repeats what comes, on the descriptor, until the end.
func echo(o engine.AttachOptions) error {
	file, err := dup(o.Conn)
	if err != nil {
		return err
	}
	go func() {
		defer file.Close()
		file.Write(o.Pending)
		io.Copy(file, file)
	}()
	return nil
}

func TestAttachHandsTheDescriptorOver(t *testing.T) {
	const upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
	for _, c := range []struct {
		name, path, headers string
		tty                 bool
		status, media       string
	}{
		{"upgraded", "/containers/web/attach?stream=1&stdin=1", upgrade, false, "101 UPGRADED", "application/vnd.docker.multiplexed-stream"},
		{"upgraded terminal", "/v1.50/containers/web/attach?stream=1", upgrade, true, "101 UPGRADED", "application/vnd.docker.raw-stream"},
		{"upgraded, old", "/v1.41/containers/web/attach?stream=1", upgrade, false, "101 UPGRADED", "application/vnd.docker.raw-stream"},
		{"plain", "/containers/web/attach?stream=1", "", false, "200 OK", "application/vnd.docker.raw-stream"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t)
			f.containers.tty, f.containers.attach = c.tty, echo
			conn, err := net.Dial("unix", f.socket)
			if err != nil {
				t.Fatal(err)
			}
			in := dialAttach(t, conn, c.path, c.headers, "ahead ")
			resp, err := readHead(in)
			if err != nil || resp.status != "HTTP/1.1 "+c.status || resp.header.Get("Content-Type") != c.media || resp.header.Get("Api-Version") == "" {
				t.Fatalf("got %+v, %v", resp, err)
			}
			// The stream does not end with the server: it is not the server's.
			if err := f.server.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, "later")
			conn.(*net.UnixConn).CloseWrite()
			if text, err := io.ReadAll(in); string(text) != "ahead later" || err != nil {
				t.Errorf("got %q, %v", text, err)
			}
		})
	}
}

func TestAttachErrorsAfterTheUpgradeAreTold(t *testing.T) {
	f := serve(t)
	f.containers.attach = func(engine.AttachOptions) error { return errors.New("the container is paused") }
	conn, err := net.Dial("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	in := dialAttach(t, conn, "/containers/web/attach?stream=1", "Connection: Upgrade\r\nUpgrade: tcp\r\n", "")
	if _, err := readHead(in); err != nil {
		t.Fatal(err)
	}
	// Bytes that nobody reads do not turn the error into "connection reset by peer".
	go func() {
		io.WriteString(conn, strings.Repeat("x", 1<<20))
		conn.(*net.UnixConn).CloseWrite()
	}()
	if text, err := io.ReadAll(in); string(text) != "\x01\x00\x00\x00\x00\x00\x00\x19the container is paused\r\n" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	f.expect("POST", "/containers/nope/attach", "", 404, "message: No such container: nope")
	f.expect("GET", "/containers/web/attach/ws?stream=1", "", 400, `message: attach/ws is for websockets: the request has no "Upgrade: websocket" (POST /containers/{id}/attach takes others)`)
}

// bare hides that a connection has a descriptor, as TLS does.
type bare struct{ net.Conn }

func (b bare) CloseWrite() error { return b.Conn.(*net.UnixConn).CloseWrite() }

func TestConnectionsWithoutADescriptorAreRelayed(t *testing.T) {
	client, server := pair(t)
	s, err := takeover(bare{server}, bufio.NewReader(server))
	if err != nil {
		t.Fatal(err)
	}
	if err := echo(engine.AttachOptions{Conn: s.file}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	io.WriteString(client, "there and back")
	client.(*net.UnixConn).CloseWrite()
	if text, err := io.ReadAll(client); string(text) != "there and back" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

// pair returns two connected unix sockets.
func pair(t *testing.T) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

type head struct {
	status string
	header http.Header
}

// readHead reads a status line and headers; http.ReadResponse takes no body-less 200.
func readHead(in *bufio.Reader) (head, error) {
	status, err := in.ReadString('\n')
	h := head{strings.TrimSpace(status), http.Header{}}
	for err == nil {
		var text string
		if text, err = in.ReadString('\n'); strings.TrimSpace(text) == "" {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSpace(text), ": ")
		h.header.Add(name, value)
	}
	return h, err
}

func dup(f *os.File) (*os.File, error) {
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*net.UnixConn).File()
}
