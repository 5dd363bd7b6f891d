package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/session"
)

func newAttach(a *app) *cobra.Command {
	var noStdin, sigProxy bool
	var keys string
	c := &cobra.Command{
		Use:   "attach [flags] CONTAINER",
		Short: "Join the terminal or the streams of a running container",
		Args:  args(1, 1, "attach needs one container"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.attach(c.Context(), args[0], noStdin, sigProxy, keys)
		},
	}
	c.Flags().BoolVar(&noStdin, "no-stdin", false, "do not attach stdin")
	c.Flags().BoolVar(&sigProxy, "sig-proxy", true, "pass signals on to the container")
	c.Flags().StringVar(&keys, "detach-keys", "", "keys that detach (default ctrl-p,ctrl-q)")
	return c
}

// attach joins ref until it ends or the user detaches; its error is the
// container's exit code then.
func (a *app) attach(ctx context.Context, ref string, noStdin, sigProxy bool, keys string) error {
	cl, err := a.client(ctx)
	if err != nil {
		return err
	}
	res, err := cl.ContainerInspect(ctx, ref, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	ctr := res.Container
	switch {
	case !ctr.State.Running:
		return fmt.Errorf("container %s is not running: start it with 'berth start -ai %s'", ref, ref)
	case ctr.State.Paused:
		return fmt.Errorf("container %s is paused: let it go on with 'berth unpause %s'", ref, ref)
	case ctr.State.Restarting:
		return fmt.Errorf("container %s is restarting: wait until it runs", ref)
	}
	stdin := ctr.Config.OpenStdin && !noStdin
	if stdin && ctr.Config.Tty && !session.IsTerminal(a.in) {
		return errors.New("the container has a terminal, and stdin is none: use --no-stdin when piping")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wait := a.wait(ctx, cl, ctr.ID, container.WaitConditionNotRunning)
	att, err := cl.ContainerAttach(ctx, ctr.ID, client.ContainerAttachOptions{
		Stream: true, Stdin: stdin, Stdout: true, Stderr: true, DetachKeys: keys,
	})
	if err != nil {
		return cl.Explain(err)
	}
	s := session.Streams{Out: a.out, Err: a.err}
	if stdin {
		s.In = a.in
	}
	restore := func() {}
	if stdin && ctr.Config.Tty {
		if restore, err = session.Raw(a.in); err != nil {
			att.Close()
			return err
		}
	}
	defer restore()
	if ctr.Config.Tty {
		session.WatchSize(ctx, a.outFile(), func(ctx context.Context, h, w uint) error {
			_, err := cl.ContainerResize(ctx, ctr.ID, client.ContainerResizeOptions{Height: h, Width: w})
			return err
		})
	} else if sigProxy {
		stop := session.ForwardSignals(ctx, func(ctx context.Context, sig string) error {
			_, err := cl.ContainerKill(ctx, ctr.ID, client.ContainerKillOptions{Signal: sig})
			return err
		})
		defer stop()
	}
	err = session.Copy(ctx, att.HijackedResponse, s, session.Options{TTY: ctr.Config.Tty, DetachKeys: keys})
	restore()
	if errors.Is(err, session.ErrDetached) {
		fmt.Fprintln(a.err, "detached; the container goes on")
		return nil
	}
	if err != nil {
		return err
	}
	return exitStatus(wait)
}
