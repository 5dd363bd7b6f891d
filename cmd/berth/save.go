package main

import (
	"fmt"
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
			w, done, err := a.outputFile(name)
			if err != nil {
				return err
			}
			res, err := cl.ImageSave(c.Context(), refs)
			if err != nil {
				return done(err)
			}
			defer res.Close()
			if _, err = io.Copy(w, res); err != nil {
				err = fmt.Errorf("writing the archive: %w", err)
			}
			return done(err)
		},
	}
	c.Flags().StringVarP(&name, "output", "o", "", "write to this file instead of stdout")
	return c
}
