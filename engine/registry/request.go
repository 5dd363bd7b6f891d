package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/distribution/reference"
)

// server is the registry itself, behind its mirrors.
func (s *session) server() docker.RegistryHost { return s.hosts[len(s.hosts)-1] }

// get sends one GET and answers a challenge, once. The body is bounded; the
// caller closes it.
func (s *session) get(ctx context.Context, u *url.URL) (*http.Response, error) {
	host := s.server()
	var answers []*http.Response
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, err
		}
		req.Header = host.Header.Clone()
		if req.Header == nil {
			req.Header = make(http.Header)
		}
		req.Header.Set("User-Agent", s.remote.cfg.Agent)
		if host.Authorizer != nil {
			if err := host.Authorizer.Authorize(ctx, req); err != nil {
				return nil, err
			}
		}
		resp, err := host.Client.Do(req)
		if err != nil {
			return nil, err
		}
		answers = append(answers, resp)
		if resp.StatusCode != http.StatusUnauthorized || len(answers) > 1 || host.Authorizer == nil {
			return resp, nil
		}
		discard(resp.Body)
		if err := host.Authorizer.AddResponses(ctx, answers); err != nil {
			return nil, err
		}
	}
}

// url is the address of something at the registry.
func (s *session) url(elem ...string) *url.URL {
	h := s.server()
	return &url.URL{Scheme: h.Scheme, Host: h.Host, Path: path.Join(append([]string{h.Path}, elem...)...)}
}

// getJSON decodes the answer to a GET and returns its header.
func (s *session) getJSON(ctx context.Context, u *url.URL, v any) (http.Header, error) {
	resp, err := s.get(ctx, u)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, remoteerrors.NewUnexpectedStatusErr(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return nil, fmt.Errorf("decode the answer to %s: %w", sanitized(resp.Request), err)
	}
	return resp.Header, nil
}

// maxPages bounds how often a registry may say that there is more of a list.
const maxPages = 1000

// tags are the tags of the repository, in the registry's order.
func (s *session) tags(ctx context.Context) ([]reference.Named, error) {
	ctx = docker.WithScope(ctx, "repository:"+reference.Path(s.repo)+":pull")
	next := s.url(reference.Path(s.repo), "tags", "list")
	var all []reference.Named
	for range maxPages {
		var list struct{ Tags []string }
		header, err := s.getJSON(ctx, next, &list)
		if err != nil {
			return nil, pullProblem(s.repo, err)
		}
		for _, tag := range list.Tags {
			ref, err := reference.WithTag(s.repo, tag)
			if err != nil {
				return nil, invalid("%s has the tag %q: %v", reference.FamiliarName(s.repo), printable(tag), err)
			}
			all = append(all, ref)
		}
		more, err := nextPage(next, header.Get("Link"))
		switch {
		case err != nil:
			return nil, err
		case more == nil && len(all) == 0:
			return nil, notFound("repository %s has no tags", reference.FamiliarName(s.repo))
		case more == nil:
			return all, nil
		case *more == *next:
			return nil, errors.New("the registry's list of tags goes round in a circle")
		}
		next = more
	}
	return nil, invalid("the registry's list of tags of %s has more than %d pages", reference.FamiliarName(s.repo), maxPages)
}

// nextPage reads the Link header of a list (RFC 8288: <URL>; rel="next"). It
// leads nowhere but to the same server.
func nextPage(from *url.URL, link string) (*url.URL, error) {
	target, params, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !ok || !strings.Contains(params, "next") {
		return nil, nil
	}
	u, err := from.Parse(target)
	if err != nil {
		return nil, invalid("the registry's link to more of a list cannot be read: %v", err)
	}
	u.Scheme, u.Host = from.Scheme, from.Host
	return u, nil
}
