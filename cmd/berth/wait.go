package main

import (
	"errors"
	"fmt"

	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
)

func newWait(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "wait CONTAINER...",
		Short: "Wait until containers stop, and print their exit codes",
		Args:  args(1, -1, "wait needs a container"),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			var errs []error
			for _, ref := range refs {
				end := <-a.wait(c.Context(), cl, ref, container.WaitConditionNotRunning)
				if end.err != nil {
					errs = append(errs, errors.New(message(end.err)))
					continue
				}
				fmt.Fprintln(a.out, end.code)
			}
			return errors.Join(errs...)
		},
	}
}
