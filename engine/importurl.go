package engine

import (
	"context"
	"io"
	"net/url"
	"strings"

	"berth/engine/download"

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
	resp, err := download.Open(ctx, full)
	if err != nil {
		return Download{}, err // in docker's words
	}
	return Download{Body: resp.Body, Size: resp.ContentLength, URL: full}, nil
}
