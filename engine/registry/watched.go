package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/containerd/errdefs"
)

// Watched sends requests through next, and gives up on a server that does not
// begin its answer, or stops in the middle of it, for as long as silence. There
// is no bound on how long a transfer may take, nor on how long we take with what
// has arrived. The error is of kind Unavailable.
func Watched(next http.RoundTripper, silence time.Duration) http.RoundTripper {
	return &watched{next, silence}
}

type watched struct {
	next  http.RoundTripper
	after time.Duration
}

func (t *watched) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &watch{ctx: ctx, after: t.after, what: sanitized(req)}
	w.timer = time.AfterFunc(t.after, func() { cancel(errSilent) })
	req = req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		// While the request is on its way it is not for the server to speak.
		req.Body = &sentBody{req.Body, w}
	}
	resp, err := t.next.RoundTrip(req)
	w.timer.Stop()
	if err != nil {
		cancel(nil)
		return nil, w.reason(err)
	}
	resp.Body = &heardBody{resp.Body, w, cancel}
	return resp, nil
}

var errSilent = errors.New("silent")

// watch is that of one request.
type watch struct {
	ctx   context.Context
	timer *time.Timer
	after time.Duration
	what  string
}

// reason is why a request ended with err.
func (w *watch) reason(err error) error {
	var record tls.RecordHeaderError
	switch {
	case errors.Is(context.Cause(w.ctx), errSilent):
		return &problem{fmt.Sprintf("%s: the server has sent nothing for %s", w.what, w.after), errdefs.ErrUnavailable, err}
	case errors.As(err, &record):
		// Not every server's complaint about TLS begins like an answer of HTTP.
		// By this sign the fallback to plain HTTP, where one is allowed, knows it.
		record.RecordHeader = [5]byte([]byte("HTTP/"))
		return record
	}
	return err
}

// sentBody is the body of a request.
type sentBody struct {
	io.ReadCloser
	w *watch
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.w.timer.Stop()
	n, err := b.ReadCloser.Read(p)
	b.w.timer.Reset(b.w.after)
	return n, err
}

// heardBody is the body of an answer.
type heardBody struct {
	io.ReadCloser
	w      *watch
	cancel context.CancelCauseFunc
}

func (b *heardBody) Read(p []byte) (int, error) {
	b.w.timer.Reset(b.w.after)
	n, err := b.ReadCloser.Read(p)
	b.w.timer.Stop()
	if err != nil && err != io.EOF {
		err = b.w.reason(err)
	}
	return n, err
}

func (b *heardBody) Close() error {
	b.w.timer.Stop()
	b.cancel(nil)
	return b.ReadCloser.Close()
}
