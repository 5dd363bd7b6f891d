package main

import (
	"strconv"
	"strings"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

// searchRow is a line of search; the names are docker's.
type searchRow struct {
	Name, Description, StarCount, IsOfficial, IsAutomated string
}

var searchHeaders = output.Headers{
	"Name": "NAME", "Description": "DESCRIPTION", "StarCount": "STARS", "IsOfficial": "OFFICIAL", "IsAutomated": "AUTOMATED",
}

func newSearch(a *app) *cobra.Command {
	var o client.ImageSearchOptions
	var filters []string
	var noTrunc bool
	var format string
	c := &cobra.Command{
		Use:   "search [flags] TERM",
		Short: "Search the default registry, or the one that TERM begins with, for images",
		Args:  args(1, 1, "search needs a word"),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if o.Filters, err = parseFilters(filters); err != nil {
				return err
			}
			domain := ""
			if first, _, ok := strings.Cut(args[0], "/"); ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
				domain = first
			}
			if o.RegistryAuth, err = a.registryAuth(domain); err != nil {
				return err
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.ImageSearch(c.Context(), args[0], o)
			if err != nil {
				return err
			}
			rows := make([]searchRow, len(res.Items))
			for i, r := range res.Items {
				mark := func(is bool) string {
					if is {
						return "[OK]"
					}
					return ""
				}
				// The description is one line, whatever the registry sends.
				text := strings.Join(strings.Fields(r.Description), " ")
				if !noTrunc {
					text = output.Truncate(text, 45)
				}
				rows[i] = searchRow{Name: r.Name, Description: text, StarCount: strconv.Itoa(r.StarCount), IsOfficial: mark(r.IsOfficial)}
			}
			return output.Rows(a.out, output.Spec{
				Format: format, Headers: searchHeaders, Table: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
			}, rows)
		},
	}
	fs := c.Flags()
	fs.StringArrayVarP(&filters, "filter", "f", nil, "filter (is-official=true, stars=NUMBER)")
	fs.StringVar(&format, "format", "", "table, json or a Go template")
	fs.IntVar(&o.Limit, "limit", 0, "at most so many results (1 to 100; 25 if not given)")
	fs.BoolVar(&noTrunc, "no-trunc", false, "do not shorten")
	return c
}
