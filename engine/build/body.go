package build

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/util/tracing"
)

// A context that is sent to BuildKit with a request (version=2), instead of being in the
// client's session, is to BuildKit's frontend one that it downloads: from an address that
// nobody else knows, and which is the body of the request.

// bodyHost begins the name of a host that is the body of a request.
const bodyHost = "build-context-"

// uploadRemote is the Remote of a context that another request sends, to uploadID and the build's ID.
const (
	uploadRemote = "upload-request"
	uploadID     = "upload-request:"
)

// uploadWait is how long the two requests wait for each other.
const uploadWait = 5 * time.Second

// bodies are the contexts that were sent and not read yet.
type bodies struct {
	mu      sync.Mutex
	sent    map[string]io.Reader // by host
	uploads map[string]*meeting  // by the ID of the build
}

// meeting is where the requests of one build meet; it is gone when nobody is there.
type meeting struct {
	ch    chan *sentUpload
	users int
}

// sentUpload is a context that a request of its own sends; done is closed when it was read.
type sentUpload struct {
	body io.Reader
	done chan struct{}
}

// offer gives a body an address, until forget is called.
func (b *bodies) offer(body io.Reader) (address string, forget func()) {
	host := bodyHost + newID()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sent == nil {
		b.sent = make(map[string]io.Reader)
	}
	b.sent[host] = body
	return "http://" + host, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.sent, host)
	}
}

// RoundTrip answers with a body if the request is for one, and asks the network otherwise.
func (b *bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Host, bodyHost) {
		return tracing.DefaultTransport.RoundTrip(r)
	}
	b.mu.Lock()
	body := b.sent[r.URL.Host]
	if r.Method == http.MethodGet {
		delete(b.sent, r.URL.Host) // it can be read once
	}
	b.mu.Unlock()
	answer := &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, ContentLength: -1, Request: r,
	}
	switch {
	case body == nil:
		return nil, fmt.Errorf("build context was read before, or its build has ended: %w", errdefs.ErrNotFound)
	case r.Method != http.MethodGet:
		answer.Status, answer.StatusCode = "405 Method Not Allowed", http.StatusMethodNotAllowed
	default:
		answer.Body = io.NopCloser(body)
	}
	return answer, nil
}

// upload is the place where the requests of a build meet, until leave is called.
func (b *bodies) upload(id string) (ch chan *sentUpload, leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.uploads == nil {
		b.uploads = make(map[string]*meeting)
	}
	m := b.uploads[id]
	if m == nil {
		m = &meeting{ch: make(chan *sentUpload)}
		b.uploads[id] = m
	}
	m.users++
	return m.ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if m.users--; m.users == 0 {
			delete(b.uploads, id)
		}
	}
}

// send hands a context to the build that waits for it, and returns when that has ended.
func (b *bodies) send(ctx context.Context, id string, body io.Reader) error {
	s := &sentUpload{body, make(chan struct{})}
	meet, leave := b.upload(id)
	defer leave()
	select {
	case meet <- s:
	case <-time.After(uploadWait):
		return fmt.Errorf("send build context: no build %q waits for one: %w", id, errdefs.ErrNotFound)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await waits for the context of a build; done has to be called after it was read.
func (b *bodies) await(ctx context.Context, id string) (body io.Reader, done func(), err error) {
	meet, leave := b.upload(id)
	defer leave()
	select {
	case s := <-meet:
		return s.body, func() { close(s.done) }, nil
	case <-time.After(uploadWait):
		return nil, nil, fmt.Errorf("build %q: its context was not sent: %w", id, errdefs.ErrInvalidArgument)
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}
