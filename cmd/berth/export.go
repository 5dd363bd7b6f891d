package main

import (
	"io"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newExport(a *app) *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:   "export [flags] CONTAINER",
		Short: "Write a container's file system to a tar archive",
		Args:  args(1, 1, "export needs a container"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			return a.writeArchive(name, func() (io.ReadCloser, error) {
				return cl.ContainerExport(c.Context(), args[0], client.ContainerExportOptions{})
			})
		},
	}
	c.Flags().StringVarP(&name, "output", "o", "", "write to this file instead of stdout")
	return c
}
