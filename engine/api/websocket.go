package api

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"berth/engine"

	"golang.org/x/net/websocket"
)

// attachWebsocket answers GET /containers/{id}/attach/ws: the connection becomes a websocket that carries the stream of
// the container, without docker's frames, since a message has none. Messages are binary since API 1.28, text before; and
// the streams to attach can be chosen since 1.42, before that all three are.
//
// A websocket is spoken by this process, so unlike a hijacked connection it lives as long as the engine does.
func (c *containerHandlers) attachWebsocket(w http.ResponseWriter, r *http.Request) error {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return invalid("attach/ws is for websockets: the request has no \"Upgrade: websocket\" (POST /containers/{id}/attach takes others)")
	}
	query, version := r.URL.Query(), versionOf(r)
	found, err := c.read.Inspect(r.Context(), r.PathValue("id"), false)
	if err != nil {
		return err
	}
	o := engine.AttachOptions{
		Logs: flag(query, "logs"), Stream: flag(query, "stream"), DetachKeys: query.Get("detachKeys"),
		Stdin: true, Stdout: true, Stderr: true,
	}
	if !version.before(42) {
		o.Stdin, o.Stdout, o.Stderr = flag(query, "stdin"), flag(query, "stdout"), flag(query, "stderr")
	}
	payload := byte(websocket.BinaryFrame)
	if version.before(28) {
		payload = websocket.TextFrame
	}
	var s *stream
	o.Accept = func() (*os.File, []byte, error) {
		var err error
		if s, err = upgrade(w, r, payload); err != nil {
			return nil, nil, err
		}
		return s.file, nil, nil
	}
	err = c.flow.Attach(r.Context(), found.ID, o)
	return s.end(err)
}

// taken is a connection that was taken from the HTTP server already.
type taken struct {
	http.ResponseWriter
	conn     net.Conn
	buffered *bufio.ReadWriter
}

func (t taken) Hijack() (net.Conn, *bufio.ReadWriter, error) { return t.conn, t.buffered, nil }

// upgrade turns the connection of r into a websocket whose messages have the given type, and that into a stream.
func upgrade(w http.ResponseWriter, r *http.Request, payload byte) (*stream, error) {
	// Taken here, since the library panics where it cannot be, and nobody recovers its goroutine.
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("taking the connection for a websocket: %w", err)
	}
	type result struct {
		s   *stream
		err error
	}
	up := make(chan result, 1)
	server := websocket.Server{Handler: func(conn *websocket.Conn) {
		conn.PayloadType = payload
		s, ended, err := relay(conn, nil)
		up <- result{s, err}
		if err == nil {
			<-ended // the library closes the connection when this returns
		}
	}}
	go func() {
		server.ServeHTTP(taken{w, conn, buffered}, r)
		// After a handshake that came off there is a result already.
		select {
		case up <- result{err: errors.New("the websocket handshake did not come off")}:
		default:
		}
	}()
	got := <-up
	return got.s, got.err
}
