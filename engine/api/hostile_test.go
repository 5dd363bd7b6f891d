package api

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/engine/events"

	"github.com/moby/moby/api/types/container"
)

// TestHostileBytes sends what is no HTTP, half of it, and far too much of it, and then a good request.
func TestHostileBytes(t *testing.T) {
	f := serve(t)
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for _, text := range []string{
		"", "\x00", "\r\n\r\n", string(noise), "\x16\x03\x01\x02\x00\x01\x00", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET", "GET /_ping", "GET /_ping HTTP/1.1\r\n", "GET /_ping HTTP/9.9\r\nHost: x\r\n\r\n",
		"GET /" + strings.Repeat("a", 2<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /_ping HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", 200_000) + "\r\n",
		"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1.50/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /containers/%2e%2e%2f/json HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%76%31.50/containers/json HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{",
		"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n{",
		"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /containers/web/attach HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\nContent-Length: 5\r\n\r\n",
	} {
		conn, err := net.Dial("unix", f.socket)
		if err != nil {
			t.Fatal(err)
		}
		// The server may hang up before it has read all: that is its good right.
		_, _ = io.WriteString(conn, text)
		conn.Close()
	}
	f.expect("GET", "/v1.50/containers/json", "", 200, "[]")
	eventually(t, "all of them are gone", func() bool { return f.server.Clients() == 0 })
}

func TestAThousandConnections(t *testing.T) {
	f := serve(t)
	var all sync.WaitGroup
	for range 1000 {
		all.Add(1)
		go func() {
			defer all.Done()
			conn, err := net.Dial("unix", f.socket)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, "GET /_ping HTTP/1.0\r\n\r\n")
			if text, err := io.ReadAll(conn); err != nil || !bytes.HasSuffix(text, []byte("OK")) {
				t.Errorf("%q, %v", text, err)
			}
		}()
	}
	all.Wait()
	eventually(t, "nobody is left", func() bool { return f.server.Clients() == 0 })
	if since := time.Since(f.server.IdleSince()); since > time.Minute {
		t.Errorf("idle for %v", since)
	}
}

// TestHeadsThatNeverEnd has a thousand clients that say nothing, or the half of a head: others are answered, and who has
// begun is not waited for for ever.
func TestHeadsThatNeverEnd(t *testing.T) {
	f := serve(t)
	s := NewServer(f.server.http.Handler, slog.New(slog.DiscardHandler))
	s.http.ReadHeaderTimeout = 200 * time.Millisecond
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Shutdown(t.Context()) })
	var half []net.Conn
	for n := range 1000 {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if n%2 == 0 {
			io.WriteString(conn, "GET /containers/json HTTP/1.1\r\nHost: be")
			half = append(half, conn)
		}
	}
	other := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", socket)
	}}}
	resp, err := other.Get("http://berth/containers/json")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("others: %+v, %v", resp, err)
	}
	resp.Body.Close()
	for _, conn := range half {
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("not hung up, but %v", err)
		}
	}
	if n := s.Clients(); n > 1 {
		t.Errorf("%d clients count as such", n)
	}
}

func TestShutdownEndsWhatWouldNeverEnd(t *testing.T) {
	f := serve(t)
	follower := f.send("GET", "/events", "")
	defer follower.Body.Close()
	waiter := f.send("POST", "/containers/web/wait", "")
	defer waiter.Body.Close()
	if err := f.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Both replies end; that of wait without the answer it had promised.
	if text, err := io.ReadAll(waiter.Body); len(text) > 0 || err == nil {
		t.Errorf("wait: %q, %v", text, err)
	}
}

// alarm fails a test when a handler panics.
type alarm struct{ t testing.TB }

func (a alarm) Write(p []byte) (int, error) {
	a.t.Errorf("%s", p)
	return len(p), nil
}

// FuzzRequest sends any method, path and body to all handlers: none may panic, and an error must be JSON.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", "/v1.50/containers/json?all=1&filters=%7B%22a%22%3A%7B%22b%22%3Atrue%7D%7D&limit=-1", ""},
		{"POST", "/v1.24/containers/create?name=/a&platform=%7B%22os%22%3A%22linux%22%7D", `{"Image":"x","HostConfig":{"NetworkMode":"container:"}}`},
		{"GET", "/containers/x/logs?stdout=1&since=1.5&until=24h&tail=3&timestamps=1", ""},
		{"POST", "/containers/x/resize?h=1&w=1", ""},
		{"DELETE", "/images/a/b@sha256:1?force=1", ""},
		{"GET", "/images/a%2Fb/json/json", ""},
		{"POST", "/images/create?fromSrc=-&platform=a/b/c/d", "tar"},
		{"POST", "/v1.99/x", "}"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		exit := make(chan container.WaitResponse, 1)
		exit <- container.WaitResponse{}
		c := &containers{exit: exit, entries: []entry{line("stdout", body)}, samples: 2}
		i := &images{}
		h := newHandler(parts{
			containers: containerHandlers{c, c, c}, images: imageHandlers{read: i, write: i}, events: eventHandlers{events.NewBus()},
		}, slog.New(slog.NewTextHandler(alarm{t}, &slog.HandlerOptions{Level: slog.LevelError})))
		req, err := http.NewRequest(method, "http://berth"+target, strings.NewReader(body))
		if err != nil || strings.Contains(req.URL.Path, "/events") || strings.Contains(req.URL.Path, "/attach") {
			return
		}
		for _, unwired := range []string{"/info", "/version", "/system", "/volumes", "/networks", "/exec", "/logs"} {
			if strings.Contains(req.URL.Path, unwired) {
				return
			}
		}
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		func() {
			// A reply that is cut off is an answer too.
			defer func() {
				if p := recover(); p != nil && p != http.ErrAbortHandler {
					panic(p)
				}
			}()
			h.ServeHTTP(w, req)
			if w.Code >= 400 && req.Method != http.MethodHead && !strings.HasPrefix(w.Body.String(), `{"message":"`) {
				t.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
			}
		}()
	})
}
