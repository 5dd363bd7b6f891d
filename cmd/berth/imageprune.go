package main

import (
	"fmt"
	"strconv"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

func newImagePrune(a *app) *cobra.Command {
	var o pruneOptions
	c := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove images without a name, or all that no container uses",
		Args:  args(0, 0, "image prune takes no arguments; narrow it with --filter"),
		RunE: func(c *cobra.Command, _ []string) error {
			what := "all images without a name"
			if o.all {
				what = "all images that no container uses"
			}
			f, err := parseFilters(o.filters)
			if err != nil {
				return err
			}
			if !a.confirm(o.force, what) {
				return nil
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.ImagePrune(c.Context(), client.ImagePruneOptions{Filters: f.Clone().Add("dangling", strconv.FormatBool(!o.all))})
			if err != nil {
				return err
			}
			a.list("Deleted Images:", removedLines(res.Report.ImagesDeleted))
			fmt.Fprintln(a.out, "Total reclaimed space: "+output.TotalSize(int64(res.Report.SpaceReclaimed)))
			return nil
		},
	}
	o.register(c.Flags())
	return c
}

// removedLines say what became of images.
func removedLines(removed []image.DeleteResponse) []string {
	var lines []string
	for _, d := range removed {
		if d.Untagged != "" {
			lines = append(lines, "untagged: "+d.Untagged)
		}
		if d.Deleted != "" {
			lines = append(lines, "deleted: "+d.Deleted)
		}
	}
	return lines
}
