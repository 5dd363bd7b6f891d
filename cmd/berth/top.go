package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newTop(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "top CONTAINER [PS FLAGS...]",
		Short: "Show the processes of a container",
		Args:  args(1, -1, "top needs a container"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.ContainerTop(c.Context(), args[0], client.ContainerTopOptions{Arguments: args[1:]})
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.out, 20, 1, 3, ' ', 0)
			fmt.Fprintln(w, strings.Join(res.Titles, "\t"))
			shown := a.shown() // a process calls itself what it likes
			for _, p := range res.Processes {
				for i := range p {
					p[i] = shown(p[i])
				}
				fmt.Fprintln(w, strings.Join(p, "\t"))
			}
			return w.Flush()
		},
	}
	c.Flags().SetInterspersed(false)
	return c
}
