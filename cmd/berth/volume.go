package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

// volumeRow is a line of volume ls; the names are docker's.
type volumeRow struct {
	Driver, Labels, Mountpoint, Name, Scope string

	labels map[string]string
}

// Label is one label's value.
func (r volumeRow) Label(name string) string { return r.labels[name] }

var volumeHeaders = output.Headers{
	"Name": "VOLUME NAME", "Driver": "DRIVER", "Scope": "SCOPE", "Mountpoint": "MOUNTPOINT", "Labels": "LABELS",
}

func newVolume(a *app) *cobra.Command {
	c := &cobra.Command{Use: "volume", Short: "Make, look at and remove volumes", Args: cobra.NoArgs, RunE: showHelp}
	c.AddCommand(newVolumeCreate(a), newVolumeList(a), newKindInspect(a, "a", "volume"), newVolumeRemove(a), newVolumePrune(a),
		newVolumeCat(a), newVolumeExport(a), newVolumeImport(a), newVolumeClone(a))
	return c
}

func newVolumeCreate(a *app) *cobra.Command {
	var o client.VolumeCreateOptions
	var labels, opts []string
	c := &cobra.Command{
		Use:   "create [flags] [NAME]",
		Short: "Make a volume",
		Args:  args(0, 1, "volume create takes one name"),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && o.Name != "":
				return errors.New("volume create takes one name, as an argument or with --name")
			case len(args) == 1:
				o.Name = args[0]
			}
			o.Labels, o.DriverOpts = pairs(labels), pairs(opts)
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.VolumeCreate(c.Context(), o)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, res.Volume.Name)
			return nil
		},
	}
	c.Flags().StringVarP(&o.Driver, "driver", "d", "local", "driver")
	c.Flags().StringVar(&o.Name, "name", "", "name of the volume")
	c.Flags().Lookup("name").Hidden = true // docker's old way
	c.Flags().StringArrayVar(&labels, "label", nil, "set a label (KEY=VALUE)")
	c.Flags().StringArrayVarP(&opts, "opt", "o", nil, "driver option (KEY=VALUE)")
	return c
}

// pairs reads KEY[=VALUE] words.
func pairs(in []string) map[string]string {
	out := map[string]string{}
	for _, s := range in {
		k, v, _ := strings.Cut(s, "=")
		out[k] = v
	}
	return out
}

func newVolumeList(a *app) *cobra.Command {
	var quiet bool
	var format string
	var filters []string
	c := &cobra.Command{
		Use:     "ls [flags] [VOLUME[:PATH]]",
		Aliases: []string{"list"},
		Short:   "List volumes, or the files in one",
		Args:    args(0, 1, "volume ls takes one volume"),
		RunE: func(c *cobra.Command, of []string) error {
			if len(of) == 1 {
				return a.listFiles(c, of[0], format, quiet)
			}
			f, err := parseFilters(filters)
			if err != nil {
				return err
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.VolumeList(c.Context(), client.VolumeListOptions{Filters: f})
			if err != nil {
				return err
			}
			var rows []volumeRow
			for _, v := range res.Items {
				rows = append(rows, volumeRow{Name: v.Name, Driver: v.Driver, Scope: v.Scope, Mountpoint: v.Mountpoint, Labels: output.Labels(v.Labels), labels: v.Labels})
			}
			if quiet && format == "" {
				format = "{{.Name}}"
			}
			return output.Rows(a.out, output.Spec{Format: format, Headers: volumeHeaders, Table: "{{.Driver}}\t{{.Name}}"}, rows)
		},
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print names only")
	c.Flags().StringVar(&format, "format", "", "table, json or a Go template")
	c.Flags().StringArrayVarP(&filters, "filter", "f", nil, "filter (KEY=VALUE)")
	return c
}

func newVolumeRemove(a *app) *cobra.Command {
	var o client.VolumeRemoveOptions
	c := &cobra.Command{
		Use:     "rm [flags] VOLUME...",
		Aliases: []string{"remove"},
		Short:   "Remove volumes",
		Args:    args(1, -1, "volume rm needs a volume"),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			return a.forEach(refs, func(ref string) error {
				_, err := cl.VolumeRemove(c.Context(), ref, o)
				return err
			})
		},
	}
	c.Flags().BoolVarP(&o.Force, "force", "f", false, "a missing volume is no error")
	return c
}

func newVolumePrune(a *app) *cobra.Command {
	var o pruneOptions
	c := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove unused volumes",
		Args:  args(0, 0, "volume prune takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			what := "all anonymous volumes that no container uses"
			if o.all {
				what = "all volumes that no container uses"
			}
			if !a.confirm(o.force, what) {
				return nil
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			total, err := a.pruneVolumes(c.Context(), cl, o)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, "Total reclaimed space: "+output.TotalSize(int64(total)))
			return nil
		},
	}
	o.register(c.Flags())
	return c
}
