package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"
	"github.com/containerd/errdefs"
)

// hosts are the servers of a registry, mirrors first. Each has a client and an
// authorizer of its own, which remembers tokens.
func (r *Remote) hosts(ctx context.Context, domain string, auth Auth) (hosts []docker.RegistryHost, kept []idler, err error) {
	tame := func(c *http.Client) error { return r.tame(c, &kept) }
	opts := config.HostOptions{
		HostDir:      r.certDir,
		UpdateClient: tame,
		Credentials: func(host string) (string, string, error) {
			if !owns(domain, host) {
				return "", "", nil // a mirror: the credentials are not for it
			}
			return secret(auth)
		},
	}
	if r.insecure(domain) {
		// TLS first, whatever the certificate; plain HTTP if there is none.
		opts.DefaultScheme, opts.DefaultTLS = "http", &tls.Config{InsecureSkipVerify: true}
	}
	if hosts, err = config.ConfigureHosts(ctx, opts)(domain); err != nil {
		return nil, nil, err
	}
	if domain == dockerHub {
		mirrors, err := r.mirrorHosts(ctx, tame)
		if err != nil {
			return nil, nil, err
		}
		hosts = append(mirrors, hosts...)
	}
	if auth.RegistryToken != "" {
		for i := range hosts {
			if owns(domain, hosts[i].Host) {
				hosts[i].Authorizer = bearer(auth.RegistryToken)
			}
		}
	}
	return hosts, kept, nil
}

// Hosts are the servers of a registry, for who has credentials of its own.
func (r *Remote) Hosts(domain string) ([]docker.RegistryHost, error) {
	hosts, _, err := r.hosts(context.Background(), domain, Auth{})
	return hosts, err
}

// The names of the default registry: in references, and of its server.
const (
	dockerHub       = "docker.io"
	dockerHubServer = "registry-1.docker.io"
)

// owns tells whether a host is the registry of a domain itself.
func owns(domain, host string) bool {
	return host == domain || domain == dockerHub && host == dockerHubServer
}

// secret is what the authorizer asks for: an identity token goes without a
// user name.
func secret(auth Auth) (user, password string, err error) {
	if auth.IdentityToken != "" {
		return "", auth.IdentityToken, nil
	}
	return auth.Username, auth.Password, nil
}

// certDir finds the directory of a registry's certificates.
func (r *Remote) certDir(domain string) (string, error) {
	for _, root := range r.cfg.CertDirs {
		dir := filepath.Join(root, domain)
		files, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("reading the certificates of registry %s: %w", domain, err)
		}
		return dir, checkPairs(dir, files)
	}
	return "", errdefs.ErrNotFound
}

// checkPairs refuses a certificate of a client without its key, and a key
// without its certificate, in docker's words.
func checkPairs(dir string, files []fs.DirEntry) error {
	there := map[string]bool{}
	for _, f := range files {
		there[f.Name()] = true
	}
	for _, f := range files {
		name := f.Name()
		if base, ok := strings.CutSuffix(name, ".cert"); ok && !there[base+".key"] {
			return fmt.Errorf("missing key %s.key for client certificate %s in %s. CA certificates must use the extension .crt: %w", base, name, dir, errdefs.ErrInvalidArgument)
		}
		if base, ok := strings.CutSuffix(name, ".key"); ok && !there[base+".cert"] {
			return fmt.Errorf("missing client certificate %s.cert for key %s in %s: %w", base, name, dir, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

// insecure tells whether a registry was said to be insecure. Loopback is
// treated alike by package config.
func (r *Remote) insecure(domain string) bool {
	host, _, err := net.SplitHostPort(domain)
	if err != nil {
		host = domain
	}
	if slices.Contains(r.cfg.Insecure, domain) || slices.Contains(r.cfg.Insecure, host) {
		return true
	}
	if len(r.networks) == 0 {
		return false
	}
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if ips, err := net.LookupIP(host); err == nil {
		for _, ip := range ips {
			if a, ok := netip.AddrFromSlice(ip); ok {
				addrs = append(addrs, a.Unmap())
			}
		}
	}
	return slices.ContainsFunc(r.networks, func(p netip.Prefix) bool { return slices.ContainsFunc(addrs, p.Contains) })
}

// mirrorHosts are the mirrors of docker.io, which get no credentials.
func (r *Remote) mirrorHosts(ctx context.Context, tame func(*http.Client) error) ([]docker.RegistryHost, error) {
	var all []docker.RegistryHost
	for _, u := range r.mirrors {
		opts := config.HostOptions{HostDir: r.certDir, UpdateClient: tame, DefaultScheme: u.Scheme}
		if u.Scheme == "https" && r.insecure(u.Host) {
			opts.DefaultTLS = &tls.Config{InsecureSkipVerify: true}
		}
		hosts, err := config.ConfigureHosts(ctx, opts)(u.Host)
		if err != nil {
			return nil, err
		}
		for _, h := range hosts {
			h.Path = u.Path + h.Path
			h.Capabilities = docker.HostCapabilityPull | docker.HostCapabilityResolve
			all = append(all, h)
		}
	}
	return all, nil
}

// bearer is the authorizer of a client that brought the registry's own token.
type bearer string

func (b bearer) Authorize(_ context.Context, req *http.Request) error {
	req.Header.Set("Authorization", "Bearer "+string(b))
	return nil
}

// AddResponses is asked after a 401: there is no better token.
func (bearer) AddResponses(context.Context, []*http.Response) error { return errdefs.ErrNotImplemented }
