package main

import (
	"errors"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newStart(a *app) *cobra.Command {
	var attach, interactive bool
	var keys string
	c := &cobra.Command{
		Use:   "start [flags] CONTAINER...",
		Short: "Start stopped containers",
		Args:  args(1, -1, "start needs a container"),
		RunE: func(c *cobra.Command, refs []string) error {
			ctx := c.Context()
			cl, err := a.client(ctx)
			if err != nil {
				return err
			}
			if !attach && !interactive {
				return a.forEach(refs, func(ref string) error {
					_, err := cl.ContainerStart(ctx, ref, client.ContainerStartOptions{})
					return err
				})
			}
			if len(refs) > 1 {
				return errors.New("only one container can be attached to at a time")
			}
			res, err := cl.ContainerInspect(ctx, refs[0], client.ContainerInspectOptions{})
			if err != nil {
				return err
			}
			ctr := res.Container
			return a.foreground(ctx, cl, foreground{
				id: ctr.ID, config: ctr.Config, autoRemove: ctr.HostConfig.AutoRemove,
				sigProxy: true, detachKeys: keys,
				stdin: interactive && ctr.Config.OpenStdin, stdout: true, stderr: true,
			})
		},
	}
	c.Flags().BoolVarP(&attach, "attach", "a", false, "stay, show the output and pass signals on")
	c.Flags().BoolVarP(&interactive, "interactive", "i", false, "attach stdin too")
	c.Flags().StringVar(&keys, "detach-keys", "", "keys that detach (default ctrl-p,ctrl-q)")
	return c
}
