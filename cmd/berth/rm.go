package main

import (
	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newRemove(a *app) *cobra.Command {
	var o client.ContainerRemoveOptions
	c := &cobra.Command{
		Use:   "rm [flags] CONTAINER...",
		Short: "Remove containers",
		Args:  args(1, -1, "rm needs a container"),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			return a.together(refs, func(ref string) error {
				_, err := cl.ContainerRemove(c.Context(), ref, o)
				if o.Force && cerrdefs.IsNotFound(err) {
					// As docker: what is to be gone is gone.
					return nil
				}
				return err
			})
		},
	}
	c.Flags().BoolVarP(&o.Force, "force", "f", false, "kill a running container first")
	c.Flags().BoolVarP(&o.RemoveLinks, "link", "l", false, "remove the link PARENT/ALIAS instead of a container")
	c.Flags().BoolVarP(&o.RemoveVolumes, "volumes", "v", false, "remove its anonymous volumes too")
	return c
}
