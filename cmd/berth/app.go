package main

import (
	_ "berth/cmd/berth/early" // before all others: it says why

	_ "berth/cmd/berth/clientside" // and then this one

	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/moby/moby/client"
	"github.com/spf13/pflag"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/output"
	"berth/cmd/berth/session"
	"berth/engine/release"
)

// berthVersion is the version of this binary.
func berthVersion() string { return release.Version() }

// app is what every verb gets: the streams of the process and the way to the
// engine.
type app struct {
	in         *os.File
	out        io.Writer
	err        io.Writer
	conf       connect.Config
	context    string         // the engine that --context names
	flags      *pflag.FlagSet // those before the verb
	environ    []string
	engineName string   // what the console calls the engine; empty: by its address
	sockets    []string // of other engines, which the console offers when they are there; nil: the usual ones
	refused    error    // why the console could not go to another one
	plain      bool     // lines instead of the console
}

// client returns a client of the engine, which it starts when none runs.
func (a *app) client(ctx context.Context) (*connect.Client, error) {
	if err := a.fill(); err != nil {
		return nil, err
	}
	return connect.Connect(ctx, a.conf, connect.Options{Version: berthVersion()})
}

// outFile is stdout when it is a file, for its size and whether it is a
// terminal.
func (a *app) outFile() *os.File {
	f, _ := a.out.(*os.File)
	return f
}

// terminalSize is that of stdout, or else of stdin.
func (a *app) terminalSize() (h, w uint, ok bool) {
	if h, w, ok = session.Size(a.outFile()); ok {
		return h, w, true
	}
	return session.Size(a.in)
}

// statusError ends the process with a code of its own; err may be nil when the
// container's exit code is all there is to say.
type statusError struct {
	code int
	err  error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// report prints err for the user and returns the exit code.
func report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	code := 1
	var status *statusError
	if errors.As(err, &status) {
		code = status.code
		if status.err == nil {
			return code
		}
	}
	text := message(err)
	if f, ok := w.(*os.File); ok && session.IsTerminal(f) {
		text = output.CleanLines(text) // it may quote what a stranger named
	}
	fmt.Fprintln(w, "berth: "+text)
	return code
}

// message is what err says, without the client library's preface: the user
// knows that the engine answers.
func message(err error) string {
	if client.IsErrConnectionFailed(err) {
		// Its text speaks of another engine's daemon.
		text := err.Error()
		if _, host, ok := strings.Cut(text, " at "); ok {
			host, _, _ = strings.Cut(host, ". Is ")
			host, _, _ = strings.Cut(host, "; ")
			return "no engine answers at " + host + ": start one there with 'berth serve', or leave -H, BERTH_HOST and DOCKER_HOST out to use this machine's"
		}
	}
	return advise(strings.ReplaceAll(err.Error(), "Error response from daemon: ", ""))
}

// forEach runs f on every reference and goes on after an error, as docker
// does; what succeeded is printed.
func (a *app) forEach(refs []string, f func(ref string) error) error {
	var errs []error
	for _, ref := range refs {
		if err := f(ref); err != nil {
			errs = append(errs, errors.New(message(err)))
			continue
		}
		fmt.Fprintln(a.out, ref)
	}
	return errors.Join(errs...)
}

// atOnce is how many containers a verb stops or removes at the same time: docker's number.
const atOnce = 50

// together is forEach with many at the same time, which is quicker where each waits for a process or the kernel. What
// is printed has the order of the references.
func (a *app) together(refs []string, f func(ref string) error) error {
	results := make([]chan error, len(refs))
	for i := range results {
		results[i] = make(chan error, 1)
	}
	go func() {
		turns := make(chan struct{}, atOnce)
		for i, ref := range refs {
			turns <- struct{}{}
			go func() {
				results[i] <- f(ref)
				<-turns
			}()
		}
	}()
	i := -1
	return a.forEach(refs, func(string) error { i++; return <-results[i] })
}
