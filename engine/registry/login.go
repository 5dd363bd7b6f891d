package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
)

// hubAddress is what docker's clients call the default registry when it is
// about credentials.
const hubAddress = "https://index.docker.io/v1/"

// domainOf is the registry that an address of credentials means
// ("https://index.docker.io/v1/", "localhost:5000", "https://r.example/v2/").
func domainOf(address string) (string, error) {
	if address == "" || address == hubAddress {
		return dockerHub, nil
	}
	host := address
	if _, after, ok := strings.Cut(address, "://"); ok {
		host = after
	}
	host, _, _ = strings.Cut(host, "/")
	if host == "index.docker.io" {
		host = dockerHub
	}
	if _, err := url.Parse("https://" + host); err != nil || host == "" {
		return "", invalid("%q is not the address of a registry", address)
	}
	return host, nil
}

// Login tries credentials on their registry. It returns an identity token to
// use instead of the password, if the registry gives such. Wrong credentials
// are of kind Unauthenticated.
func (r *Remote) Login(ctx context.Context, auth Auth) (identityToken string, err error) {
	domain, err := domainOf(auth.ServerAddress)
	if err != nil {
		return "", err
	}
	name, err := reference.ParseNormalizedNamed(domain + "/login")
	if err != nil {
		return "", invalid("%q is not the address of a registry: %v", auth.ServerAddress, err)
	}
	ctx, s, err := r.open(ctx, name, auth)
	if err != nil {
		return "", err
	}
	defer s.close()
	host := &s.hosts[len(s.hosts)-1]
	host.Authorizer = docker.NewDockerAuthorizer(docker.WithAuthClient(host.Client), docker.WithAuthHeader(http.Header{"User-Agent": {r.cfg.Agent}}),
		docker.WithAuthCreds(func(string) (string, string, error) { return secret(auth) }),
		docker.WithFetchRefreshToken(func(_ context.Context, token string, _ *http.Request) { identityToken = token }))
	at := s.url()
	at.Path += "/"
	resp, err := s.get(ctx, at)
	var status remoteerrors.ErrUnexpectedStatus
	var asked *url.Error
	switch {
	case errors.As(err, &status) && status.StatusCode < 500: // of the token server
		return "", refused(status.RequestURL, status.Status)
	case errors.Is(err, docker.ErrInvalidAuthorization):
		return "", refused(at.String(), "401 Unauthorized")
	case errors.As(err, &asked):
		return "", unreachable(asked)
	case err != nil:
		return "", fmt.Errorf("login to %s: %w", domain, err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", refused(resp.Request.URL.String(), resp.Status)
	}
	return identityToken, nil
}

// refused is docker's text for credentials that are not taken.
func refused(at, status string) error {
	at, _, _ = strings.Cut(at, "?")
	return &problem{text: fmt.Sprintf("login attempt to %s failed with status: %s", at, status), kind: errdefs.ErrUnauthenticated}
}
