//go:build !client

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"berth/cmd/berth/config"
	"berth/cmd/berth/connect"
	"berth/cmd/berth/systemd"
	"berth/engine/api"
)

// daemonConfig says which engine to run and where it listens.
type daemonConfig struct {
	connect.Config
	settings    config.File
	hosts       []string
	insecureTCP bool
	inherited   []int
	sockets     *systemd.Sockets // what fd:// means; nil when no host says so
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
	lent      map[net.Listener]bool      // the service manager's: their files stay
	secured   atomic.Pointer[tls.Config] // how tcp is answered; nil: without TLS
	failed    chan error                 // a listener that broke
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
	e, err := openEngine(ctx, c.Config, c.settings, c.log)
	if err != nil {
		return nil, err
	}
	d := &daemon{daemonConfig: c, engine: e, lent: map[net.Listener]bool{}}
	d.server = api.NewServer(e.handler, c.log)
	d.server.WhenIdle(restAfter, d.rest)
	if err := d.listen(); err != nil {
		for _, l := range d.listeners {
			l.Close()
		}
		return nil, errors.Join(err, e.close(ctx))
	}
	d.failed = make(chan error, len(d.listeners))
	for _, l := range d.listeners {
		go func() {
			if err := d.server.Serve(d.secure(l)); err != nil {
				d.failed <- err
			}
		}()
	}
	return d, nil
}

// secureTCP reads the certificates that tcp is answered with.
func (d *daemon) secureTCP() error {
	if !d.TLS.Used() {
		return nil
	}
	conf, err := d.TLS.Server()
	if err != nil {
		return err
	}
	d.secured.Store(conf)
	return nil
}

// secure puts TLS before a tcp socket, if it is on.
func (d *daemon) secure(l net.Listener) net.Listener {
	if _, ok := l.(*net.TCPListener); !ok || d.secured.Load() == nil {
		return l
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return d.secured.Load(), nil },
	})
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
	var hosts []string
	for _, h := range d.hosts {
		if !strings.HasPrefix(h, systemd.Scheme) {
			hosts = append(hosts, h)
			continue
		}
		lent, err := d.sockets.Listen(h)
		d.listeners = append(d.listeners, lent...)
		if err != nil {
			return err
		}
		for _, l := range lent {
			d.lent[l] = true
			own = own || l.Addr().String() == d.SocketPath()
		}
	}
	if !own {
		hosts = append([]string{d.Socket()}, hosts...)
	}
	if slices.ContainsFunc(d.listeners, isTCP) || slices.ContainsFunc(hosts, func(h string) bool { return strings.HasPrefix(h, "tcp://") }) {
		if err := d.secureTCP(); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(d.listeners, isTCP) && !d.TLS.Verify && !d.insecureTCP {
		return errors.New("a tcp socket was passed on: whoever reaches the port would be root on this machine: say --tlsverify, or --insecure-tcp if that is meant")
	}
	for _, h := range hosts {
		l, err := openListener(h, d.settings.Group, d.TLS.Verify, d.insecureTCP, d.log)
		if err != nil {
			return err
		}
		d.listeners = append(d.listeners, l)
	}
	return nil
}

func isTCP(l net.Listener) bool { return l.Addr().Network() == "tcp" }

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
		if l.Addr().Network() == "unix" && !d.lent[l] {
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

// pending says whether somebody waits in the listener's queue. It does not look through
// File: Fd of that makes the socket itself a blocking one, and who then accepts cannot be
// woken by Close, so that the engine would never end.
func pending(l net.Listener) bool {
	sc, ok := l.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	err = raw.Control(func(fd uintptr) {
		n, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0) // what it cannot tell is nobody
	})
	return err == nil && n > 0
}

// handOver ends the engine in this process and starts one in the background on
// the same sockets. Who connects in between waits in the sockets' queues. Requests
// that do not end before ctx does are cut, and the next engine starts all the same.
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
	if err := d.server.Shutdown(ctx); err != nil {
		d.log.Warn("what was under way was cut off: the next engine takes over", "error", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	err := d.engine.close(ctx)
	return errors.Join(err, connect.Spawn(ctx, d.Config, connect.SpawnOptions{IdleTimeout: connect.IdleTimeout, Listeners: files}))
}
