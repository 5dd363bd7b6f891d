package main

import (
	"fmt"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/runflags"
)

func newUpdate(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "update [flags] CONTAINER...",
		Short: "Change the limits and the restart policy of containers",
		Args:  args(1, -1, "update needs a container"),
	}
	flags := runflags.RegisterUpdate(c.Flags())
	c.RunE = func(c *cobra.Command, refs []string) error {
		asked, err := flags.ParseUpdate()
		if err != nil {
			return usageError(c, err)
		}
		cl, err := a.client(c.Context())
		if err != nil {
			return err
		}
		return a.forEach(refs, func(ref string) error {
			done, err := cl.ContainerUpdate(c.Context(), ref, client.ContainerUpdateOptions{Resources: &asked.Resources, RestartPolicy: &asked.RestartPolicy})
			for _, w := range done.Warnings {
				fmt.Fprintln(a.err, w)
			}
			return err
		})
	}
	return c
}
