package connect

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
)

// maxRefusal bounds what is kept of an answer that refuses, in bytes.
const maxRefusal = 64 << 10

// refusal is the engine's answer to the last request that asked for an upgrade
// (attach, exec) and did not get it. The client library closes the connection
// without reading why ("unable to upgrade to tcp, received 409"), so the
// connection itself keeps the bytes.
type refusal struct {
	mu     sync.Mutex
	status int
	text   string
}

// watch returns conn, which tells r when the engine refuses to upgrade it.
func (r *refusal) watch(conn net.Conn) net.Conn {
	w := &watched{Conn: conn, to: r}
	if c, ok := conn.(closeWriter); ok {
		return &watchedHalf{w, c}
	}
	return w
}

type closeWriter interface{ CloseWrite() error }

// watchedHalf is a watched connection that can end its own direction.
type watchedHalf struct {
	*watched
	half closeWriter
}

func (w *watchedHalf) CloseWrite() error { return w.half.CloseWrite() }

// watched is a connection whose first answer is kept if it is no upgrade.
type watched struct {
	net.Conn
	to *refusal

	mu     sync.Mutex
	asked  bool // the first request asked for an upgrade
	begun  bool // something was written
	kept   []byte
	closed bool
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	if !w.begun {
		w.begun = true
		w.asked = bytes.Contains(b, []byte("\r\nUpgrade: "))
	}
	w.mu.Unlock()
	return w.Conn.Write(b)
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked {
		w.kept = append(w.kept, b[:n]...)
		// A stream of the container's is not kept, and nothing without end.
		if len(w.kept) > maxRefusal || len(w.kept) >= 12 && bytes.HasPrefix(w.kept, []byte("HTTP/1.1 101")) {
			w.asked, w.kept = false, nil
		}
	}
	return n, err
}

// Close reads the rest of a refusal, which has been sent already.
func (w *watched) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked && !w.closed && len(w.kept) > 0 {
		if err := w.Conn.SetReadDeadline(time.Now().Add(time.Second)); err == nil {
			w.to.read(io.MultiReader(bytes.NewReader(w.kept), io.LimitReader(w.Conn, maxRefusal)))
		}
	}
	w.closed = true
	return w.Conn.Close()
}

// read keeps the status and the message of an HTTP answer.
func (r *refusal) read(from io.Reader) {
	resp, err := http.ReadResponse(bufio.NewReader(from), nil)
	if err != nil || resp.StatusCode < http.StatusBadRequest {
		return // no refusal, or not readable: the library's own error stands
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	var m struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &m) != nil || m.Message == "" {
		m.Message = string(bytes.TrimSpace(body))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.text = resp.StatusCode, m.Message
}

// Explain replaces err, which a failed attach or exec returned, by the engine's
// own words with the errdefs kind of its status, when there are any.
func (c *Client) Explain(err error) error {
	c.refusal.mu.Lock()
	defer c.refusal.mu.Unlock()
	if err == nil || c.refusal.text == "" {
		return err
	}
	text := c.refusal.text
	c.refusal.text = ""
	var kind error = cerrdefs.ErrUnknown
	switch c.refusal.status {
	case http.StatusBadRequest:
		kind = cerrdefs.ErrInvalidArgument
	case http.StatusNotFound:
		kind = cerrdefs.ErrNotFound
	case http.StatusConflict:
		kind = cerrdefs.ErrConflict
	case http.StatusInternalServerError:
		kind = cerrdefs.ErrInternal
	}
	return &refused{text: text, kind: kind}
}

// refused reads as the engine's message and matches its errdefs kind.
type refused struct {
	text string
	kind error
}

func (e *refused) Error() string        { return e.text }
func (e *refused) Is(target error) bool { return errors.Is(e.kind, target) }
