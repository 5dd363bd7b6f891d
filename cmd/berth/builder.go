//go:build !client

package main

import (
	"fmt"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

func newBuilder(a *app) *cobra.Command {
	c := &cobra.Command{Use: "builder", Short: "Look after the build cache", Args: cobra.NoArgs, RunE: showHelp}
	c.AddCommand(newBuild(a), newBuilderPrune(a), newBuilderUsage(a))
	return c
}

func newBuilderPrune(a *app) *cobra.Command {
	var o pruneOptions
	var reserved, most, free string
	c := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove what the build cache holds and nothing uses",
		Args:  args(0, 0, "builder prune takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			what := "all dangling build cache"
			if o.all {
				what = "all build cache"
			}
			if !a.confirm(o.force, what) {
				return nil
			}
			filters, err := parseFilters(o.filters)
			if err != nil {
				return err
			}
			opts := client.BuildCachePruneOptions{All: o.all, Filters: filters}
			for _, size := range []struct {
				flag, text string
				into       *int64
			}{{"reserved-space", reserved, &opts.ReservedSpace}, {"max-used-space", most, &opts.MaxUsedSpace}, {"min-free-space", free, &opts.MinFreeSpace}} {
				if size.text == "" {
					continue
				}
				if *size.into, err = units.RAMInBytes(size.text); err != nil {
					return fmt.Errorf("--%s %s: %w", size.flag, size.text, err)
				}
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			r, err := cl.BuildCachePrune(c.Context(), opts)
			if err != nil {
				return err
			}
			if len(r.Report.CachesDeleted) > 0 {
				fmt.Fprintln(a.out, "Deleted build cache objects:")
				for _, id := range r.Report.CachesDeleted {
					fmt.Fprintln(a.out, id)
				}
				fmt.Fprintln(a.out)
			}
			fmt.Fprintf(a.out, "Total reclaimed space: %s\n", output.Size(int64(r.Report.SpaceReclaimed)))
			return nil
		},
	}
	c.Flags().BoolVarP(&o.all, "all", "a", false, "also what belongs to images")
	o.registerFilters(c.Flags())
	c.Flags().StringVar(&reserved, "reserved-space", "", "keep this much")
	c.Flags().StringVar(&reserved, "keep-storage", "", "same as --reserved-space")
	c.Flags().StringVar(&most, "max-used-space", "", "remove until no more than this is used")
	c.Flags().StringVar(&free, "min-free-space", "", "remove until this much of the disk is free")
	return c
}

// cacheRow is a line of builder du.
type cacheRow struct{ ID, Reclaimable, Size, LastUsed, Type, Description string }

func newBuilderUsage(a *app) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "du [flags]",
		Short: "Show what the build cache holds",
		Args:  args(0, 0, "builder du takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			u, err := cl.DiskUsage(c.Context(), client.DiskUsageOptions{BuildCache: true, Verbose: true})
			if err != nil {
				return err
			}
			var rows []cacheRow
			for _, r := range u.BuildCache.Items {
				row := cacheRow{ID: r.ID, Reclaimable: fmt.Sprint(!r.InUse), Size: output.Size(r.Size), Type: r.Type, Description: r.Description}
				if r.Shared {
					row.Size += "*" // an image has it, too
				}
				if r.LastUsedAt != nil {
					row.LastUsed = units.HumanDuration(time.Since(*r.LastUsedAt)) + " ago"
				}
				rows = append(rows, row)
			}
			err = output.Rows(a.out, output.Spec{Format: format, Table: "{{.ID}}\t{{.Reclaimable}}\t{{.Size}}\t{{.LastUsed}}",
				Headers: output.Headers{"ID": "ID", "Reclaimable": "RECLAIMABLE", "Size": "SIZE", "LastUsed": "LAST ACCESSED", "Type": "TYPE", "Description": "DESCRIPTION"}}, rows)
			if err != nil || format != "" {
				return err
			}
			fmt.Fprintf(a.out, "Reclaimable:\t%s\nTotal:\t\t%s\n", output.Size(u.BuildCache.Reclaimable), output.Size(u.BuildCache.TotalSize))
			return nil
		},
	}
	c.Flags().StringVar(&format, "format", "", "table, json or a Go template")
	return c
}
