package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moby/moby/client"
)

// Options say how far Connect may go.
type Options struct {
	Version string // of berth, for the User-Agent
	// NoStart makes a missing engine an error instead of starting one.
	NoStart bool
	// Patience bounds the wait for an engine that is starting; 0 is 30 s.
	Patience time.Duration
}

// ErrNoEngine is returned when nothing listens and nothing may be started.
var ErrNoEngine = errors.New("no engine is running")

// localAPI is the version of the Engine API that is spoken with a local engine. Every
// engine of berth knows it, since the first, so nothing needs to be negotiated: that would
// be one more request, and a verb makes two to five. What needs a newer version has to
// ask for it.
const localAPI = "1.56"

// Connect returns a client of the engine that c names. It starts a background
// engine when c is local and none listens.
func Connect(ctx context.Context, c Config, o Options) (*Client, error) {
	if !c.Local() {
		return newClient(c.Host, false, nil, o)
	}
	conn, err := dial(ctx, c)
	if err == nil {
		return newClient(c.Socket(), true, conn, o)
	}
	if !absent(err) {
		return nil, explain(c, err)
	}
	if o.NoStart {
		return nil, fmt.Errorf("%w: nothing listens on %s", ErrNoEngine, c.SocketPath())
	}
	if err := startAndWait(ctx, c, o); err != nil {
		return nil, err
	}
	conn, err = dial(ctx, c)
	if err != nil {
		return nil, explain(c, err)
	}
	return newClient(c.Socket(), true, conn, o)
}

// dial connects to the local socket.
func dial(ctx context.Context, c Config) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", c.SocketPath())
}

// absent says whether err means that no engine listens, as opposed to one that
// cannot be reached.
func absent(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)
}

// explain turns a failed dial into what the user can do about it.
func explain(c Config, err error) error {
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("no permission to use the engine at %s: run the command with sudo, or as a member of the group that owns the socket", c.SocketPath())
	}
	return fmt.Errorf("connecting to the engine at %s: %w", c.SocketPath(), err)
}

// Client is a client of the Engine API that remembers why the engine refused
// to upgrade a connection, which the library's own error leaves out.
type Client struct {
	*client.Client
	refusal refusal
}

// newClient wraps host; local says that an engine of berth is there. first, when
// not nil, is an open connection to it that serves the first request.
func newClient(host string, local bool, first net.Conn, o Options) (*Client, error) {
	c := &Client{}
	opts := []client.Opt{client.WithHost(host), client.WithUserAgent("berth/" + o.Version)}
	if local {
		opts = append(opts, client.WithAPIVersion(localAPI))
	}
	if os.Getenv("DOCKER_CERT_PATH") != "" && strings.HasPrefix(host, "tcp://") {
		opts = append(opts, client.WithTLSClientConfigFromEnv())
	} else {
		opts = append(opts, client.WithDialContext(c.dialer(host, first)))
	}
	cl, err := client.New(opts...)
	if err != nil {
		if first != nil {
			first.Close()
		}
		return nil, fmt.Errorf("using engine %s: %w", host, err)
	}
	c.Client = cl
	return c, nil
}

// dialer hands out first once and dials after that.
func (c *Client) dialer(host string, first net.Conn) func(context.Context, string, string) (net.Conn, error) {
	path, unix := strings.CutPrefix(host, "unix://")
	var mu sync.Mutex
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		mu.Lock()
		conn := first
		first = nil
		mu.Unlock()
		if conn == nil {
			// The library names a unix socket as if it were a host.
			if unix {
				network, addr = "unix", path
			}
			var d net.Dialer
			var err error
			if conn, err = d.DialContext(ctx, network, addr); err != nil {
				return nil, err
			}
		}
		return c.refusal.watch(conn), nil
	}
}
