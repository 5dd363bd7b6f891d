package connect

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// dialFunc opens one connection to an engine.
type dialFunc func(ctx context.Context) (net.Conn, error)

// remote is the way to the engine that c names, and the address that requests
// bear: that of a host reached through ssh or TLS is an http:// one, since the
// connections that dial opens are plain to the client library.
func remote(c Config) (dial dialFunc, address string, err error) {
	proto, rest, ok := strings.Cut(c.Host, "://")
	if !ok || rest == "" {
		return nil, "", fmt.Errorf("using engine %q: must be unix://PATH, tcp://ADDRESS:PORT or ssh://[USER@]HOST", c.Host)
	}
	var d net.Dialer
	switch proto {
	case "unix":
		return func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "unix", rest) }, c.Host, nil
	case "ssh":
		return sshDialer(c.Host)
	case "tcp", "http":
		u, err := url.Parse(c.Host)
		if err != nil || u.Hostname() == "" {
			return nil, "", fmt.Errorf("using engine %s: must be tcp://ADDRESS:PORT", c.Host)
		}
		addr := u.Host
		if u.Port() == "" {
			addr = net.JoinHostPort(u.Hostname(), defaultPort(c.TLS))
		}
		if !c.TLS.Used() {
			return func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }, c.Host, nil
		}
		conf, err := c.TLS.Client(u.Hostname())
		if err != nil {
			return nil, "", fmt.Errorf("using engine %s: %w", c.Host, err)
		}
		td := tls.Dialer{NetDialer: &d, Config: conf}
		return func(ctx context.Context) (net.Conn, error) { return td.DialContext(ctx, "tcp", addr) }, c.Host, nil
	}
	return nil, "", fmt.Errorf("using engine %s: unknown kind of host %s; use unix://, tcp:// or ssh://", c.Host, proto)
}

// CheckHost says what is wrong with an address, without using it.
func CheckHost(host string) error {
	_, _, err := remote(Config{Host: host})
	return err
}

// defaultPort is docker's, with and without TLS.
func defaultPort(t TLS) string {
	if t.Used() {
		return "2376"
	}
	return "2375"
}
