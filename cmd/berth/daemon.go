package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"berth/cmd/berth/connect"
	"berth/engine/api"
)

// daemonConfig says which engine to run and where it listens.
type daemonConfig struct {
	connect.Config
	hosts       []string
	insecureTCP bool
	inherited   []int
	log         *slog.Logger
}

// daemon is an engine in this process with the sockets it answers on.
//
// Its life: the engine is opened (which takes the lock of the root), then the
// sockets, so that whoever can connect is answered. At the end the sockets go
// first, then the requests are answered, then the engine lets the root go.
type daemon struct {
	daemonConfig
	engine    *engineHandle
	server    *api.Server
	listeners []net.Listener
	failed    chan error // a listener that broke
}

// openDaemon opens the engine and serves it. errBusy means that another
// process has the root.
func openDaemon(ctx context.Context, c daemonConfig) (*daemon, error) {
	if err := requirements(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.State, 0o711); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	e, err := openEngine(ctx, c.Config, c.log)
	if err != nil {
		return nil, err
	}
	d := &daemon{daemonConfig: c, engine: e, failed: make(chan error, 1+len(c.hosts)+len(c.inherited))}
	d.server = api.NewServer(e.handler, c.log)
	if err := d.listen(); err != nil {
		for _, l := range d.listeners {
			l.Close()
		}
		return nil, errors.Join(err, e.close(ctx))
	}
	for _, l := range d.listeners {
		go func() {
			if err := d.server.Serve(l); err != nil {
				d.failed <- err
			}
		}()
	}
	return d, nil
}

// listen opens every socket. The engine's own is made anew, since the lock says
// that no other engine is behind a file that is there; an inherited one is it
// already.
func (d *daemon) listen() error {
	own := false
	for _, fd := range d.inherited {
		l, err := inheritListener(fd)
		if err != nil {
			return err
		}
		own = own || l.Addr().String() == d.SocketPath()
		d.listeners = append(d.listeners, l)
	}
	hosts := d.hosts
	if !own {
		hosts = append([]string{d.Socket()}, hosts...)
	}
	for _, h := range hosts {
		l, err := openListener(h, d.insecureTCP, d.log)
		if err != nil {
			return err
		}
		d.listeners = append(d.listeners, l)
	}
	return nil
}

// addresses is where d listens.
func (d *daemon) addresses() []string {
	var out []string
	for _, l := range d.listeners {
		out = append(out, l.Addr().Network()+"://"+l.Addr().String())
	}
	return out
}

// idle returns a channel that is closed once there has been neither a running
// container nor a client for the given time. 0 never closes it.
func (d *daemon) idle(ctx context.Context, after time.Duration) <-chan struct{} {
	done := make(chan struct{})
	if after <= 0 {
		return done
	}
	go func() {
		tick := time.NewTicker(max(after/5, 10*time.Millisecond))
		defer tick.Stop()
		lastBusy := time.Now()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			busy, err := d.engine.busy(ctx)
			if err != nil {
				d.log.Warn("could not tell whether the engine is needed", "error", err)
				busy = true
			}
			if since := d.server.IdleSince(); since.After(lastBusy) {
				lastBusy = since
			}
			if busy {
				lastBusy = time.Now()
			}
			if time.Since(lastBusy) >= after {
				close(done)
				return
			}
		}
	}()
	return done
}

// stop ends the engine and leaves the containers running. Nobody who has
// connected is turned away: the sockets' files go first, what waits in their
// queues is taken, and then the listeners close.
func (d *daemon) stop(ctx context.Context) error {
	for _, l := range d.listeners {
		if l.Addr().Network() == "unix" {
			if err := os.Remove(l.Addr().String()); err != nil && !errors.Is(err, os.ErrNotExist) {
				d.log.Warn("the socket stays behind", "error", err)
			}
		}
	}
	for _, l := range d.listeners {
		for pending(l) && ctx.Err() == nil {
			time.Sleep(time.Millisecond) // the accepting goroutine is about to take it
		}
	}
	return errors.Join(d.server.Shutdown(ctx), d.engine.close(ctx))
}

// pending says whether somebody waits in the listener's queue.
func pending(l net.Listener) bool {
	sc, ok := l.(interface{ File() (*os.File, error) })
	if !ok {
		return false
	}
	f, err := sc.File()
	if err != nil {
		return false
	}
	defer f.Close()
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// handOver ends the engine in this process and starts one in the background on
// the same sockets. Who connects in between waits in the sockets' queues.
func (d *daemon) handOver(ctx context.Context) error {
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for _, l := range d.listeners {
		f, err := l.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			return fmt.Errorf("keeping the socket %s: %w", l.Addr(), err)
		}
		files = append(files, f)
	}
	if err := errors.Join(d.server.Shutdown(ctx), d.engine.close(ctx)); err != nil {
		return err
	}
	return connect.Spawn(ctx, d.Config, connect.SpawnOptions{IdleTimeout: connect.IdleTimeout, Listeners: files})
}
