package feed

import (
	"context"
	"net"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Probed says whether a port is reachable. A zero Took without an error means
// that it is still being tried.
type Probed struct {
	Key  string
	Took time.Duration
	Err  error
}

// Dial connects to an address, as [net.Dialer.DialContext] does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// probePatience is how long a port may take to answer.
const probePatience = 2 * time.Second

// Probe is the command that tries whether something accepts connections.
func (f *Feed) Probe(dial Dial, key, address string) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(f.ctx, probePatience)
		defer cancel()
		began := time.Now()
		conn, err := dial(ctx, "tcp", address)
		if err == nil {
			err = conn.Close()
		}
		return Probed{Key: key, Took: max(time.Since(began), 1), Err: err}
	}
}
