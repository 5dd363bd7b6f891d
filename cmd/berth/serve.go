//go:build !client

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/contexts"
	"berth/cmd/berth/systemd"
	"berth/runtime/pages"
)

// stopPatience bounds the graceful end of an engine: requests that are not
// answered by then are cut.
const stopPatience = 10 * time.Second

// serveOptions are the flags of serve.
type serveOptions struct {
	hosts       []string
	insecureTCP bool
	idle        time.Duration
	listenFDs   []int
	readyFD     int
	logLevel    string
}

func newServe(a *app) *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Run the engine without a console",
		Long: `Run the engine without a console, until SIGTERM or SIGINT. Containers go on running
when it ends, and the next engine takes them over.

It always listens on berth.sock in the state directory; -H adds more: unix://PATH, fd:// for
the sockets of systemd, and tcp://ADDRESS:PORT, where clients have to prove who they are:

  berth serve -H tcp://0.0.0.0:2376 --tlsverify --tlscacert ca.pem --tlscert cert.pem --tlskey key.pem

SIGHUP reads the certificates again.`,
		Args: args(0, 0, "serve takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.serve(c.Context(), o) },
	}
	fs := c.Flags()
	fs.StringArrayVarP(&o.hosts, "host", "H", nil, "listen here too (unix://PATH, tcp://ADDRESS:PORT, fd://)")
	fs.BoolVar(&o.insecureTCP, "insecure-tcp", false, "allow tcp:// to clients that do not prove who they are: whoever reaches the port is root on this machine")
	fs.DurationVar(&o.idle, "idle-timeout", 0, "leave after this time without containers and clients (0: never)")
	fs.StringVarP(&a.conf.StorageDriver, "storage-driver", "s", a.conf.StorageDriver,
		"how images get into containers: overlay2, or vfs where overlay cannot be mounted (BERTH_STORAGE_DRIVER; default what works)")
	fs.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	fs.IntSliceVar(&o.listenFDs, "listen-fd", nil, "inherited listening sockets")
	fs.IntVar(&o.readyFD, "ready-fd", 0, "inherited pipe that gets a byte when the engine listens")
	for _, hidden := range []string{"listen-fd", "ready-fd"} {
		_ = fs.MarkHidden(hidden) // fails for an unknown flag only
	}
	return c
}

// serve runs an engine until a signal, or until nobody needs it.
func (a *app) serve(ctx context.Context, o serveOptions) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return fmt.Errorf("--log-level %s: must be debug, info, warn or error", o.logLevel)
	}
	a.conf.Host, a.context = "", contexts.Default
	if err := a.fill(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// Caught before the engine can be asked to reload. The engine outlives the
	// terminal it was started from, whose end is a SIGHUP too.
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)

	log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
	sockets := systemd.Inherit()
	d, err := openDaemon(ctx, daemonConfig{
		Config: a.conf, hosts: o.hosts, insecureTCP: o.insecureTCP, inherited: o.listenFDs, sockets: sockets, log: log,
	})
	sockets.Close()
	if err != nil {
		if errors.Is(err, errBusy) {
			return &statusError{connect.ExitBusy, fmt.Errorf("%w (%s) or this state directory (%s): 'berth ps' and the console use it as it is; a second engine needs another --root and --state",
				errBusy, a.conf.Root, a.conf.State)}
		}
		return err
	}
	d.announce(o.readyFD)
	log.Info("the engine listens", "hosts", d.addresses(), "root", a.conf.Root, "version", berthVersion())
	if err := pages.GiveBack(); err != nil {
		log.Warn("starting", "error", err)
	}

	idle := d.idle(ctx, o.idle)
	for over := false; !over; {
		over = true
		select {
		case <-reload:
			d.reload()
			over = false
		case <-ctx.Done():
			log.Info("the engine ends; containers go on")
		case <-idle:
			log.Info("the engine leaves: no containers and no clients", "after", o.idle)
		case err = <-d.failed:
			log.Error("the engine ends", "error", err)
		}
	}
	if err := systemd.Stopping(); err != nil {
		log.Warn("ending", "error", err)
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	return errors.Join(err, d.stop(ending))
}

// announce tells whoever started the engine that it answers: the service
// manager, and a verb that waits at the other end of readyFD (0: none).
func (d *daemon) announce(readyFD int) {
	if err := systemd.Ready(); err != nil {
		d.log.Warn("announcing the engine", "error", err)
	}
	if readyFD > 0 {
		ready := os.NewFile(uintptr(readyFD), "ready")
		_, err := ready.Write([]byte{'\n'})
		if err := errors.Join(err, ready.Close()); err != nil {
			d.log.Warn("whoever started this engine does not wait for it any more", "error", err)
		}
	}
}

// reload reads again what can change while the engine runs: the certificates of
// tcp. What cannot be read leaves all as it was.
func (d *daemon) reload() {
	err := systemd.Reloading()
	if d.secured.Load() != nil {
		err = errors.Join(err, d.secureTCP())
	}
	if err = errors.Join(err, systemd.Ready()); err != nil {
		d.log.Error("reading the settings again: they stay as they were", "error", err)
		return
	}
	d.log.Info("the settings were read again")
}
