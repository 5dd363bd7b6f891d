package main

import (
	"errors"
	"fmt"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newRemoveImage(a *app) *cobra.Command {
	var force, noPrune bool
	c := &cobra.Command{
		Use:   "rmi [flags] IMAGE...",
		Short: "Remove images",
		Args:  args(1, -1, "rmi needs an image"),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			var errs []error
			for _, ref := range refs {
				res, err := cl.ImageRemove(c.Context(), ref, client.ImageRemoveOptions{Force: force, PruneChildren: !noPrune})
				if err != nil {
					errs = append(errs, errors.New(message(err)))
					continue
				}
				for _, d := range res.Items {
					if d.Untagged != "" {
						fmt.Fprintln(a.out, "Untagged: "+d.Untagged)
					}
					if d.Deleted != "" {
						fmt.Fprintln(a.out, "Deleted: "+d.Deleted)
					}
				}
			}
			return errors.Join(errs...)
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "remove even when in use by stopped containers or tagged twice")
	c.Flags().BoolVar(&noPrune, "no-prune", false, "keep untagged parents")
	return c
}
