package registry

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/registry"
)

// DefaultSearchLimit and MaxSearchLimit bound the results of a search.
const (
	DefaultSearchLimit = 25
	MaxSearchLimit     = 100
)

// Search asks the index of a registry, docker.io's unless term begins with
// another registry's name, for repositories. Only the default registry and
// few others can be searched: the interface is that of Docker's registry v1.
func (r *Remote) Search(ctx context.Context, term string, limit int, auth Auth) ([]registry.SearchResult, error) {
	if limit == 0 {
		limit = DefaultSearchLimit
	}
	if limit < 1 || limit > MaxSearchLimit {
		return nil, invalid("Limit %d is outside the range of [1, %d]", limit, MaxSearchLimit)
	}
	domain := dockerHub
	if first, rest, ok := strings.Cut(term, "/"); ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		domain, term = first, rest
	}
	name, err := reference.ParseNormalizedNamed(domain + "/search")
	if err != nil {
		return nil, invalid("%q is not the name of a registry: %v", domain, err)
	}
	ctx, s, err := r.open(ctx, name, auth)
	if err != nil {
		return nil, err
	}
	defer s.close()
	at := &url.URL{Scheme: s.server().Scheme, Host: s.server().Host, Path: "/v1/search"}
	if domain == dockerHub {
		at.Host = "index.docker.io"
	}
	at.RawQuery = url.Values{"q": {strings.TrimPrefix(term, "library/")}, "n": {strconv.Itoa(limit)}}.Encode()
	var found registry.SearchResults
	if _, err := s.getJSON(ctx, at, &found); err != nil {
		if code, _ := answered(err); code == 404 {
			return nil, notFound("registry %s cannot be searched: it has no index", domain)
		}
		return nil, pushProblem(err)
	}
	for i := range found.Results {
		res := &found.Results[i]
		res.Name, res.Description = printable(res.Name), printable(res.Description)
		if domain != dockerHub {
			res.Name = domain + "/" + res.Name
		}
	}
	return found.Results[:min(limit, len(found.Results))], nil
}
