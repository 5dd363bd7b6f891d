package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// headerTimeout bounds the time a client may take to send the head of a request. There is no limit on the whole
// request: a load or an attach may take days.
const headerTimeout = 30 * time.Second

// Server serves the API on any number of listeners and knows how many clients it has.
//
// Shutdown ends what would never end (events, logs -f, wait, stats) and lets everything else finish. Streams of attach
// and exec are not cut: their connections belong to the shims by then.
type Server struct {
	http http.Server
	end  context.CancelFunc

	mu    sync.Mutex
	busy  map[net.Conn]struct{}
	since time.Time
}

// NewServer returns a server of handler.
func NewServer(handler http.Handler, log *slog.Logger) *Server {
	ctx, end := context.WithCancel(context.Background())
	s := &Server{end: end, busy: map[net.Conn]struct{}{}, since: time.Now()}
	s.http = http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		// A hijacked connection is not the server's any more, so that this ends HTTP requests only.
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState:   s.track,
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers on l until Shutdown or Close, then returns nil. It closes l.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the API on %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown stops accepting, ends open-ended requests and waits until the others are answered or ctx ends, when it
// closes what is left and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.end()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("waiting for the last requests to end: %w", err), s.http.Close())
	}
	return nil
}

// Clients is the number of connections with a request under way. A connection that a client merely keeps open, and
// one that has become the stream of a shim, do not count.
func (s *Server) Clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.busy)
}

// IdleSince is when the last client went, or the time of the call while there is one.
func (s *Server) IdleSince() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.busy) > 0 {
		return time.Now()
	}
	return s.since
}

// track counts the connections that are being served.
func (s *Server) track(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateActive:
		s.busy[conn] = struct{}{}
	case http.StateIdle, http.StateHijacked, http.StateClosed:
		if _, ok := s.busy[conn]; ok {
			delete(s.busy, conn)
			s.since = time.Now()
		}
	}
}
