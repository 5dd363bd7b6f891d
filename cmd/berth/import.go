package main

import (
	"strings"

	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
)

func newImport(a *app) *cobra.Command {
	var o client.ImageImportOptions
	var platform string
	c := &cobra.Command{
		Use:   "import [flags] FILE|URL|- [NAME[:TAG]]",
		Short: "Make an image from the tar archive of a root filesystem",
		Args:  args(1, 2, "import needs an archive: a file, an URL, or - for stdin"),
		RunE: func(c *cobra.Command, args []string) error {
			if os, arch, ok := strings.Cut(platform, "/"); ok {
				o.Platform = ocispec.Platform{OS: os, Architecture: arch}
			}
			src := client.ImageImportSource{SourceName: "-"}
			if strings.HasPrefix(args[0], "http://") || strings.HasPrefix(args[0], "https://") {
				src.SourceName = args[0]
			} else {
				in, err := a.inputFile(args[0], "the archive of a root filesystem is needed: name it or pipe it in")
				if err != nil {
					return err
				}
				defer in.Close()
				src.Source = in
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			ref := ""
			if len(args) == 2 {
				ref = args[1]
			}
			res, err := cl.ImageImport(c.Context(), src, ref, o)
			if err != nil {
				return engineGone("an image was imported", err)
			}
			defer res.Close()
			return engineGone("an image was imported", a.progress(res))
		},
	}
	c.Flags().StringVarP(&o.Message, "message", "m", "", "message for the image's history")
	c.Flags().StringArrayVarP(&o.Changes, "change", "c", nil, `Dockerfile instruction to apply, e.g. 'CMD ["sh"]'`)
	c.Flags().StringVar(&platform, "platform", "", "platform of the image (OS/ARCHITECTURE)")
	return c
}
