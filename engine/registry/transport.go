package registry

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
)

// maxDocument bounds manifests, configs, tokens and lists, in bytes
// (distribution-spec: registries should take manifests up to 4 MiB).
const maxDocument = 4 << 20

// How often a request that was not answered as it should be is sent again,
// and the longest time that a registry may ask us to wait for that.
const (
	requestRetries = 2
	maxRetryAfter  = 30 * time.Second
)

// DefaultSilence is how long a server may send nothing when it is to answer.
// Some registries move a large blob to where it belongs before they confirm it.
const DefaultSilence = 2 * time.Minute

// idler has connections that it keeps for the next request.
type idler interface{ CloseIdleConnections() }

// tame gives a client our limits, and adds what holds its connections to kept: nobody could ask the client itself to
// let them go, through all that comes around its transport. It may be called twice for one client.
func (r *Remote) tame(c *http.Client, kept *[]idler) error {
	if _, done := c.Transport.(*transport); done {
		return nil
	}
	if t, ok := c.Transport.(idler); ok {
		*kept = append(*kept, t)
	}
	c.Transport = &transport{next: Watched(c.Transport, r.cfg.Silence), delay: r.cfg.RetryDelay}
	c.CheckRedirect = checkRedirect
	return nil
}

// checkRedirect lets a registry send us elsewhere, as those do that keep their
// blobs in a cloud, but not with what was meant for the registry: net/http
// would pass credentials on to sub-domains and other ports of a host.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	from := via[0].URL
	if req.URL.Host != from.Host || req.URL.Scheme != from.Scheme {
		for _, h := range []string{"Authorization", "Proxy-Authorization", "Cookie"} {
			req.Header.Del(h)
		}
	}
	return nil
}

// transport sends requests again after answers that are only temporary, and
// bounds what an answer may hold.
type transport struct {
	next  http.RoundTripper
	delay time.Duration
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	delay := t.delay
	for try := 0; ; try++ {
		resp, err := t.next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		wait, again := retryable(req, resp, delay)
		if !again || try == requestRetries {
			resp = t.explained(req, resp)
			if resp.StatusCode == http.StatusTooManyRequests {
				// As an error, so that nobody above tries yet again.
				defer resp.Body.Close()
				return nil, remoteerrors.NewUnexpectedStatusErr(resp)
			}
			if isPage(req, resp) {
				discard(resp.Body)
				return nil, errPage
			}
			return bounded(req, resp)
		}
		discard(resp.Body)
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
		delay *= 2
	}
}

// explained is an answer with the words in which a registry refuses: to a HEAD it says
// none, so it is asked once more.
func (t *transport) explained(req *http.Request, resp *http.Response) *http.Response {
	if req.Method != http.MethodHead || resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
		return resp
	}
	again := req.Clone(req.Context())
	again.Method = http.MethodGet
	full, err := t.next.RoundTrip(again)
	if err != nil {
		return resp // it says enough
	}
	if full.StatusCode != resp.StatusCode {
		full.Body.Close()
		return resp
	}
	full.Request = req
	return full
}

// errPage is the error of an answer from somebody else than a registry.
var errPage = errors.New("it answers with a web page")

// isPage tells whether what answers is somebody else than a registry, say a proxy that
// wants to be logged in to: it would be taken to have all that it is asked about.
func isPage(req *http.Request, resp *http.Response) bool {
	return req.Method == http.MethodHead && resp.StatusCode == http.StatusOK && strings.Contains(req.URL.Path, "/v2/") &&
		strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") && resp.Header.Get("Docker-Content-Digest") == ""
}

// retryable tells whether and when a request is worth sending again.
func retryable(req *http.Request, resp *http.Response, delay time.Duration) (time.Duration, bool) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return 0, false // a body cannot be sent twice
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0, false
	}
	if after := resp.Header.Get("Retry-After"); after != "" {
		if n, err := strconv.Atoi(after); err == nil && n >= 0 {
			delay = time.Duration(min(n, 1<<20)) * time.Second
		} else if at, err := http.ParseTime(after); err == nil {
			delay = max(0, time.Until(at))
		}
		// A pull limit lasts for hours: that is for the user to know, now.
		return delay, delay <= maxRetryAfter
	}
	return delay, true
}

// sleep waits about d (so that many who wait do not come back as one), or
// until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d + time.Duration(rand.Int64N(int64(d)/4+1)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// discard reads the rest of a small answer, so that its connection can be
// used again.
func discard(body io.ReadCloser) {
	io.CopyN(io.Discard, body, 64<<10) // an error has no consequence
	body.Close()
}

// blobSize is the key of the size of the blob that a request asks for.
type blobSize struct{}

// bounded keeps an answer from having no end.
func bounded(req *http.Request, resp *http.Response) (*http.Response, error) {
	most := int64(maxDocument)
	if size, ok := req.Context().Value(blobSize{}).(int64); ok {
		most = max(most, size)
	}
	if resp.ContentLength > most && strings.Contains(req.URL.Path, "/manifests/") {
		resp.Body.Close()
		return nil, invalid("%s: the manifest is said to have %d bytes: more than %d are refused", sanitized(req), resp.ContentLength, most)
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: most, most: most, what: sanitized(req)}
	return resp, nil
}

// boundedBody is a body of at most so many bytes.
type boundedBody struct {
	io.ReadCloser
	left, most int64
	what       string
}

func (b *boundedBody) Read(p []byte) (int, error) {
	// One byte more is asked for than may come, to see that there is one.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, invalid("%s: the answer is larger than %d bytes", b.what, b.most)
	}
	return n, err
}

// sanitized is a request for people to read: queries hold signatures and
// tokens.
func sanitized(req *http.Request) string {
	u := *req.URL
	u.RawQuery, u.User = "", nil
	method := req.Method
	return method[:1] + strings.ToLower(method[1:]) + " " + strconv.Quote(u.String())
}
