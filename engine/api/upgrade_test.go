package api

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/websocket"
)

// kept is a connection that cannot be taken from the server.
type kept struct{ *httptest.ResponseRecorder }

func (kept) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, errors.New("it stays") }

// A connection that cannot become a websocket is an error, not the end of the engine.
func TestUpgradeOfWhatCannotBeTaken(t *testing.T) {
	for want, w := range map[string]http.ResponseWriter{
		"it stays":      kept{httptest.NewRecorder()},
		"not supported": httptest.NewRecorder(),
	} {
		r := httptest.NewRequest(http.MethodGet, "/containers/x/attach/ws", nil)
		if s, err := upgrade(w, r, websocket.BinaryFrame); s != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want %q", s, err, want)
		}
	}
}
