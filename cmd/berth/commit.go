package main

import (
	"fmt"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newCommit(a *app) *cobra.Command {
	var o client.ContainerCommitOptions
	pause := true
	c := &cobra.Command{
		Use:   "commit [flags] CONTAINER [NAME[:TAG]]",
		Short: "Make an image of a container",
		Args:  args(1, 2, "commit needs a container"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			if len(args) == 2 {
				o.Reference = args[1]
			}
			o.NoPause = !pause
			res, err := cl.ContainerCommit(c.Context(), args[0], o)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, res.ID)
			return nil
		},
	}
	fs := c.Flags()
	fs.StringVarP(&o.Author, "author", "a", "", "author of the image, e.g. 'Ada <ada@example.org>'")
	fs.StringVarP(&o.Comment, "message", "m", "", "message for the image's history")
	fs.StringArrayVarP(&o.Changes, "change", "c", nil, `Dockerfile instruction to apply, e.g. 'CMD ["sh"]'`)
	fs.BoolVarP(&pause, "pause", "p", true, "pause the container while its files are read")
	return c
}
