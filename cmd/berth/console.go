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
	"syscall"
	"time"

	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/credentials"
	"berth/cmd/berth/session"
	"berth/tui"
	"berth/tui/settings"
)

// settle is how long the console waits, when it ends, for the server to notice
// that the console's own connections are closed.
const settle = 200 * time.Millisecond

// console opens the console on the engine that the flags name; the local one
// runs in this process unless another has it.
func (a *app) console(c *cobra.Command, _ []string) error {
	ctx := c.Context()
	if dumb := lookupIn(a.environ)("TERM") == "dumb"; a.plain || dumb && session.IsTerminal(a.in) {
		return a.plainMode(ctx, dumb && !a.plain)
	}
	if !session.IsTerminal(a.in) || !session.IsTerminal(a.outFile()) {
		return errors.New("the console needs a terminal; 'berth --help' lists what works without one")
	}
	if err := a.fill(); err != nil {
		return err
	}
	if a.sockets == nil {
		a.sockets = otherSockets(lookupIn(a.environ))
	}
	for {
		err := a.consoleOn(ctx)
		var other *tui.Switch
		if !errors.As(err, &other) {
			return err
		}
		a.goTo(other.To)
	}
}

// consoleOn shows the engine that a.conf names until the user leaves it.
func (a *app) consoleOn(ctx context.Context) error {
	o := connect.Options{Version: berthVersion(), NoStart: true}
	cl, err := connect.Connect(ctx, a.conf, o)
	if err == nil {
		defer cl.Close()
		return a.show(ctx, cl, a.conf.Local())
	}
	if !errors.Is(err, connect.ErrNoEngine) {
		return err
	}
	d, closeLog, err := a.embed(ctx)
	if errors.Is(err, errBusy) {
		// Another process is just starting one: use that.
		o.NoStart = false
		if cl, err = connect.Connect(ctx, a.conf, o); err != nil {
			return err
		}
		defer cl.Close()
		return a.show(ctx, cl, true)
	}
	if err != nil {
		return err
	}
	defer closeLog()
	if cl, err = connect.Connect(ctx, a.conf, o); err != nil {
		return errors.Join(err, d.stop(ctx))
	}
	// From here on no signal ends the process: the engine is handed over first.
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(told)
	err = a.show(ctx, cl, false)
	cl.Close()
	select {
	case <-told: // what has ended the console
	default:
	}
	late := time.AfterFunc(time.Second, func() {
		fmt.Fprintln(a.err, "berth: waiting for what is under way, such as a stop; containers run on (ctrl+c cuts it off)")
	})
	defer late.Stop()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go cutBy(ctx, told, cancel)
	return errors.Join(err, leave(ctx, d))
}

// cutBy cuts off the wait for what is under way when the process is told to end. The
// end of its terminal means no haste: whoever left the console may just close the window.
func cutBy(ctx context.Context, told <-chan os.Signal, cut func()) {
	for {
		select {
		case sig := <-told:
			if sig != syscall.SIGHUP {
				cut()
			}
		case <-ctx.Done():
			return
		}
	}
}

// embed runs the engine in this process, with its log in the state directory:
// the terminal belongs to the console.
func (a *app) embed(ctx context.Context) (d *daemon, closeLog func() error, err error) {
	if err := requirements(); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(a.conf.State, 0o711); err != nil {
		return nil, nil, fmt.Errorf("making the state directory: %w", err)
	}
	f, err := os.OpenFile(a.conf.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the engine's log: %w", err)
	}
	settings, err := a.settings()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	local := a.conf
	local.Host = ""
	if local.StorageDriver == "" {
		local.StorageDriver = settings.StorageDriver
	}
	d, err = openDaemon(ctx, daemonConfig{Config: local, settings: settings, log: slog.New(slog.NewTextHandler(f, nil))})
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return d, f.Close, nil
}

// show runs the console on a client. An engine that is not this process, but on
// this machine, is followed by another one when it goes away.
func (a *app) show(ctx context.Context, cl *connect.Client, follows bool) error {
	o := tui.Options{Client: cl.Client, Host: "local", EngineEnviron: a.engineEnviron(), Input: a.in, Output: a.outFile(), Environ: a.environ, Auth: a.quietAuth}
	if a.conf.Local() {
		o.Doctor = a.findings
	} else {
		o.Host = a.conf.Host
		if a.engineName != "" {
			o.Host = a.engineName
		}
	}
	o.Engines, o.Starter = a.engines, starterArchive
	if follows {
		o.Start = func(ctx context.Context) error {
			next, err := a.nextEngine(ctx, true)
			if err != nil {
				return err
			}
			return next.Close()
		}
	}
	o.Settings, o.Problems = settings.Load(connect.ConsoleFiles(lookupIn(a.environ))...)
	if a.refused != nil {
		o.Problems, a.refused = append(o.Problems, a.refused), nil
	}
	return tui.Run(ctx, o)
}

// starterArchive makes the images that a new user begins with.
func starterArchive(context.Context) (io.ReadCloser, error) {
	src, err := openStarter("")
	if err != nil {
		return nil, err
	}
	return archiveOf(src), nil
}

// quietAuth is registryAuth for the console, whose terminal takes no warnings: a
// registry that wants what a broken helper keeps says so itself.
func (a *app) quietAuth(domain string) (string, error) {
	config, err := a.config()
	if err != nil {
		return "", nil
	}
	auth, err := config.Get(credentials.Server(domain))
	if err != nil {
		return "", nil
	}
	return authconfig.Encode(auth)
}

// findings examines this machine for the console.
func (a *app) findings(context.Context) ([]tui.Finding, error) {
	all, err := a.examine()
	if err != nil {
		return nil, err
	}
	var out []tui.Finding
	for _, f := range all {
		out = append(out, tui.Finding{Status: string(f.Status), Name: f.Name, Text: f.Text, Mend: f.Mend})
	}
	return out, nil
}

// leave ends the engine of a console that ends: on the spot when nobody needs
// it, else by handing it over to a process in the background.
func leave(ctx context.Context, d *daemon) error {
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	until := time.Now().Add(settle)
	for {
		running, err := d.engine.busy(context.WithoutCancel(ctx))
		if err != nil {
			return errors.Join(err, d.stop(ctx))
		}
		clients := d.server.Clients() > 0
		switch {
		case running || clients && time.Now().After(until):
			if err := d.handOver(ctx); err != nil {
				return fmt.Errorf("the containers run on, but handing the engine over did not work: %w", err)
			}
			return nil
		case !clients:
			return d.stop(ctx)
		}
		time.Sleep(time.Millisecond)
	}
}

// engineEnviron makes programs of berth and docker use the engine that the console shows.
func (a *app) engineEnviron() []string {
	host := a.conf.Host
	if host == "" {
		host = a.conf.Socket()
	}
	env := []string{"BERTH_HOST=" + host, "DOCKER_HOST=" + host, "BERTH_ROOT=", "BERTH_STATE=", "DOCKER_CONTEXT="}
	if a.conf.TLS.Used() {
		env = append(env, "DOCKER_CERT_PATH="+a.conf.TLS.Dir, "DOCKER_TLS=1")
		if a.conf.TLS.Verify {
			env = append(env, "DOCKER_TLS_VERIFY=1")
		}
	}
	return env
}
