package build

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/moby/api/types/registry"
	"google.golang.org/grpc"
)

// keyring answers BuildKit's questions for credentials. Tokens it does not fetch: BuildKit does that itself then.
type keyring struct {
	auth.UnimplementedAuthServer
	get func(host string) (registry.AuthConfig, error)
}

// Credentials puts credentials into a session; get finds those for the host of a
// registry, empty ones if there are none.
func Credentials(get func(host string) (registry.AuthConfig, error)) session.Attachable {
	return &keyring{get: get}
}

// credentials puts those of a request into its session.
func credentials(all map[string]registry.AuthConfig) session.Attachable {
	byHost := make(map[string]registry.AuthConfig)
	for address, a := range all {
		byHost[hostOf(address)] = a
	}
	return Credentials(func(host string) (registry.AuthConfig, error) { return byHost[hostOf(host)], nil })
}

// hostOf is the host of a registry as clients write it into their configuration.
func hostOf(address string) string {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		rest = address
	}
	host, _, _ := strings.Cut(rest, "/")
	if host == "index.docker.io" || host == "docker.io" {
		return "registry-1.docker.io"
	}
	return host
}

// Register implements session.Attachable.
func (k *keyring) Register(s *grpc.Server) { auth.RegisterAuthServer(s, k) }

// Credentials implements auth.AuthServer.
func (k *keyring) Credentials(_ context.Context, r *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	a, err := k.get(r.Host)
	if err != nil {
		return nil, err
	}
	if a.IdentityToken != "" {
		return &auth.CredentialsResponse{Secret: a.IdentityToken}, nil
	}
	if a.Username == "" && a.Auth != "" {
		if plain, err := base64.StdEncoding.DecodeString(a.Auth); err == nil {
			a.Username, a.Password, _ = strings.Cut(strings.TrimRight(string(plain), "\x00"), ":")
		}
	}
	return &auth.CredentialsResponse{Username: a.Username, Secret: a.Password}, nil
}
