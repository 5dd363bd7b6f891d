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
// Shutdown ends what would never end (events, logs -f, wait, stats, clients that neither read nor write) and lets
// everything else finish. Streams of attach and exec are not cut: their connections belong to the shims by then.
type Server struct {
	http http.Server
	end  context.CancelFunc

	serving sync.WaitGroup // calls of Serve

	mu        sync.Mutex
	listeners []net.Listener
	stopping  bool
	fresh     map[net.Conn]struct{} // accepted or asked anew, not yet in the handler
	busy      map[net.Conn]struct{}
	patience  time.Duration // see hurry
	since     time.Time
	changed   chan struct{} // closed and made anew when fresh shrinks
	idle      *time.Timer   // runs while busy is empty; nil unless WhenIdle was called
	idleAfter time.Duration
}

// NewServer returns a server of handler.
func NewServer(handler http.Handler, log *slog.Logger) *Server {
	ctx, end := context.WithCancel(context.Background())
	s := &Server{
		end: end, patience: stallPatience, since: time.Now(), changed: make(chan struct{}),
		fresh: map[net.Conn]struct{}{}, busy: map[net.Conn]struct{}{},
	}
	s.http = http.Server{
		Handler:           s.enter(handler),
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
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
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return l.Close()
	}
	s.listeners = append(s.listeners, l)
	s.serving.Add(1)
	s.mu.Unlock()
	defer s.serving.Done()

	err := s.http.Serve(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving the API on %s: %w", l.Addr(), err)
}

// Shutdown stops accepting, ends open-ended requests and waits until the others are answered or ctx ends, when it
// closes what is left and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopAccepting(ctx)
	s.end()
	s.hurryAll()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("waiting for the last requests to end: %w", err), s.http.Close())
	}
	return nil
}

// freshPatience is how long a client that has connected may take to ask, once the server stops.
const freshPatience = time.Second

// stopAccepting closes the listeners and waits until every connection that was accepted has brought its request:
// net/http drops those whose request is not in the handler when its own Shutdown begins.
func (s *Server) stopAccepting(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	for _, l := range s.listeners {
		l.Close() // it does not matter why it is closed already
	}
	s.mu.Unlock()
	s.serving.Wait()

	patience := time.NewTimer(freshPatience)
	defer patience.Stop()
	for {
		s.mu.Lock()
		n, changed := len(s.fresh), s.changed
		s.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-changed:
		case <-patience.C:
			return
		case <-ctx.Done():
			return
		}
	}
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

// WhenIdle has f called each time that no client has been there for so long. It is called before Serve.
func (s *Server) WhenIdle(after time.Duration, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle, s.idleAfter = time.AfterFunc(after, f), after
}

// track counts the connections that are being served.
func (s *Server) track(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew, http.StateActive:
		s.fresh[conn] = struct{}{}
	default:
		s.settle(conn)
	}
	switch state {
	case http.StateActive:
		s.busy[conn] = struct{}{}
		if s.idle != nil {
			s.idle.Stop()
		}
	case http.StateIdle, http.StateHijacked, http.StateClosed:
		if _, ok := s.busy[conn]; ok {
			delete(s.busy, conn)
			s.since = time.Now()
			if s.idle != nil && len(s.busy) == 0 {
				s.idle.Reset(s.idleAfter)
			}
		}
	}
}

// connKey is where a request's context has its connection.
type connKey struct{}

// enter tells apart a request that the handler has from one that net/http may still drop.
func (s *Server) enter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			s.mu.Lock()
			s.settle(conn)
			s.mu.Unlock()
		}
		s.hurried(next, w, r)
	})
}

// settle says that conn is not fresh any more; the caller holds mu.
func (s *Server) settle(conn net.Conn) {
	if _, ok := s.fresh[conn]; ok {
		delete(s.fresh, conn)
		close(s.changed)
		s.changed = make(chan struct{})
	}
}
