package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

// psRow is a line of ps; the names are docker's.
type psRow struct {
	Command, CreatedAt, ID, Image, Labels, LocalVolumes string
	Mounts, Names, Networks, Ports                      string
	RunningFor, Size, State, Status                     string

	labels map[string]string
}

// Label is one label's value.
func (r psRow) Label(name string) string { return r.labels[name] }

var psHeaders = output.Headers{
	"ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "CreatedAt": "CREATED AT", "RunningFor": "CREATED",
	"Ports": "PORTS", "State": "STATE", "Status": "STATUS", "Size": "SIZE", "Names": "NAMES", "Labels": "LABELS",
	"Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS",
}

func newPs(a *app) *cobra.Command {
	var o client.ContainerListOptions
	var quiet, noTrunc, latest bool
	var format string
	var filters []string
	c := &cobra.Command{
		Use:   "ps [flags]",
		Short: "List containers",
		Args:  args(0, 0, "ps takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if o.Filters, err = parseFilters(filters); err != nil {
				return err
			}
			if latest && o.Limit <= 0 {
				o.Limit = 1
			}
			if o.Limit > 0 {
				o.All = true
			}
			o.Size = o.Size || strings.Contains(format, ".Size")
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.ContainerList(c.Context(), o)
			if err != nil {
				return err
			}
			if quiet && format == "" {
				for _, s := range res.Items {
					fmt.Fprintln(a.out, psRowOf(s, noTrunc).ID)
				}
				return nil
			}
			rows := make([]psRow, len(res.Items))
			for i, s := range res.Items {
				rows[i] = psRowOf(s, noTrunc)
			}
			table := "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
			if o.Size {
				table += "\t{{.Size}}"
			}
			return output.Rows(a.out, output.Spec{Format: format, Table: table, Headers: psHeaders}, rows)
		},
	}
	fs := c.Flags()
	fs.BoolVarP(&o.All, "all", "a", false, "show stopped containers too")
	fs.BoolVarP(&o.Size, "size", "s", false, "show sizes")
	fs.IntVarP(&o.Limit, "last", "n", -1, "show the N newest containers, whatever their state")
	fs.BoolVarP(&latest, "latest", "l", false, "show the newest container, whatever its state")
	fs.BoolVarP(&quiet, "quiet", "q", false, "print IDs only")
	fs.BoolVar(&noTrunc, "no-trunc", false, "do not shorten")
	fs.StringVar(&format, "format", "", "table, json or a Go template")
	fs.StringArrayVarP(&filters, "filter", "f", nil, "filter (KEY=VALUE)")
	return c
}

func psRowOf(s container.Summary, noTrunc bool) psRow {
	names := make([]string, 0, len(s.Names))
	for _, n := range s.Names {
		// Links appear as /other/name; only own names are shown.
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			names = append(names, n)
		}
	}
	var mounts, networks []string
	volumes := 0
	for _, m := range s.Mounts {
		name := m.Name
		if name == "" {
			name = m.Source
		}
		if m.Driver == "local" {
			volumes++
		}
		if !noTrunc {
			name = output.Truncate(name, 15)
		}
		mounts = append(mounts, name)
	}
	if s.NetworkSettings != nil {
		for n := range s.NetworkSettings.Networks {
			networks = append(networks, n)
		}
	}
	slices.Sort(networks)
	created := time.Unix(s.Created, 0)
	r := psRow{
		ID: s.ID, Image: s.Image, Command: s.Command,
		CreatedAt: created.Format("2006-01-02 15:04:05 -0700 MST"), RunningFor: output.Ago(created),
		State: string(s.State), Status: s.Status, Ports: output.Ports(s.Ports), Names: strings.Join(names, ","),
		Labels: output.Labels(s.Labels), Mounts: strings.Join(mounts, ","), Networks: strings.Join(networks, ","),
		LocalVolumes: strconv.Itoa(volumes), Size: output.Size(s.SizeRw),
		labels: s.Labels,
	}
	if s.SizeRootFs > 0 {
		r.Size += " (virtual " + output.Size(s.SizeRootFs) + ")"
	}
	if !noTrunc {
		r.ID, r.Command = output.ShortID(r.ID), output.Truncate(r.Command, 20)
	}
	r.Command = strconv.Quote(r.Command)
	return r
}

// parseFilters reads --filter KEY=VALUE words.
func parseFilters(in []string) (client.Filters, error) {
	f := client.Filters{}
	for _, s := range in {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("--filter %s: must be KEY=VALUE", s)
		}
		f.Add(strings.ToLower(strings.TrimSpace(k)), strings.TrimSpace(v))
	}
	return f, nil
}
