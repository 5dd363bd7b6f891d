package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/runflags"
	"berth/cmd/berth/session"
)

// execOptions are the flags of exec.
type execOptions struct {
	create client.ExecCreateOptions
	detach bool
	stdin  bool
	files  []string
}

func newExec(a *app) *cobra.Command {
	var o execOptions
	c := &cobra.Command{
		Use:   "exec [flags] CONTAINER COMMAND [ARG...]",
		Short: "Run a command in a running container",
		Args:  args(2, -1, "exec needs a container and a command"),
	}
	fs := c.Flags()
	fs.SetInterspersed(false)
	fs.BoolVarP(&o.stdin, "interactive", "i", false, "keep stdin open")
	fs.BoolVarP(&o.create.TTY, "tty", "t", false, "give the command a terminal")
	fs.BoolVarP(&o.detach, "detach", "d", false, "run in the background")
	fs.StringVarP(&o.create.User, "user", "u", "", "user name or UID, with an optional :group")
	fs.StringVarP(&o.create.WorkingDir, "workdir", "w", "", "working directory")
	fs.StringArrayVarP(&o.create.Env, "env", "e", nil, "set an environment variable")
	fs.StringArrayVar(&o.files, "env-file", nil, "read environment variables from a file")
	fs.BoolVar(&o.create.Privileged, "privileged", false, "give the command all capabilities")
	fs.StringVar(&o.create.DetachKeys, "detach-keys", "", "keys that detach (default ctrl-p,ctrl-q)")
	c.RunE = func(c *cobra.Command, args []string) error {
		env, err := runflags.ReadEnv(o.files, o.create.Env, a.environ)
		if err != nil {
			return err
		}
		o.create.Env, o.create.Cmd = env, args[1:]
		return a.exec(c.Context(), args[0], o)
	}
	return c
}

// exec runs the command; its error is the command's exit code.
func (a *app) exec(ctx context.Context, ref string, o execOptions) error {
	if !o.detach {
		o.create.AttachStdin, o.create.AttachStdout, o.create.AttachStderr = o.stdin, true, true
		if o.create.TTY && o.stdin && !session.IsTerminal(a.in) {
			return errors.New("-t needs a terminal, and stdin is none: leave -t out when piping")
		}
	}
	cl, err := a.client(ctx)
	if err != nil {
		return err
	}
	if h, w, ok := a.terminalSize(); ok && o.create.TTY {
		o.create.ConsoleSize = client.ConsoleSize{Height: h, Width: w}
	}
	created, err := cl.ExecCreate(ctx, ref, o.create)
	if err != nil {
		return err
	}
	if o.detach {
		if _, err := cl.ExecStart(ctx, created.ID, client.ExecStartOptions{Detach: true, TTY: o.create.TTY}); err != nil {
			return execError(err)
		}
		return nil
	}
	return a.execAttached(ctx, cl, created.ID, o)
}

// execAttached starts the exec and stays with it.
func (a *app) execAttached(ctx context.Context, cl *connect.Client, id string, o execOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	att, err := cl.ExecAttach(ctx, id, client.ExecAttachOptions{TTY: o.create.TTY, ConsoleSize: o.create.ConsoleSize})
	if err != nil {
		return execError(cl.Explain(err))
	}
	s := session.Streams{Out: a.out, Err: a.err}
	restore := func() {}
	if o.stdin {
		s.In = a.in
		if o.create.TTY {
			if restore, err = session.Raw(a.in); err != nil {
				att.Close()
				return err
			}
		}
	}
	defer restore()
	if o.create.TTY {
		session.WatchSize(ctx, a.outFile(), func(ctx context.Context, h, w uint) error {
			_, err := cl.ExecResize(ctx, id, client.ExecResizeOptions{Height: h, Width: w})
			return err
		})
	}
	err = session.Copy(ctx, att.HijackedResponse, s, session.Options{TTY: o.create.TTY, DetachKeys: o.create.DetachKeys})
	restore()
	if errors.Is(err, session.ErrDetached) {
		return nil
	}
	if err != nil {
		return err
	}
	res, err := cl.ExecInspect(ctx, id, client.ExecInspectOptions{})
	if err != nil && !answered(err) {
		// The command's streams do not depend on the engine, which may be another by now.
		if cl, err = a.nextEngine(ctx, true); err == nil {
			res, err = cl.ExecInspect(ctx, id, client.ExecInspectOptions{})
		}
	}
	if err != nil {
		return fmt.Errorf("reading the exit code of the command: %w", err)
	}
	if res.ExitCode != 0 {
		return &statusError{code: res.ExitCode}
	}
	return nil
}

// execError gives a command that could not start 126 or 127, and any other
// refusal docker's plain 1.
func execError(err error) error {
	var status *statusError
	if e := startError(err); errors.As(e, &status) && status.code != exitNotRun {
		return e
	}
	return err
}
