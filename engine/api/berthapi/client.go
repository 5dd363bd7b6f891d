package berthapi

import (
	"bufio"
	"bytes"
	"cmp"
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

// Part is a piece of a tree; the zero value is all of it.
type Part struct {
	Dir   string // at and below this directory
	Depth int    // 1: only what is directly in Dir, 2: and one level more; 0: everything
	After string // what follows this path
	Limit int    // at most so many entries; 0: all
}

// query adds the piece to a request.
func (p Part) query(query url.Values) url.Values {
	for name, text := range map[string]string{"dir": p.Dir, "after": p.After} {
		if text != "" {
			query.Set(name, text)
		}
	}
	for name, n := range map[string]int{"depth": p.Depth, "limit": p.Limit} {
		if n > 0 {
			query.Set(name, strconv.Itoa(n))
		}
	}
	return query
}

// Entries yields what layer n of the image ref holds, ordered by path; with union, the whole tree that a container
// on layer n would see, each entry with what layer n did to it. The iteration ends after the first error.
func (c *Client) Entries(ctx context.Context, ref string, n int, union bool) iter.Seq2[Entry, error] {
	return c.EntriesOf(ctx, ref, n, union, Part{})
}

// EntriesOf is Entries for a piece of the tree.
func (c *Client) EntriesOf(ctx context.Context, ref string, n int, union bool, part Part) iter.Seq2[Entry, error] {
	query := url.Values{}
	if union {
		query.Set("union", "1")
	}
	return lines[Entry](ctx, c, layerPath(ref, n)+"/entries", part.query(query))
}

// longestLine bounds what an engine can make a client hold, in bytes: two of the longest paths that a tree can have.
const longestLine = 64 << 20

// lines reads an answer that is a line of JSON each.
func lines[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		body, err := c.get(ctx, path, query)
		if err != nil {
			yield(none, err)
			return
		}
		defer body.Close()
		sc := bufio.NewScanner(body)
		for sc.Buffer(nil, longestLine); sc.Scan(); {
			var line T
			var failed Failed
			if bytes.HasPrefix(sc.Bytes(), []byte(`{"error":`)) {
				if err = json.Unmarshal(sc.Bytes(), &failed); err == nil {
					yield(none, errors.New(failed.Error))
					return
				}
			} else if err = json.Unmarshal(sc.Bytes(), &line); err == nil {
				if raw, ok := any(&line).(interface{ restore() }); ok {
					raw.restore()
				}
				if !yield(line, nil) {
					return
				}
				continue
			}
			// Half a line is of an answer that was cut off: that is the reason then.
			yield(none, fmt.Errorf("reading the engine's answer to %s: %w", path, cmp.Or(sc.Err(), err)))
			return
		}
		if err := sc.Err(); err != nil {
			yield(none, fmt.Errorf("reading the engine's answer to %s: %w", path, err))
		}
	}
}

// LayerFile opens the regular file path as layer n of the image ref holds it.
func (c *Client) LayerFile(ctx context.Context, ref string, n int, path string) (io.ReadCloser, error) {
	return c.get(ctx, layerPath(ref, n)+"/file", url.Values{"path": {path}})
}

// LayerTar opens layer n of the image ref as the tar that its DiffID is the digest of.
func (c *Client) LayerTar(ctx context.Context, ref string, n int) (io.ReadCloser, error) {
	return c.get(ctx, layerPath(ref, n)+"/archive", nil)
}

// Waste returns what the image ref carries and nobody can see.
func (c *Client) Waste(ctx context.Context, ref string) (Waste, error) {
	var w Waste
	return w, c.json(ctx, imagePath(ref)+"/waste", nil, &w)
}

// TreeEntries yields a piece of a tree, ordered by path, each entry with what the topmost layer of the tree did to it;
// with union, without what that deleted.
func (c *Client) TreeEntries(ctx context.Context, tree string, union bool, part Part) iter.Seq2[Entry, error] {
	query := url.Values{}
	if union {
		query.Set("union", "1")
	}
	return lines[Entry](ctx, c, treePath(tree)+"/entries", part.query(query))
}

// TreeFile opens a regular file of a tree; links are followed.
func (c *Client) TreeFile(ctx context.Context, tree, path string) (io.ReadCloser, error) {
	return c.get(ctx, treePath(tree)+"/file", url.Values{"path": {path}})
}

// TreeArchive opens a file or directory of a tree, with all that is in it, as a tar.
func (c *Client) TreeArchive(ctx context.Context, tree, path string) (io.ReadCloser, error) {
	return c.get(ctx, treePath(tree)+"/archive", url.Values{"path": {path}})
}

// DiffOptions tune Diff.
type DiffOptions struct {
	Dir         string // at and below this directory only
	IgnoreTimes bool   // another time alone is no difference
}

// Diff yields the paths at which two trees differ, ordered by path. The iteration ends after the first error.
func (c *Client) Diff(ctx context.Context, from, to string, o DiffOptions) iter.Seq2[Difference, error] {
	query := url.Values{"from": {from}, "to": {to}}
	if o.Dir != "" {
		query.Set("dir", o.Dir)
	}
	if o.IgnoreTimes {
		query.Set("ignore-times", "1")
	}
	return lines[Difference](ctx, c, "/berth/diff", query)
}

// FileDiff opens the unified diff of a file between two trees; it is empty if there is no difference.
func (c *Client) FileDiff(ctx context.Context, from, to, path string) (io.ReadCloser, error) {
	return c.get(ctx, "/berth/diff/file", url.Values{"from": {from}, "to": {to}, "path": {path}})
}

// Changes yields what the container id changed against its image, parents first. The iteration ends after the first
// error.
func (c *Client) Changes(ctx context.Context, id string) iter.Seq2[Change, error] {
	return lines[Change](ctx, c, containerPath(id)+"/changes", nil)
}

// ContainerFile opens the regular file path as the container id sees it now.
func (c *Client) ContainerFile(ctx context.Context, id, path string) (io.ReadCloser, error) {
	return c.get(ctx, containerPath(id)+"/file", url.Values{"path": {path}})
}

func imagePath(ref string) string        { return "/berth/images/" + url.PathEscape(ref) }
func layerPath(ref string, n int) string { return imagePath(ref) + "/layers/" + strconv.Itoa(n) }
func treePath(tree string) string        { return "/berth/trees/" + url.PathEscape(tree) }
func containerPath(id string) string     { return "/berth/containers/" + url.PathEscape(id) }
func (c *Client) json(ctx context.Context, path string, query url.Values, into any) error {
	body, err := c.get(ctx, path, query)
	if err != nil {
		return err
	}
	return decode(body, path, into)
}

// decode reads the answer to path into into, and closes it.
func decode(body io.ReadCloser, path string, into any) error {
	defer body.Close()
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("reading the engine's answer to %s: %w", path, err)
	}
	return nil
}

// get returns the body of a good answer; path is escaped already.
func (c *Client) get(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	return c.send(ctx, http.MethodGet, path, query)
}

// post sends in as JSON and reads the answer into into.
func (c *Client) post(ctx context.Context, path string, in, into any) error {
	text, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("asking the engine for %s: %w", path, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://berth"+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("asking the engine for %s: %w", path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	body, err := c.do(req)
	if err != nil {
		return err
	}
	return decode(body, path, into)
}

func (c *Client) send(ctx context.Context, method, path string, query url.Values) (io.ReadCloser, error) {
	target := "http://berth" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the engine for %s: %w", path, err)
	}
	return c.do(req)
}

// do returns the body of a good answer.
func (c *Client) do(req *http.Request) (io.ReadCloser, error) {
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
