package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
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
		dial, address, err := remote(c)
		if err != nil {
			return nil, err
		}
		return newClient(dial, address, false, nil, o)
	}
	conn, err := Dial(ctx, c, o)
	if err != nil {
		return nil, err
	}
	again := func(ctx context.Context) (net.Conn, error) { return dial(ctx, c) }
	return newClient(again, c.Socket(), true, conn, o)
}

// Dial returns a connection to the engine that c names, which it starts as
// Connect does.
func Dial(ctx context.Context, c Config, o Options) (net.Conn, error) {
	if !c.Local() {
		dial, _, err := remote(c)
		if err != nil {
			return nil, err
		}
		return dial(ctx)
	}
	conn, err := dial(ctx, c)
	if err == nil {
		return conn, nil
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
	if conn, err = dial(ctx, c); err != nil {
		return nil, explain(c, err)
	}
	return conn, nil
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

// newClient makes a client whose connections dial opens; address is what its
// requests bear. local says that an engine of berth is there. first, when not
// nil, is an open connection to it that serves the first request.
func newClient(dial dialFunc, address string, local bool, first net.Conn, o Options) (*Client, error) {
	c := &Client{}
	opts := []client.Opt{client.WithHost(address), client.WithUserAgent("berth/" + o.Version), client.WithDialContext(c.dialer(dial, first))}
	if local {
		opts = append(opts, client.WithAPIVersion(localAPI))
	}
	cl, err := client.New(opts...)
	if err != nil {
		if first != nil {
			first.Close()
		}
		return nil, fmt.Errorf("using engine %s: %w", address, err)
	}
	c.Client = cl
	return c, nil
}

// dialer hands out first once and dials after that, whatever address the
// library names.
func (c *Client) dialer(dial dialFunc, first net.Conn) func(context.Context, string, string) (net.Conn, error) {
	var mu sync.Mutex
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		mu.Lock()
		conn := first
		first = nil
		mu.Unlock()
		if conn == nil {
			var err error
			if conn, err = dial(ctx); err != nil {
				return nil, err
			}
		}
		return c.refusal.watch(conn), nil
	}
}
