//go:build !client

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
	"berth/store"
)

type snapshotRow struct{ Key, Parent, Kind string }

func newCtrSnapshots(a *app) *cobra.Command {
	ls := listing(a, "ls", "List the snapshots", output.Spec{
		Headers: output.Headers{"Key": "KEY", "Parent": "PARENT", "Kind": "KIND"}, Table: "{{.Key}}\t{{.Parent}}\t{{.Kind}}",
	}, func(ctx context.Context, v *store.View) (rows []snapshotRow, err error) {
		err = v.Snapshots.Walk(ctx, func(_ context.Context, i snapshots.Info) error {
			rows = append(rows, snapshotRow{i.Name, i.Parent, i.Kind.String()})
			return nil
		})
		slices.SortFunc(rows, func(a, b snapshotRow) int { return strings.Compare(a.Key, b.Key) })
		return rows, err
	})
	return group("snapshots", "Layers and writable layers", []string{"snapshot"}, ls, newCtrSnapshotInfo(a), newCtrSnapshotMounts(a), newCtrSnapshotTree(a), newCtrSnapshotUsage(a))
}

func newCtrSnapshotInfo(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "info KEY", Short: "Print what is on record of a snapshot, and where it is",
		Args: args(1, 1, "snapshots info needs a key"),
		RunE: func(c *cobra.Command, keys []string) error {
			return a.look(func(v *store.View) error {
				info, err := v.Snapshots.Stat(c.Context(), keys[0])
				if err != nil {
					return err
				}
				dirs, err := v.Snapshots.Dirs(c.Context(), keys[0])
				if err != nil {
					return err
				}
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "    ")
				return enc.Encode(struct {
					Kind snapshots.Kind
					snapshots.Info
					Dir string
				}{info.Kind, info, dirs.Upper})
			})
		},
	}
}

func newCtrSnapshotMounts(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "mounts TARGET KEY", Short: "Print the commands that mount a snapshot",
		Long: `Print the commands that mount a snapshot at a directory. Mount a writable layer only
while its container does not run.`,
		Args: args(2, 2, "snapshots mounts needs a directory and a key"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.look(func(v *store.View) error {
				ms, err := v.Snapshots.Mounts(c.Context(), args[1])
				if err != nil {
					return err
				}
				for _, m := range ms {
					fmt.Fprintf(a.out, "mount -t %s %s %s -o %s\n", m.Type, shellWord(m.Source), shellWord(args[0]), shellWord(strings.Join(m.Options, ",")))
				}
				return nil
			})
		},
	}
}

// shellWord quotes a word for a shell if it needs it.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-.,:=@%+", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func newCtrSnapshotTree(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "tree", Short: "Print the snapshots, each below its parent",
		Args: args(0, 0, "snapshots tree takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.look(func(v *store.View) error {
				kids, known := map[string][]string{}, map[string]bool{}
				err := v.Snapshots.Walk(c.Context(), func(_ context.Context, i snapshots.Info) error {
					kids[i.Parent] = append(kids[i.Parent], i.Name)
					known[i.Name] = true
					return nil
				})
				if err != nil {
					return err
				}
				for parent := range maps.Keys(kids) {
					if parent != "" && !known[parent] { // it is lost; what is above it still is there
						kids[""] = append(kids[""], kids[parent]...)
					}
				}
				a.branch(kids, "", 0)
				return nil
			})
		},
	}
}

// branch prints what is above a snapshot.
func (a *app) branch(kids map[string][]string, parent string, depth int) {
	list := kids[parent]
	slices.Sort(list)
	for _, key := range list {
		prefix := ""
		if depth > 0 {
			prefix = strings.Repeat("  ", depth-1) + ` \_ `
		}
		fmt.Fprintln(a.out, prefix+key)
		a.branch(kids, key, depth+1)
	}
}

type snapshotUsage struct{ Key, Size, Inodes string }

func newCtrSnapshotUsage(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "usage [KEY...]", Short: "Print what snapshots take on disk",
		Args: args(0, -1, ""),
		RunE: func(c *cobra.Command, keys []string) error {
			return a.look(func(v *store.View) error {
				if len(keys) == 0 {
					if err := v.Snapshots.Walk(c.Context(), func(_ context.Context, i snapshots.Info) error {
						keys = append(keys, i.Name)
						return nil
					}); err != nil {
						return err
					}
					slices.Sort(keys)
				}
				var rows []snapshotUsage
				for _, key := range keys {
					u, err := v.Snapshots.Usage(c.Context(), key)
					if err != nil {
						return err
					}
					rows = append(rows, snapshotUsage{key, output.Size(u.Size), strconv.FormatInt(u.Inodes, 10)})
				}
				return output.Rows(a.out, output.Spec{Headers: output.Headers{"Key": "KEY", "Size": "SIZE", "Inodes": "INODES"}, Table: "{{.Key}}\t{{.Size}}\t{{.Inodes}}"}, rows)
			})
		},
	}
}
