package api

import (
	"io"
	"net"
	"net/http"
	"time"
)

// stallPatience is how long a client may let the server wait for it to read or write, once the server stops.
const stallPatience = time.Second

// hurryAll bounds the reads and writes that are under way: the end of a request's context does not wake a handler that
// waits for its client.
func (s *Server) hurryAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.busy {
		s.hurry(conn)
	}
}

// hurry bounds the next read and write of conn; the caller holds mu. A connection that becomes a stream later on loses
// the bound again (see takeover).
func (s *Server) hurry(conn net.Conn) {
	// It fails for a connection that is closed, which needs no bound.
	_ = conn.SetDeadline(time.Now().Add(s.patience))
}

// hurried has next serve r. Once the server stops, each read and write has s.patience anew, so that nothing is cut off
// for the time that its work takes, but for that of its client alone.
func (s *Server) hurried(next http.Handler, w http.ResponseWriter, r *http.Request) {
	conn, ok := r.Context().Value(connKey{}).(net.Conn)
	if !ok {
		next.ServeHTTP(w, r)
		return
	}
	renew := func() {
		if r.Context().Err() == nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.busy[conn]; ok && s.stopping {
			s.hurry(conn)
		}
	}
	inner := r.WithContext(r.Context())
	if r.Body != nil && r.Body != http.NoBody {
		inner.Body = hurriedBody{r.Body, renew}
	}
	next.ServeHTTP(hurriedWriter{w, renew}, inner)
	renew() // for what net/http sends at the end
}

// hurriedBody is the body of a request that calls renew before it waits for the client.
type hurriedBody struct {
	io.ReadCloser
	renew func()
}

func (b hurriedBody) Read(p []byte) (int, error) {
	b.renew()
	return b.ReadCloser.Read(p)
}

// hurriedWriter is the same for an answer.
type hurriedWriter struct {
	http.ResponseWriter
	renew func()
}

func (w hurriedWriter) Write(p []byte) (int, error) {
	w.renew()
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController, by which handlers flush and hijack.
func (w hurriedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
