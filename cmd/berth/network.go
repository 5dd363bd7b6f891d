package main

import (
	"fmt"
	"strconv"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

// networkRow is a line of network ls; the names are docker's.
type networkRow struct {
	CreatedAt, Driver, ID, IPv4, IPv6, Internal, Labels, Name, Scope string

	labels map[string]string
}

// Label is one label's value.
func (r networkRow) Label(name string) string { return r.labels[name] }

var networkHeaders = output.Headers{
	"ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "IPv4": "IPV4", "IPv6": "IPV6",
	"Internal": "INTERNAL", "Labels": "LABELS", "CreatedAt": "CREATED AT",
}

func newNetwork(a *app) *cobra.Command {
	c := &cobra.Command{Use: "network", Short: "Make, look at, join and remove networks", Args: cobra.NoArgs, RunE: showHelp}
	c.AddCommand(newNetworkCreate(a), newNetworkList(a), newKindInspect(a, "a", "network"), newNetworkConnect(a), newNetworkDisconnect(a),
		newNetworkRemove(a), newNetworkPrune(a))
	return c
}

// showHelp is what a family of verbs does without one.
func showHelp(c *cobra.Command, _ []string) error { return c.Help() }

func newNetworkList(a *app) *cobra.Command {
	var quiet, noTrunc bool
	var format string
	var filters []string
	c := &cobra.Command{
		Use:     "ls [flags]",
		Aliases: []string{"list"},
		Short:   "List networks",
		Args:    args(0, 0, "network ls takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := parseFilters(filters)
			if err != nil {
				return err
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.NetworkList(c.Context(), client.NetworkListOptions{Filters: f})
			if err != nil {
				return err
			}
			var rows []networkRow
			for _, n := range res.Items {
				r := networkRow{
					ID: n.ID, Name: n.Name, Driver: n.Driver, Scope: n.Scope,
					IPv4: strconv.FormatBool(n.EnableIPv4), IPv6: strconv.FormatBool(n.EnableIPv6),
					Internal: strconv.FormatBool(n.Internal), Labels: output.Labels(n.Labels), CreatedAt: fmt.Sprint(n.Created),
					labels: n.Labels,
				}
				if !noTrunc {
					r.ID = output.ShortID(n.ID)
				}
				rows = append(rows, r)
			}
			if quiet && format == "" {
				format = "{{.ID}}"
			}
			return output.Rows(a.out, output.Spec{Format: format, Headers: networkHeaders, Table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}"}, rows)
		},
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print IDs only")
	c.Flags().BoolVar(&noTrunc, "no-trunc", false, "do not shorten")
	c.Flags().StringVar(&format, "format", "", "table, json or a Go template")
	c.Flags().StringArrayVarP(&filters, "filter", "f", nil, "filter (KEY=VALUE)")
	return c
}
