package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
	"berth/cmd/berth/session"
	"berth/engine/api/berthapi"
)

func newDiff(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff CONTAINER",
		Short: "Show what a container added (A), changed (C) and deleted (D)",
		Args:  args(1, 1, "diff needs one container"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			bc := berthapi.NewClient(cl.Client)
			defer bc.Close()
			err = a.printChanges(bc.Changes(c.Context(), args[0]))
			if !errors.Is(err, berthapi.ErrUnsupported) {
				return err
			}
			return a.printDockerChanges(c.Context(), cl.Client, args[0])
		},
	}
}

// printChanges prints changes as they come, however many, in docker's terms: content and attributes are one kind.
func (a *app) printChanges(changes iter.Seq2[berthapi.Change, error]) error {
	shown := a.shown()
	out := bufio.NewWriter(a.out)
	for ch, err := range changes {
		if err != nil {
			return errors.Join(out.Flush(), err)
		}
		kind := container.ChangeModify
		switch ch.Kind {
		case berthapi.ChangeAdded:
			kind = container.ChangeAdd
		case berthapi.ChangeDeleted:
			kind = container.ChangeDelete
		}
		if _, err := fmt.Fprintln(out, kind, shown(ch.Path)); err != nil {
			return err
		}
	}
	return out.Flush()
}

// printDockerChanges asks an engine that has only docker's route, which sends them all at once.
func (a *app) printDockerChanges(ctx context.Context, cl *client.Client, id string) error {
	res, err := cl.ContainerDiff(ctx, id, client.ContainerDiffOptions{})
	if err != nil {
		return err
	}
	shown := a.shown()
	out := bufio.NewWriter(a.out)
	for _, ch := range res.Changes {
		if _, err := fmt.Fprintln(out, ch.Kind, shown(ch.Path)); err != nil {
			return err
		}
	}
	return out.Flush()
}

// shown is how the names of files, which strangers gave, are printed: as they are, but on a terminal without what would
// do something to it.
func (a *app) shown() func(name string) string {
	if session.IsTerminal(a.outFile()) {
		return output.Clean
	}
	return func(name string) string { return name }
}
