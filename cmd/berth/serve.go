//go:build !client

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"berth/cmd/berth/config"
	"berth/cmd/berth/connect"
	"berth/cmd/berth/contexts"
	"berth/cmd/berth/systemd"
)

// stopPatience bounds the graceful end of an engine: requests that are not
// answered by then are cut. A stop takes ten seconds unless it was told otherwise.
const stopPatience = 15 * time.Second

// serveOptions are the flags of serve.
type serveOptions struct {
	hosts       []string
	insecureTCP bool
	idle        time.Duration
	listenFDs   []int
	readyFD     int
	logLevel    string
	group       string
	runtimes    []string
	runtime     string
	validate    bool
	example     bool
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

Its settings are in /etc/berth/config.toml and, over it, ~/.config/berth/config.toml (or in
the file that BERTH_CONFIG names); --example prints one with all of them. Flags count more.
SIGHUP reads them again, and the certificates.`,
		Args: args(0, 0, "serve takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.example {
				_, err := io.WriteString(a.out, config.Example)
				return err
			}
			return a.serve(c.Context(), o, c.Flags())
		},
	}
	fs := c.Flags()
	fs.StringArrayVarP(&o.hosts, "host", "H", nil, "listen here too (unix://PATH, tcp://ADDRESS:PORT, fd://)")
	fs.BoolVar(&o.insecureTCP, "insecure-tcp", false, "allow tcp:// to clients that do not prove who they are: whoever reaches the port is root on this machine")
	fs.DurationVar(&o.idle, "idle-timeout", 0, "leave after this time without containers and clients (0: never)")
	fs.StringVarP(&a.conf.StorageDriver, "storage-driver", "s", a.conf.StorageDriver,
		"how images get into containers: overlay2, or vfs where overlay cannot be mounted (BERTH_STORAGE_DRIVER; default what works)")
	fs.StringVar(&o.logLevel, "log-level", "", "debug, info, warn or error (default info)")
	fs.StringVarP(&o.group, "group", "G", "", "who may use unix sockets besides root (default berth)")
	fs.StringArrayVar(&o.runtimes, "add-runtime", nil, "another OCI runtime with runc's command line, for run --runtime NAME (NAME=PATH)")
	fs.StringVar(&o.runtime, "default-runtime", "", "OCI runtime of containers that name none (default berth)")
	fs.BoolVar(&o.validate, "validate", false, "read the settings, say whether they are right, and leave")
	fs.BoolVar(&o.example, "example", false, "print an example of the settings, and leave")
	fs.IntSliceVar(&o.listenFDs, "listen-fd", nil, "inherited listening sockets")
	fs.IntVar(&o.readyFD, "ready-fd", 0, "inherited pipe that gets a byte when the engine listens")
	for _, hidden := range []string{"listen-fd", "ready-fd"} {
		_ = fs.MarkHidden(hidden) // fails for an unknown flag only
	}
	return c
}

// serve runs an engine until a signal, or until nobody needs it.
func (a *app) serve(ctx context.Context, o serveOptions, given *pflag.FlagSet) error {
	a.conf.Host, a.context = "", contexts.Default
	read := func() (config.File, error) { return a.served(o, given) }
	settings, err := read()
	if err != nil {
		return err
	}
	if o.validate {
		fmt.Fprintln(a.out, "configuration OK") // docker's words
		return nil
	}
	var level slog.LevelVar
	if now, err := settings.Level(); err == nil { // checked by read
		level.Set(now)
	}
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

	log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: &level}))
	sockets := systemd.Inherit()
	d, err := openDaemon(ctx, daemonConfig{
		Config: a.conf, settings: settings, hosts: settings.Hosts, insecureTCP: o.insecureTCP, inherited: o.listenFDs, sockets: sockets, log: log,
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

	idle := d.idle(ctx, o.idle)
	for over := false; !over; {
		over = true
		select {
		case <-reload:
			d.reload(read, &level)
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

// served are the settings of this engine: the files', with what flags and variables
// say in their place.
func (a *app) served(o serveOptions, given *pflag.FlagSet) (config.File, error) {
	f, err := a.settings()
	if err != nil {
		return f, err
	}
	if given.Changed("host") {
		f.Hosts = o.hosts
	}
	if o.logLevel != "" {
		f.LogLevel = o.logLevel
		if _, err := f.Level(); err != nil {
			return f, fmt.Errorf("--%w", err)
		}
	}
	if o.group != "" {
		f.Group = o.group
	}
	if err := o.setRuntimes(&f); err != nil {
		return f, err
	}
	if a.conf.StorageDriver == "" {
		a.conf.StorageDriver = f.StorageDriver
	}
	if !a.conf.TLS.Used() {
		a.conf.TLS.Verify = f.TLS.Verify
	}
	for _, file := range []struct {
		to   *string
		from string
	}{{&a.conf.TLS.CA, f.TLS.CA}, {&a.conf.TLS.Cert, f.TLS.Cert}, {&a.conf.TLS.Key, f.TLS.Key}} {
		if *file.to == "" {
			*file.to = file.from
		}
	}
	return f, nil
}

// setRuntimes enters the runtimes that flags name.
func (o *serveOptions) setRuntimes(f *config.File) error {
	if len(o.runtimes) == 0 && o.runtime == "" {
		return nil
	}
	if o.runtime != "" {
		f.DefaultRuntime = o.runtime
	}
	for _, text := range o.runtimes {
		name, path, ok := strings.Cut(text, "=")
		if _, there := f.Runtimes[name]; !ok || there {
			return fmt.Errorf("--add-runtime %q: want NAME=PATH, of a name that is not set already", text)
		}
		if f.Runtimes == nil {
			f.Runtimes = map[string]config.Runtime{}
		}
		f.Runtimes[name] = config.Runtime{Path: path}
	}
	if err := f.Check(); err != nil {
		return fmt.Errorf("--add-runtime, --default-runtime: %w", err)
	}
	return nil
}

// reload reads again what can change while the engine runs: the settings, and the
// certificates of tcp. What cannot be read leaves all as it was.
func (d *daemon) reload(read func() (config.File, error), level *slog.LevelVar) {
	f, err := read()
	if err == nil {
		err = errors.Join(systemd.Reloading(), d.apply(f, level))
	}
	if err = errors.Join(err, systemd.Ready()); err != nil {
		d.log.Error("reading the settings again: they stay as they were", "error", err)
		return
	}
	d.log.Info("the settings were read again")
}

// apply makes the running engine work by the settings of f.
func (d *daemon) apply(f config.File, level *slog.LevelVar) error {
	now, err := f.Level()
	if err != nil {
		return err
	}
	// All that can fail is before all that changes something: the engine checks first, too.
	secured := d.secured.Load()
	if secured != nil {
		if secured, err = d.TLS.Server(); err != nil {
			return err
		}
	}
	if err := d.engine.reload(f); err != nil {
		return err
	}
	d.secured.Store(secured)
	level.Set(now)
	if fixed := f.Fixed(&d.settings); len(fixed) > 0 {
		d.log.Warn("these settings have changed and count from the next start of the engine on", "settings", fixed)
	}
	return nil
}
