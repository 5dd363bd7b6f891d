package main

import (
	"fmt"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

// newContainer is docker's long way to say the verbs of containers.
func newContainer(a *app) *cobra.Command {
	c := &cobra.Command{Use: "container", Short: "All that is done with containers, and prune", Args: cobra.NoArgs, RunE: showHelp}
	list := newPs(a)
	list.Use, list.Aliases = "ls [flags]", []string{"ps", "list"}
	c.AddCommand(list, newKindInspect(a, "a", "container"), newContainerPrune(a), newRun(a), newCreate(a), newStart(a), newStop(a),
		newRestart(a), newKill(a), newPause(a), newUnpause(a), newRemove(a), newLogs(a), newExec(a), newAttach(a), newWait(a),
		newDiff(a), newCopy(a), newCommit(a), newExport(a), newTop(a), newStats(a), newPort(a), newRename(a))
	return c
}

func newContainerPrune(a *app) *cobra.Command {
	var o pruneOptions
	c := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove all stopped containers",
		Args:  args(0, 0, "container prune takes no arguments; narrow it with --filter"),
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := parseFilters(o.filters)
			if err != nil {
				return err
			}
			if !a.confirm(o.force, "all stopped containers") {
				return nil
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.ContainerPrune(c.Context(), client.ContainerPruneOptions{Filters: f})
			if err != nil {
				return err
			}
			a.list("Deleted Containers:", res.Report.ContainersDeleted)
			fmt.Fprintln(a.out, "Total reclaimed space: "+output.TotalSize(int64(res.Report.SpaceReclaimed)))
			return nil
		},
	}
	o.registerFilters(c.Flags())
	return c
}
