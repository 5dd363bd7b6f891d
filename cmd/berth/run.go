package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/runflags"
	"berth/cmd/berth/session"
)

// Exit codes of run that are not the container's own, as docker's.
const (
	exitNotRun        = 125 // the engine refused
	exitNotExecutable = 126 // the command is not executable
	exitNotFound      = 127 // the command does not exist
)

// runOptions are the flags of run that concern the verb, not the container.
type runOptions struct {
	detach, sigProxy bool
	detachKeys       string
}

func newRun(a *app) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run [flags] IMAGE [COMMAND] [ARG...]",
		Short: "Create a container and run a command in it",
		Long: `Create a container from an image and run a command in it.

Exit codes: the command's own; 125 when the engine refused, 126 when the command
is not executable, 127 when it does not exist.`,
		Args: args(1, -1, "run needs an image"),
	}
	fs := c.Flags()
	fs.Bool("help", false, "help for run")
	f := runflags.Register(fs)
	fs.BoolVarP(&o.detach, "detach", "d", false, "run in the background and print the container's ID")
	fs.BoolVar(&o.sigProxy, "sig-proxy", true, "pass signals on to the container")
	fs.StringVar(&o.detachKeys, "detach-keys", "", "keys that detach (default ctrl-p,ctrl-q)")
	c.RunE = func(c *cobra.Command, args []string) error {
		r, err := f.Parse(args, a.environ)
		if err != nil {
			return &statusError{exitNotRun, err}
		}
		if err := o.attach(a, f, r); err != nil {
			return err
		}
		return a.run(c.Context(), r, o)
	}
	return c
}

// attach decides which streams the container gets.
func (o *runOptions) attach(a *app, f *runflags.Flags, r *runflags.Request) error {
	if o.detach {
		if len(f.AttachStreams()) > 0 {
			return &statusError{exitNotRun, errors.New("--attach and --detach contradict each other")}
		}
		return nil
	}
	named := len(f.AttachStreams()) > 0
	r.Config.AttachStdin = r.Config.OpenStdin && (!named || f.HasAttach("stdin"))
	r.Config.AttachStdout = !named || f.HasAttach("stdout")
	r.Config.AttachStderr = !named || f.HasAttach("stderr")
	r.Config.StdinOnce = r.Config.OpenStdin && r.Config.AttachStdin
	if r.Config.Tty && r.Config.AttachStdin && !session.IsTerminal(a.in) {
		return errors.New("-t needs a terminal, and stdin is none: leave -t out when piping")
	}
	return nil
}

// run creates and starts the container, and stays with it unless detached.
func (a *app) run(ctx context.Context, r *runflags.Request, o runOptions) error {
	cl, err := a.client(ctx)
	if err != nil {
		return &statusError{exitNotRun, err}
	}
	if h, w, ok := a.terminalSize(); ok && r.Config.Tty {
		r.HostConfig.ConsoleSize = [2]uint{h, w}
	}
	id, err := a.create(ctx, cl, r)
	if err != nil {
		return &statusError{exitNotRun, err}
	}
	if o.detach {
		if _, err := cl.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
			return startError(err)
		}
		fmt.Fprintln(a.out, id)
		return nil
	}
	return a.foreground(ctx, cl, foreground{
		id: id, config: r.Config, autoRemove: r.HostConfig.AutoRemove,
		sigProxy: o.sigProxy, detachKeys: o.detachKeys,
		stdin: r.Config.AttachStdin, stdout: r.Config.AttachStdout, stderr: r.Config.AttachStderr,
	})
}

// create makes the container and writes its ID file.
func (a *app) create(ctx context.Context, cl *connect.Client, r *runflags.Request) (string, error) {
	var cid *os.File
	if r.CIDFile != "" {
		f, err := os.OpenFile(r.CIDFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return "", fmt.Errorf("--cidfile: %w", err)
		}
		cid = f
		defer cid.Close()
	}
	created, err := a.createPulling(ctx, cl, r)
	if err != nil {
		if cid != nil {
			os.Remove(r.CIDFile)
		}
		return "", err
	}
	for _, w := range created.Warnings {
		fmt.Fprintln(a.err, "warning: "+w)
	}
	if cid != nil {
		if _, err := cid.WriteString(created.ID); err != nil {
			return "", fmt.Errorf("--cidfile: %w", err)
		}
		if err := cid.Close(); err != nil {
			return "", fmt.Errorf("--cidfile: %w", err)
		}
	}
	return created.ID, nil
}

