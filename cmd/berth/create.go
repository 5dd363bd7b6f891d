package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"berth/cmd/berth/runflags"
)

func newCreate(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "create [flags] IMAGE [COMMAND] [ARG...]",
		Short: "Create a container without starting it",
		Args:  args(1, -1, "create needs an image"),
	}
	fs := c.Flags()
	fs.Bool("help", false, "help for create")
	f := runflags.Register(fs)
	c.RunE = func(c *cobra.Command, args []string) error {
		r, err := f.Parse(args, a.environ)
		if err != nil {
			return &statusError{exitNotRun, err}
		}
		// What a later "start -a -i" may attach to.
		r.Config.AttachStdin = r.Config.OpenStdin
		r.Config.StdinOnce = r.Config.OpenStdin
		r.Config.AttachStdout, r.Config.AttachStderr = true, true
		cl, err := a.client(c.Context())
		if err != nil {
			return &statusError{exitNotRun, err}
		}
		id, err := a.create(c.Context(), cl, r)
		if err != nil {
			return &statusError{exitNotRun, err}
		}
		fmt.Fprintln(a.out, id)
		return nil
	}
	return c
}
