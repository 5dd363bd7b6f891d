// Package download gets what an URL names for the engine: archives to import, contexts
// to build. A server that falls silent is given up, so none can hold the engine for good.
package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"berth/engine/registry"

	"github.com/containerd/errdefs"
)

var web = &http.Client{Transport: registry.Watched(http.DefaultTransport, registry.DefaultSilence)}

// Open asks for what is at address. The answer of the server decides the kind of an error,
// in docker's way. Whoever gets a response closes its body.
func Open(ctx context.Context, address string) (*http.Response, error) {
	return open(ctx, web, address)
}

func open(ctx context.Context, by *http.Client, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errdefs.ErrInvalidArgument.WithMessage(err.Error())
	}
	// Compressed by whom the archive was made, not for the way here.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := by.Do(req)
	if err != nil {
		return nil, unreached(address, err)
	}
	if resp.StatusCode < http.StatusBadRequest {
		return resp, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // only to say more
	said := fmt.Sprintf("failed to GET %s with status %s: %s", address, resp.Status, strings.TrimSpace(string(text)))
	switch resp.StatusCode {
	case http.StatusNotFound:
		return nil, errdefs.ErrNotFound.WithMessage(said)
	case http.StatusBadRequest:
		return nil, errdefs.ErrInvalidArgument.WithMessage(said)
	case http.StatusUnauthorized:
		return nil, errdefs.ErrUnauthenticated.WithMessage(said)
	case http.StatusForbidden:
		return nil, errdefs.ErrPermissionDenied.WithMessage(said)
	}
	return nil, errdefs.ErrUnknown.WithMessage(said)
}

// unreached is why there was no answer: err says what was asked, and so may what it is about.
func unreached(address string, err error) error {
	if of := (*url.Error)(nil); errors.As(err, &of) {
		err = of.Err
	}
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) && !dns.IsTimeout {
		return errdefs.ErrNotFound.WithMessage(fmt.Sprintf("failed to GET %s: %v", address, dns))
	}
	if errdefs.IsUnavailable(err) {
		return err // of a server that is silent; it says which
	}
	return errdefs.ErrUnavailable.WithMessage(fmt.Sprintf("failed to GET %s: %v", address, err))
}