// foreground is a container that a verb starts and stays with.
type foreground struct {
	id                    string
	config                *container.Config
	autoRemove, sigProxy  bool
	detachKeys            string
	stdin, stdout, stderr bool
}

// foreground attaches, starts, moves the streams and ends with the container's
// exit code.
func (a *app) foreground(ctx context.Context, cl *connect.Client, f foreground) error {
	// Cut off what still runs (the wait, the sizes) when this function ends.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	condition := container.WaitConditionNextExit
	if f.autoRemove {
		condition = container.WaitConditionRemoved
	}
	// Both have to be there before the start, and none needs the other.
	waiting := make(chan (<-chan exited), 1)
	go func() { waiting <- a.wait(ctx, cl, f.id, condition) }()

	var conn client.HijackedResponse
	attached := f.stdin || f.stdout || f.stderr
	if attached {
		res, err := cl.ContainerAttach(ctx, f.id, client.ContainerAttachOptions{
			Stream: true, Stdin: f.stdin, Stdout: f.stdout, Stderr: f.stderr, DetachKeys: f.detachKeys,
		})
		if err != nil {
			return &statusError{exitNotRun, cl.Explain(err)}
		}
		conn = res.HijackedResponse
	}
	restore := func() {}
	if f.config.Tty && f.stdin && session.IsTerminal(a.in) {
		r, err := session.Raw(a.in)
		if err != nil {
			return err
		}
		restore = r
	}
	defer func() { restore() }()

	streams := make(chan error, 1)
	if attached {
		s := session.Streams{Out: a.out, Err: a.err}
		if f.stdin {
			s.In = a.in
		}
		go func() {
			streams <- session.Copy(ctx, conn, s, session.Options{TTY: f.config.Tty, DetachKeys: f.detachKeys})
		}()
	} else {
		streams <- nil
	}

	wait := <-waiting
	if f.sigProxy && !f.config.Tty {
		stop := session.ForwardSignals(ctx, func(ctx context.Context, sig string) error {
			_, err := cl.ContainerKill(ctx, f.id, client.ContainerKillOptions{Signal: sig})
			return err
		})
		defer stop()
	}
	if _, err := cl.ContainerStart(ctx, f.id, client.ContainerStartOptions{}); err != nil {
		restore()
		if f.autoRemove {
			awaitRemoval(wait)
		}
		return startError(err)
	}
	if f.config.Tty {
		session.WatchSize(ctx, a.outFile(), func(ctx context.Context, h, w uint) error {
			_, err := cl.ContainerResize(ctx, f.id, client.ContainerResizeOptions{Height: h, Width: w})
			return err
		})
	}
	err := <-streams
	restore()
	if errors.Is(err, session.ErrDetached) {
		return nil
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	// A stream that broke says nothing about the container: its exit code does.
	return exitStatus(wait)
}

// awaitRemoval gives the engine the time to remove a container that could not
// start, so that --rm means the same for it.
func awaitRemoval(wait <-chan exited) {
	select {
	case <-wait:
	case <-time.After(10 * time.Second):
	}
}

// exitStatus is the end of a container as an error: nil for 0.
func exitStatus(wait <-chan exited) error {
	switch end := <-wait; {
	case errors.Is(end.err, context.Canceled):
		return end.err
	case end.err != nil:
		return &statusError{exitNotRun, end.err}
	case end.code != 0:
		return &statusError{code: int(end.code)}
	}
	return nil
}

// answered says whether err is an engine's answer, not a broken connection.
func answered(err error) bool {
	return cerrdefs.IsNotFound(err) || cerrdefs.IsInvalidArgument(err) || cerrdefs.IsConflict(err) || cerrdefs.IsInternal(err) || cerrdefs.IsNotImplemented(err)
}

// startError gives a container that could not start docker's exit code.
func startError(err error) error {
	text := strings.ToLower(err.Error())
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	code := exitNotRun
	switch {
	case has("executable file not found", "no such file or directory"):
		code = exitNotFound
	case has("permission denied", "is a directory", "not executable", "exec format error"):
		code = exitNotExecutable
	}
	return &statusError{code, err}
}
