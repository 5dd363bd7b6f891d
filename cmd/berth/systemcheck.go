package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
	"berth/engine/api/berthapi"
)

func newSystemCheck(a *app) *cobra.Command {
	var repair, asJSON bool
	c := &cobra.Command{
		Use:   "check [flags]",
		Short: "Read all images on disk again and compare them with their digests",
		Long: `Read all images on disk again: blobs against their digests, the files of layers
against the index made when they were unpacked, records against both.

With --repair, layers are unpacked anew from good blobs; what is damaged beyond
that is removed, and so are images that cannot run without it.

Exit codes: 0 all is well, or was mended; 1 something is wrong.`,
		Args: args(0, 0, "system check takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			bc, done, err := a.berthClient(c.Context())
			if err != nil {
				return err
			}
			defer done()
			found, err := bc.Check(c.Context(), repair)
			if err != nil {
				return err
			}
			return a.showCheck(found, asJSON)
		},
	}
	c.Flags().BoolVar(&repair, "repair", false, "mend what can be mended, remove what cannot")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) showCheck(c berthapi.Check, asJSON bool) error {
	open := 0
	for _, f := range c.Faults {
		if f.Mended == "" {
			open++
		}
	}
	if asJSON {
		if err := json.NewEncoder(a.out).Encode(c); err != nil {
			return err
		}
	} else {
		for _, f := range c.Faults {
			fmt.Fprintf(a.out, "%s %s: %s\n", f.What, f.ID, strings.ReplaceAll(f.Error, "\n", "; "))
			if len(f.Images) > 0 {
				fmt.Fprintf(a.out, "  needed by %s\n", strings.Join(f.Images, ", "))
			}
			if f.Mended != "" {
				fmt.Fprintf(a.out, "  %s\n", f.Mended)
			}
		}
		fmt.Fprintf(a.out, "%d images, %d layers, %d blobs of %s: ", c.Images, c.Layers, c.Blobs, output.Size(c.Bytes))
		switch {
		case len(c.Faults) == 0:
			fmt.Fprintln(a.out, "all is well")
		case open == 0:
			fmt.Fprintf(a.out, "%d faults, all mended or removed; pull again what is missing\n", len(c.Faults))
		default:
			fmt.Fprintf(a.out, "%d faults; berth system check --repair mends or removes them\n", len(c.Faults))
		}
	}
	if open > 0 {
		return &statusError{code: 1}
	}
	return nil
}
