// Package tui is the console: lists of containers and images on the left, the
// detail of the selected one on the right, everything by keys.
//
// It is a client of the Engine API and of the /berth/ routes beside it, and
// knows nothing of the engine or the store. One root model holds all state;
// Update does no I/O, commands change no state, and what the engine says comes
// in as messages from package feed. Rectangles are computed by package layout,
// keys are looked up in package keymap, text is made safe by package text.
//
// Files: run.go starts and ends it, signals.go hears what else ends it, model.go is the state, update.go the
// messages, keys.go and perform.go the keys, subject.go what the detail shows,
// verbs.go what is done to containers and images, view*.go the drawing, and
// one file for each overlay.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/moby/moby/client"

	"berth/tui/feed"
	"berth/tui/listeners"
	"berth/tui/paint"
	"berth/tui/settings"
)

// Options say what the console works on. Client is required.
type Options struct {
	Client *client.Client
	// Host names the engine in the header: "local", or the address given with -H.
	Host string
	// Dial is how ports are probed; nil means that of package net.
	Dial feed.Dial
	// Auth is what the engine is to show the registry of a domain; nil means nothing.
	Auth func(domain string) (string, error)
	// Doctor examines the engine's machine; nil when that is another one.
	Doctor func(ctx context.Context) ([]Finding, error)
	// Starter makes the images of a first start; nil when it cannot.
	Starter Starter
	// Listeners are the programs that listen on this machine; nil means those in /proc.
	Listeners func() ([]listeners.Listener, error)
	// Start starts an engine in place of one that is gone; nil when it has to be
	// waited for.
	Start func(ctx context.Context) error
	// Settings are how the user wants the console; without a key map they are the
	// built-in ones. Problems are what is wrong with the user's.
	settings.Settings
	Problems []error
	// EngineEnviron makes the programs that the user's commands run use this engine.
	EngineEnviron []string
	// Engines are those that the user can go to; nil means this one alone.
	Engines func() ([]Engine, error)
	// suspend runs what wants the terminal for itself.
	suspend func(run func() error) error
	// Input, Output and Environ default to the process's own.
	Input   io.Reader
	Output  io.Writer
	Environ []string
}

// validate fills in the defaults and says what is missing.
func (o Options) validate() (Options, error) {
	if o.Client == nil {
		return o, errors.New("starting the console: no engine client")
	}
	if o.Host == "" {
		o.Host = "local"
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Listeners == nil {
		o.Listeners = func() ([]listeners.Listener, error) { return listeners.All("/proc") }
	}
	if o.Keys == nil {
		o.Settings = settings.Default()
	}
	if o.Input == nil {
		o.Input = os.Stdin
	}
	if o.Output == nil {
		o.Output = os.Stdout
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	return o, nil
}

// Run shows the console until the user leaves it, the context ends or the
// process is told to. The terminal is as before when it returns, also after a
// panic. Containers are not touched by leaving. The error is a *Switch when the user
// wants to see another engine.
func Run(ctx context.Context, o Options) error {
	return run(ctx, o, func(m *model) tea.Model { return m })
}

// run is Run with a model around the model, for tests.
func run(ctx context.Context, o Options, around func(*model) tea.Model) error {
	o, err := o.validate()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	told := hearSignals()
	defer told.stop()
	cooked, err := paint.Raw(o.Input)
	if err != nil {
		return err
	}
	profile := colorprofile.Detect(o.Output, o.Environ)
	screen := paint.New(o.Output, o.Environ, profile)
	o.suspend = func(run func() error) error {
		defer told.toOthers()()
		return screen.Suspend(func() error { return paint.Keeping(o.Input, run) })
	}
	f := feed.New(ctx, o.Client)
	f.StartWith(o.Start)
	m := newModel(o, f)
	restore := func() { _, _ = screen.Close(), cooked() } // a terminal that fails here is gone
	defer restore()
	width, height := paint.Size(o.Output)
	p := tea.NewProgram(paint.NewPace(around(m), screen, width, height, restore), tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithoutRenderer(), tea.WithFPS(1),
		tea.WithInput(o.Input), tea.WithOutput(io.Discard), tea.WithEnvironment(o.Environ), tea.WithColorProfile(profile), tea.WithWindowSize(width, height))
	f.SendTo(func(msg tea.Msg) { p.Send(msg) })
	f.Go(func() { told.each(p.Quit) })
	defer paint.Resizes(o.Output, f.Go, p.Send)()
	screen.Say(paint.Questions(o.Environ))
	f.Go(screen.Run)

	f.Go(f.Watch) // the snapshot is fetched while the terminal is being set up
	_, err = p.Run()
	restore()
	m.close()
	if err != nil && (errors.Is(err, tea.ErrInterrupted) || errors.Is(err, context.Canceled)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("running the console: %w", err)
	}
	if m.next != "" {
		return &Switch{To: m.next}
	}
	return nil
}
