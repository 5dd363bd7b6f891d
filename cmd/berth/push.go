package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newPush(a *app) *cobra.Command {
	var o client.ImagePushOptions
	var quiet, trust bool
	var platform string
	c := &cobra.Command{
		Use:   "push [flags] NAME[:TAG]",
		Short: "Upload an image to a registry",
		Args:  args(1, 1, "push needs the name of an image"),
		RunE: func(c *cobra.Command, args []string) error {
			ref, err := reference.ParseNormalizedNamed(args[0])
			if err != nil {
				return err
			}
			if o.All && !reference.IsNameOnly(ref) {
				return errors.New("tag can't be used with --all-tags/-a")
			}
			if !o.All && reference.IsNameOnly(ref) {
				ref = reference.TagNameOnly(ref)
				if !quiet {
					fmt.Fprintln(a.out, "Using default tag: latest")
				}
			}
			if platform != "" {
				p, err := platforms.Parse(platform)
				if err != nil {
					return err
				}
				o.Platform = &p
			}
			if o.RegistryAuth, err = a.registryAuth(reference.Domain(ref)); err != nil {
				return err
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.ImagePush(c.Context(), ref.String(), o)
			if err != nil {
				return engineGone("an image was pushed", err)
			}
			defer res.Close()
			out := a.out
			if quiet {
				out = io.Discard
			}
			if err := a.transferProgress(res, out); err != nil {
				return engineGone("an image was pushed", err)
			}
			if quiet {
				fmt.Fprintln(a.out, ref.String())
			}
			return nil
		},
	}
	fs := c.Flags()
	fs.BoolVarP(&o.All, "all-tags", "a", false, "upload all tags of the repository")
	fs.StringVar(&platform, "platform", "", "upload only if the image is for this platform (OS/ARCHITECTURE[/VARIANT])")
	fs.BoolVarP(&quiet, "quiet", "q", false, "print the name alone")
	noTrust(fs, &trust)
	return c
}

// noTrust takes docker's flag for its content trust, which nothing here does:
// so what is given is what happens, unless it asks for trust.
func noTrust(fs *pflag.FlagSet, v *bool) {
	fs.BoolVar(v, "disable-content-trust", true, "signatures of Notary are not looked at; there for docker's sake")
}
