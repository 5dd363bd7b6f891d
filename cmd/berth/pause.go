package main

import (
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newPause(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "pause CONTAINER...",
		Short: "Freeze all processes of containers",
		Args:  args(1, -1, "pause needs a container"),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			return a.together(refs, func(ref string) error {
				_, err := cl.ContainerPause(c.Context(), ref, client.ContainerPauseOptions{})
				return err
			})
		},
	}
}

func newUnpause(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "unpause CONTAINER...",
		Short: "Let frozen containers go on",
		Args:  args(1, -1, "unpause needs a container"),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			return a.together(refs, func(ref string) error {
				_, err := cl.ContainerUnpause(c.Context(), ref, client.ContainerUnpauseOptions{})
				return err
			})
		},
	}
}
