package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

// imageRow is a line of images; the names are docker's.
type imageRow struct {
	Containers, CreatedAt, CreatedSince, Digest, ID, Repository, SharedSize, Size, Tag, UniqueSize string
}

var imageHeaders = output.Headers{
	"ID": "IMAGE ID", "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "CreatedSince": "CREATED",
	"CreatedAt": "CREATED AT", "Size": "SIZE", "Containers": "CONTAINERS", "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE",
}

func newImages(a *app) *cobra.Command {
	var o client.ImageListOptions
	var quiet, noTrunc, digests, tree bool
	var format string
	var filters []string
	c := &cobra.Command{
		Use:     "images [flags] [REPOSITORY[:TAG]]",
		Aliases: []string{"ls"},
		Short:   "List images",
		Args:    args(0, 1, "images takes at most one name"),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if o.Filters, err = parseFilters(filters); err != nil {
				return err
			}
			if len(args) == 1 {
				o.Filters.Add("reference", args[0])
			}
			if tree && (quiet || digests || format != "") {
				return errors.New("--tree goes with neither --quiet, --digests nor --format")
			}
			o.Manifests = tree
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.ImageList(c.Context(), o)
			if err != nil {
				return err
			}
			if tree {
				return imagesTree(a.out, res.Items, noTrunc)
			}
			var rows []imageRow
			for _, s := range res.Items {
				rows = append(rows, imageRows(s, noTrunc, digests || strings.Contains(format, ".Digest"))...)
			}
			if quiet && format == "" {
				seen := map[string]bool{}
				for _, r := range rows {
					if !seen[r.ID] {
						fmt.Fprintln(a.out, r.ID)
						seen[r.ID] = true
					}
				}
				return nil
			}
			table := "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
			if digests {
				table = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
			}
			return output.Rows(a.out, output.Spec{Format: format, Table: table, Headers: imageHeaders}, rows)
		},
	}
	fs := c.Flags()
	fs.BoolVarP(&o.All, "all", "a", false, "show intermediate images too")
	fs.BoolVarP(&quiet, "quiet", "q", false, "print IDs only")
	fs.BoolVar(&noTrunc, "no-trunc", false, "do not shorten")
	fs.BoolVar(&digests, "digests", false, "show digests")
	fs.BoolVar(&tree, "tree", false, "show the platforms of each image below it")
	fs.StringVar(&format, "format", "", "table, json or a Go template")
	fs.StringArrayVarP(&filters, "filter", "f", nil, "filter (KEY=VALUE)")
	return c
}

// imageRows are the rows of one image: one for every name.
func imageRows(s image.Summary, noTrunc, digests bool) []imageRow {
	created := time.Unix(s.Created, 0)
	base := imageRow{
		ID: s.ID, Repository: "<none>", Tag: "<none>", Digest: "<none>",
		CreatedAt: created.Format("2006-01-02 15:04:05 -0700 MST"), CreatedSince: output.Ago(created),
		Size: output.Size(s.Size), Containers: known(s.Containers), SharedSize: knownSize(s.SharedSize), UniqueSize: "N/A",
	}
	if s.SharedSize >= 0 {
		base.UniqueSize = output.TotalSize(s.Size - s.SharedSize)
	}
	if !noTrunc {
		base.ID = output.ShortID(s.ID)
	}
	digestOf := map[string]string{}
	for _, d := range s.RepoDigests {
		if repo, digest, ok := strings.Cut(d, "@"); ok {
			digestOf[repo] = digest
		}
	}
	var rows []imageRow
	shown := map[string]bool{}
	for _, t := range s.RepoTags {
		r := base
		if i := strings.LastIndex(t, ":"); i > 0 {
			r.Repository, r.Tag = t[:i], t[i+1:]
		} else {
			r.Repository = t
		}
		if d, ok := digestOf[r.Repository]; ok {
			r.Digest = d
		}
		shown[r.Repository] = true
		rows = append(rows, r)
	}
	if len(rows) > 0 && !digests {
		return rows
	}
	for _, repo := range slices.Sorted(maps.Keys(digestOf)) {
		if shown[repo] {
			continue
		}
		r, d := base, digestOf[repo]
		r.Repository, r.Digest = repo, d
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		rows = append(rows, base)
	}
	return rows
}

// known is a number the engine may not have counted (-1).
func known(n int64) string {
	if n < 0 {
		return "N/A"
	}
	return fmt.Sprint(n)
}

func knownSize(n int64) string {
	if n < 0 {
		return "N/A"
	}
	return output.TotalSize(n)
}
