package main

import (
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newTag(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "tag IMAGE[:TAG] NAME[:TAG]",
		Short: "Give an image another name",
		Args:  args(2, 2, "tag needs an image and its new name"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			_, err = cl.ImageTag(c.Context(), client.ImageTagOptions{Source: args[0], Target: args[1]})
			return err
		},
	}
}
