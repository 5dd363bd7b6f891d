package main

import (
	"io"

	"github.com/spf13/cobra"
)

func newSave(a *app) *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:   "save [flags] IMAGE...",
		Short: "Write images to a tar archive that docker load takes too",
		Args:  args(1, -1, "save needs an image"),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			return a.writeArchive(name, func() (io.ReadCloser, error) { return cl.ImageSave(c.Context(), refs) })
		},
	}
	c.Flags().StringVarP(&name, "output", "o", "", "write to this file instead of stdout")
	return c
}
