package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

// historyRow is a line of history; the names are docker's.
type historyRow struct {
	Comment, CreatedAt, CreatedBy, CreatedSince, ID, Size string
}

var historyHeaders = output.Headers{
	"ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "CreatedBy": "CREATED BY", "Size": "SIZE", "Comment": "COMMENT",
}

func newHistory(a *app) *cobra.Command {
	var quiet, noTrunc bool
	human := true
	var format string
	c := &cobra.Command{
		Use:   "history [flags] IMAGE",
		Short: "Show the steps that made an image",
		Args:  args(1, 1, "history needs one image"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.ImageHistory(c.Context(), args[0])
			if err != nil {
				return err
			}
			rows := make([]historyRow, len(res.Items))
			for i, h := range res.Items {
				created := time.Unix(h.Created, 0)
				r := historyRow{
					ID: h.ID, Comment: h.Comment, CreatedBy: strings.ReplaceAll(h.CreatedBy, "\t", " "),
					CreatedAt: created.Format(time.RFC3339), CreatedSince: output.Ago(created), Size: output.Size(h.Size),
				}
				if !human {
					r.CreatedSince, r.Size = r.CreatedAt, fmt.Sprint(h.Size)
				}
				if !noTrunc {
					r.CreatedBy = output.Truncate(r.CreatedBy, 45)
					if strings.Contains(r.ID, ":") {
						r.ID = output.ShortID(r.ID)
					}
				}
				rows[i] = r
			}
			if quiet && format == "" {
				format = "{{.ID}}"
			}
			return output.Rows(a.out, output.Spec{
				Format: format, Headers: historyHeaders,
				Table: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
			}, rows)
		},
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print IDs only")
	c.Flags().BoolVar(&noTrunc, "no-trunc", false, "do not shorten")
	c.Flags().BoolVar(&human, "human", true, "print sizes and dates for people")
	c.Flags().StringVar(&format, "format", "", "table, json or a Go template")
	return c
}
