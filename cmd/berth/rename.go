package main

import (
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newRename(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rename CONTAINER NAME",
		Short: "Rename a container",
		Args:  args(2, 2, "rename needs a container and its new name"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			_, err = cl.ContainerRename(c.Context(), args[0], client.ContainerRenameOptions{NewName: args[1]})
			return err
		},
	}
}
