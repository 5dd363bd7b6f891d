package main

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/output"
)

func newSystem(a *app) *cobra.Command {
	c := &cobra.Command{Use: "system", Short: "Look after the engine", Args: cobra.NoArgs, RunE: showHelp}
	c.AddCommand(newSystemDF(a), newInfo(a), newEvents(a), newSystemPrune(a), newSystemCheck(a), newDialStdio(a))
	for _, build := range systemEngineVerbs {
		c.AddCommand(build(a))
	}
	return c
}

// pruneOptions are the flags of the prune verbs.
type pruneOptions struct {
	all, force, volumes bool
	filters             []string
}

func (o *pruneOptions) register(fs *pflag.FlagSet) {
	fs.BoolVarP(&o.all, "all", "a", false, "everything unused, not only what has no name")
	o.registerFilters(fs)
}

// registerFilters leaves out --all.
func (o *pruneOptions) registerFilters(fs *pflag.FlagSet) {
	fs.BoolVarP(&o.force, "force", "f", false, "do not ask")
	fs.StringArrayVar(&o.filters, "filter", nil, "filter (KEY=VALUE)")
}

func newSystemPrune(a *app) *cobra.Command {
	var o pruneOptions
	c := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove stopped containers, unused networks and images, and build cache",
		Args:  args(0, 0, "system prune takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			what := []string{"all stopped containers", "all networks not used by at least one container"}
			if o.volumes {
				what = append(what, "all anonymous volumes not used by at least one container")
				if o.all {
					what[2] = "all volumes not used by at least one container"
				}
			}
			if o.all {
				what = append(what, "all images without at least one container associated to them", "all build cache")
			} else {
				what = append(what, "all dangling images", "unused build cache")
			}
			if !a.confirm(o.force, what...) {
				return nil
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			return a.prune(c.Context(), cl, o)
		},
	}
	o.register(c.Flags())
	c.Flags().BoolVar(&o.volumes, "volumes", false, "volumes too")
	return c
}

// prune removes by kind, what uses before what is used.
func (a *app) prune(ctx context.Context, cl *connect.Client, o pruneOptions) error {
	f, err := parseFilters(o.filters)
	if err != nil {
		return err
	}
	ctrs, err := cl.ContainerPrune(ctx, client.ContainerPruneOptions{Filters: f})
	if err != nil {
		return err
	}
	total := ctrs.Report.SpaceReclaimed
	a.list("Deleted Containers:", ctrs.Report.ContainersDeleted)
	nets, err := cl.NetworkPrune(ctx, client.NetworkPruneOptions{Filters: f})
	if err != nil {
		return err
	}
	a.list("Deleted Networks:", nets.Report.NetworksDeleted)
	if o.volumes {
		n, err := a.pruneVolumes(ctx, cl, o)
		if err != nil {
			return err
		}
		total += n
	}
	imgs, err := cl.ImagePrune(ctx, client.ImagePruneOptions{Filters: f.Clone().Add("dangling", strconv.FormatBool(!o.all))})
	if err != nil {
		return err
	}
	a.list("Deleted Images:", removedLines(imgs.Report.ImagesDeleted))
	total += imgs.Report.SpaceReclaimed
	if len(f["label"])+len(f["label!"]) == 0 { // nothing of builds has one
		cache, err := cl.BuildCachePrune(ctx, client.BuildCachePruneOptions{All: o.all, Filters: f})
		if err != nil {
			return err
		}
		a.list("Deleted build cache objects:", cache.Report.CachesDeleted)
		total += cache.Report.SpaceReclaimed
	}
	fmt.Fprintln(a.out, "Total reclaimed space: "+output.TotalSize(int64(total)))
	return nil
}

func (a *app) pruneVolumes(ctx context.Context, cl *connect.Client, o pruneOptions) (uint64, error) {
	f, err := parseFilters(o.filters)
	if err != nil {
		return 0, err
	}
	res, err := cl.VolumePrune(ctx, client.VolumePruneOptions{All: o.all, Filters: f})
	if err != nil {
		return 0, err
	}
	a.list("Deleted Volumes:", res.Report.VolumesDeleted)
	return res.Report.SpaceReclaimed, nil
}

// list prints a title and what stands under it, nothing when that is empty.
func (a *app) list(title string, lines []string) {
	if len(lines) > 0 {
		fmt.Fprintln(a.out, title+"\n"+strings.Join(lines, "\n")+"\n")
	}
}

// confirm asks before what cannot be undone: one kind of things, or a list.
func (a *app) confirm(force bool, what ...string) bool {
	if force {
		return true
	}
	list := " " + what[0] + "."
	if len(what) > 1 {
		list = ":\n  - " + strings.Join(what, "\n  - ") + "\n"
	}
	fmt.Fprintf(a.err, "WARNING! This will remove%s\nAre you sure you want to continue? [y/N] ", list)
	if a.in == nil {
		return false
	}
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && line == "" {
		return false
	}
	return strings.EqualFold(strings.TrimSpace(line), "y")
}
