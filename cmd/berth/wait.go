package main

import (
	"errors"
	"fmt"

	"github.com/moby/moby/client"
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
				w := cl.ContainerWait(c.Context(), ref, client.ContainerWaitOptions{})
				select {
				case res := <-w.Result:
					if res.Error != nil {
						errs = append(errs, errors.New(res.Error.Message))
						continue
					}
					fmt.Fprintln(a.out, res.StatusCode)
				case err := <-w.Error:
					errs = append(errs, errors.New(message(err)))
				}
			}
			return errors.Join(errs...)
		},
	}
}
