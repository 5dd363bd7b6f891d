package main

import (
	"fmt"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newDiff(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff CONTAINER",
		Short: "Show what a container added (A), changed (C) and deleted (D)",
		Args:  args(1, 1, "diff needs one container"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.ContainerDiff(c.Context(), args[0], client.ContainerDiffOptions{})
			if err != nil {
				return err
			}
			for _, ch := range res.Changes {
				fmt.Fprintln(a.out, ch.Kind, ch.Path)
			}
			return nil
		},
	}
}
