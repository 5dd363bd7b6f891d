package api

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stopping serves handler, sends it each of requests, stops when each is being handled, and returns what the first
// client reads thereafter. A server that does not end within a minute fails the test.
func stopping(t *testing.T, handler http.HandlerFunc, patience time.Duration, requests ...string) string {
	t.Helper()
	began := make(chan struct{}, len(requests))
	s := NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		handler(w, r)
	}), slog.New(slog.DiscardHandler))
	s.patience = patience
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	var first net.Conn
	for _, request := range requests {
		conn, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if first == nil {
			first = conn
		}
		io.WriteString(conn, request)
		<-began
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	text, err := io.ReadAll(first)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// A client that does not read its answer, or does not send what it announced, does not hold up the end.
func TestShutdownDoesNotWaitForClientsThatStall(t *testing.T) {
	stopping(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}, time.Millisecond, "GET /unread HTTP/1.1\r\nHost: x\r\n\r\n", "POST /unsent HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
}

// What takes its time without waiting for the client is answered, with a body or without.
func TestShutdownAnswersWhatTakesLong(t *testing.T) {
	const patience = time.Millisecond
	for _, body := range []string{"", "done"} {
		got := stopping(t, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			<-time.After(10 * patience)
			io.WriteString(w, body)
		}, patience, "POST /stop HTTP/1.1\r\nHost: x\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, "\r\n\r\n"+body) {
			t.Errorf("%q", got)
		}
	}
}
