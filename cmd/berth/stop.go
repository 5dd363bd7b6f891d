package main

import (
	"context"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
)

// stopLike makes stop and restart, which take the same flags.
func stopLike(a *app, name, short string, do func(ctx context.Context, cl *connect.Client, ref, signal string, timeout *int) error) *cobra.Command {
	var signal string
	var seconds int
	c := &cobra.Command{
		Use:   name + " [flags] CONTAINER...",
		Short: short,
		Args:  args(1, -1, name+" needs a container"),
	}
	c.RunE = func(c *cobra.Command, refs []string) error {
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		var timeout *int
		if c.Flags().Changed("timeout") || c.Flags().Changed("time") {
			timeout = &seconds
		}
		return a.together(refs, func(ref string) error { return do(c.Context(), cl, ref, signal, timeout) })
	}
	c.Flags().StringVarP(&signal, "signal", "s", "", "signal to send first")
	c.Flags().IntVarP(&seconds, "timeout", "t", 0, "seconds to wait before killing; -1 for no limit")
	c.Flags().IntVar(&seconds, "time", 0, "old name of --timeout")
	_ = c.Flags().MarkHidden("time") // fails for an unknown flag only
	return c
}

func newStop(a *app) *cobra.Command {
	return stopLike(a, "stop", "Stop running containers", func(ctx context.Context, cl *connect.Client, ref, signal string, timeout *int) error {
		_, err := cl.ContainerStop(ctx, ref, client.ContainerStopOptions{Signal: signal, Timeout: timeout})
		return err
	})
}

func newRestart(a *app) *cobra.Command {
	return stopLike(a, "restart", "Restart containers", func(ctx context.Context, cl *connect.Client, ref, signal string, timeout *int) error {
		_, err := cl.ContainerRestart(ctx, ref, client.ContainerRestartOptions{Signal: signal, Timeout: timeout})
		return err
	})
}

func newKill(a *app) *cobra.Command {
	var signal string
	c := &cobra.Command{
		Use:   "kill [flags] CONTAINER...",
		Short: "Send a signal to running containers",
		Args:  args(1, -1, "kill needs a container"),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			return a.together(refs, func(ref string) error {
				_, err := cl.ContainerKill(c.Context(), ref, client.ContainerKillOptions{Signal: signal})
				return err
			})
		},
	}
	c.Flags().StringVarP(&signal, "signal", "s", "", "signal to send (default KILL)")
	return c
}
