package registry

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/errdefs"
	"github.com/containerd/log"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/registry"
	"github.com/sirupsen/logrus"
)

// Auth are the credentials for one registry, as docker's clients send them:
// a user name and a password, or an identity token, or a token for the
// registry itself.
type Auth = registry.AuthConfig

// Config says how registries are reached.
type Config struct {
	// CertDirs are searched in turn for a directory that is named like a
	// registry ("localhost:5000"). It holds docker's files (*.crt of a CA,
	// *.cert and *.key of a client) or a hosts.toml as containerd reads it.
	CertDirs []string
	// Insecure registries, host names or networks ("10.0.0.0/8"), may have any
	// certificate, or none at all. Those on loopback always may.
	Insecure []string
	// Mirrors are tried before docker.io, in turn ("https://mirror.example").
	Mirrors []string
	// Agent is the User-Agent of all requests.
	Agent string
	// Downloads and Uploads are how many blobs are on their way at a time;
	// docker's 3 and 5 if zero.
	Downloads, Uploads int
	// RetryDelay is the time before the first retry, which doubles each
	// time; a second if zero.
	RetryDelay time.Duration
	// Silence is how long a registry may send nothing when it is to answer;
	// two minutes if zero.
	Silence time.Duration
}

// CertDirs are where the certificates of registries are on this system.
var CertDirs = []string{"/etc/berth/certs.d", "/etc/docker/certs.d"}

// Remote reaches registries. It is safe for concurrent use.
type Remote struct {
	cfg      Config
	networks []netip.Prefix // insecure ones
	mirrors  []*url.URL
}

// NewRemote checks cfg. Errors are of kind InvalidArgument.
func NewRemote(cfg Config) (*Remote, error) {
	r := &Remote{cfg: cfg}
	if r.cfg.RetryDelay == 0 {
		r.cfg.RetryDelay = time.Second
	}
	if r.cfg.Silence == 0 {
		r.cfg.Silence = DefaultSilence
	}
	if r.cfg.Downloads == 0 {
		r.cfg.Downloads = 3
	}
	if r.cfg.Uploads == 0 {
		r.cfg.Uploads = 5
	}
	for _, in := range cfg.Insecure {
		if !strings.Contains(in, "/") {
			continue
		}
		p, err := netip.ParsePrefix(in)
		if err != nil {
			return nil, fmt.Errorf("insecure registry %q: neither a host name nor a network: %w", in, errdefs.ErrInvalidArgument)
		}
		r.networks = append(r.networks, p)
	}
	for _, m := range cfg.Mirrors {
		u, err := url.Parse(m)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("invalid mirror %q: an address like https://mirror.example is wanted: %w", m, errdefs.ErrInvalidArgument)
		}
		r.mirrors = append(r.mirrors, u)
	}
	return r, nil
}

// session is one conversation with the registry of one repository. Tokens and
// connections are shared by all requests of it.
type session struct {
	remote   *Remote
	repo     reference.Named // without tag and digest
	hosts    []docker.RegistryHost
	kept     []idler // the connections to them
	resolver remotes.Resolver
	tracker  docker.StatusTracker
}

// open begins a session. Nothing is sent yet. All that belongs to the session
// is done with the context that is returned.
func (r *Remote) open(parent context.Context, name reference.Named, auth Auth) (ctx context.Context, s *session, err error) {
	// What goes wrong is in the errors; the protocol's own log is not for
	// users.
	ctx = log.WithLogger(parent, quiet)
	if auth, err = decoded(auth); err != nil {
		return nil, nil, err
	}
	s = &session{remote: r, repo: reference.TrimNamed(name), tracker: docker.NewInMemoryTracker()}
	if s.hosts, s.kept, err = r.hosts(ctx, reference.Domain(name), auth); err != nil {
		return nil, nil, fmt.Errorf("registry %s: %w", reference.Domain(name), err)
	}
	s.resolver = docker.NewResolver(docker.ResolverOptions{
		Hosts:   func(string) ([]docker.RegistryHost, error) { return s.hosts, nil },
		Headers: http.Header{"User-Agent": {r.cfg.Agent}},
		Tracker: s.tracker,
	})
	return ctx, s, nil
}

// quiet is a logger that says nothing.
var quiet = logrus.NewEntry(&logrus.Logger{Out: io.Discard, Level: logrus.PanicLevel})

// close lets idle connections go. Transfers that the session began go on, and their connections go after them.
func (s *session) close() {
	for _, t := range s.kept {
		t.CloseIdleConnections()
	}
}

// decoded takes the user name and the password out of auth's basic form.
func decoded(auth Auth) (Auth, error) {
	if auth.Auth == "" || auth.Username != "" {
		return auth, nil
	}
	plain, err := base64.StdEncoding.DecodeString(auth.Auth)
	name, password, ok := strings.Cut(string(plain), ":")
	if err != nil || !ok {
		return auth, fmt.Errorf("the credentials for %s cannot be read: 'auth' is not the base64 of user:password: %w", auth.ServerAddress, errdefs.ErrInvalidArgument)
	}
	auth.Username, auth.Password = name, strings.TrimRight(password, "\x00")
	return auth, nil
}
