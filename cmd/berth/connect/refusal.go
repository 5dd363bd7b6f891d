package connect

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
)

// refusal keeps the engine's answer to the last request that asked for an
// upgrade (attach, exec) and did not get it.
type refusal struct {
	mu     sync.Mutex
	status int
	text   string
}

// look is a response hook: it reads the error that comes instead of an upgrade.
func (r *refusal) look(resp *http.Response) {
	if resp.Request == nil || resp.Request.Header.Get("Upgrade") == "" || resp.StatusCode == http.StatusSwitchingProtocols {
		return
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return // the library's own error says that the connection broke
	}
	var m struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &m) != nil || m.Message == "" {
		m.Message = string(body)
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
