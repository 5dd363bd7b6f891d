package berthapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// maxError bounds what is read of an error reply, in bytes.
const maxError = 64 << 10

// Client asks an engine for what only berth's answers. It is safe for concurrent use.
type Client struct {
	http http.Client
}

// NewClient returns a client that reaches the engine the way c does (unix socket, tcp, tls, ssh).
func NewClient(c *client.Client) *Client {
	dial := c.Dialer()
	connect := func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	// The dialer of c has done TLS already where the engine wants it, so that the URL is http always.
	return &Client{http: http.Client{Transport: &http.Transport{DialContext: connect, MaxIdleConns: 4, Proxy: nil}}}
}

// Close drops the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Layers returns the history of the image ref, oldest step first. The kind NotFound means that there is no such image.
func (c *Client) Layers(ctx context.Context, ref string) ([]Layer, error) {
	var layers []Layer
	return layers, c.json(ctx, imagePath(ref)+"/layers", nil, &layers)
}

// Entries yields what layer n of the image ref holds, ordered by path; with union, the whole tree that a container
// on layer n would see, each entry with what layer n did to it. The iteration ends after the first error.
func (c *Client) Entries(ctx context.Context, ref string, n int, union bool) iter.Seq2[Entry, error] {
	query := url.Values{}
	if union {
		query.Set("union", "1")
	}
	return func(yield func(Entry, error) bool) {
		body, err := c.get(ctx, layerPath(ref, n)+"/entries", query)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer body.Close()
		for dec := json.NewDecoder(body); ; {
			var e Entry
			switch err := dec.Decode(&e); {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(Entry{}, fmt.Errorf("reading the entries of layer %d of %s: %w", n, ref, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// LayerFile opens the regular file path as layer n of the image ref holds it.
func (c *Client) LayerFile(ctx context.Context, ref string, n int, path string) (io.ReadCloser, error) {
	return c.get(ctx, layerPath(ref, n)+"/file", url.Values{"path": {path}})
}

// Changes returns what the container id changed against its image.
func (c *Client) Changes(ctx context.Context, id string) (Changes, error) {
	var changes Changes
	return changes, c.json(ctx, containerPath(id)+"/changes", nil, &changes)
}

// ContainerFile opens the regular file path as the container id sees it now.
func (c *Client) ContainerFile(ctx context.Context, id, path string) (io.ReadCloser, error) {
	return c.get(ctx, containerPath(id)+"/file", url.Values{"path": {path}})
}

func imagePath(ref string) string        { return "/berth/images/" + url.PathEscape(ref) }
func layerPath(ref string, n int) string { return imagePath(ref) + "/layers/" + strconv.Itoa(n) }
func containerPath(id string) string     { return "/berth/containers/" + url.PathEscape(id) }
func (c *Client) json(ctx context.Context, path string, query url.Values, into any) error {
	body, err := c.get(ctx, path, query)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("reading the engine's answer to %s: %w", path, err)
	}
	return nil
}

// get returns the body of a good answer; path is escaped already.
func (c *Client) get(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	target := "http://berth" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the engine for %s: %w", path, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the engine: %w", err)
	}
	if resp.Header.Get(Header) == "" {
		resp.Body.Close()
		return nil, ErrUnsupported
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, answered(resp)
	}
	return resp.Body, nil
}

// answered turns an error reply into an error of the matching kind of errdefs, with the engine's own words.
func answered(resp *http.Response) error {
	var reply struct{ Message string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxError)).Decode(&reply); err != nil || reply.Message == "" {
		reply.Message = "the engine answered " + resp.Status
	}
	kind, ok := kinds[resp.StatusCode]
	if !ok {
		kind = errdefs.ErrUnknown
	}
	return &replyError{message: reply.Message, kind: kind}
}

// kinds are the statuses that the /berth/ routes answer with.
var kinds = map[int]error{
	http.StatusBadRequest:          errdefs.ErrInvalidArgument,
	http.StatusForbidden:           errdefs.ErrPermissionDenied,
	http.StatusNotFound:            errdefs.ErrNotFound,
	http.StatusConflict:            errdefs.ErrConflict,
	http.StatusInternalServerError: errdefs.ErrInternal,
	http.StatusNotImplemented:      errdefs.ErrNotImplemented,
	http.StatusServiceUnavailable:  errdefs.ErrUnavailable,
}

// replyError shows only the engine's words, and is of one kind of errdefs.
type replyError struct {
	message string
	kind    error
}

func (e *replyError) Error() string { return e.message }
func (e *replyError) Unwrap() error { return e.kind }
