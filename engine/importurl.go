package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/containerd/errdefs"
)

// Download is an archive that is being fetched from a web server.
type Download struct {
	Body io.ReadCloser
	Size int64  // -1 if the server does not tell
	URL  string // in full
}

// Fetch opens the archive to import that an URL names; without a scheme it is of HTTP, as for docker. What the server
// answers decides the kind of an error.
func (is *Images) Fetch(ctx context.Context, src string) (Download, error) {
	full := src
	if !strings.Contains(src, "://") {
		full = "http://" + src
	}
	u, err := url.Parse(full)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Download{}, kind(errdefs.ErrInvalidArgument, "cannot import from %q: it is neither - nor the URL of an archive (http://… or https://…)", src)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, full, nil)
	if err != nil {
		return Download{}, kind(errdefs.ErrInvalidArgument, "cannot import from %q: %v", src, err)
	}
	// Compressed by whom the archive was made, not for the way here.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) && !dns.IsTimeout {
		return Download{}, kind(errdefs.ErrNotFound, "cannot import from %s: %v", full, dns)
	}
	if err != nil {
		return Download{}, kind(errdefs.ErrUnavailable, "cannot import: %v", err)
	}
	if resp.StatusCode < http.StatusBadRequest {
		return Download{Body: resp.Body, Size: resp.ContentLength, URL: full}, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // only to say more
	var of error = errdefs.ErrUnknown
	switch resp.StatusCode {
	case http.StatusNotFound:
		of = errdefs.ErrNotFound
	case http.StatusBadRequest:
		of = errdefs.ErrInvalidArgument
	case http.StatusUnauthorized:
		of = errdefs.ErrUnauthenticated
	case http.StatusForbidden:
		of = errdefs.ErrPermissionDenied
	}
	return Download{}, kind(of, "failed to GET %s with status %s: %s", full, resp.Status, strings.TrimSpace(string(text)))
}
