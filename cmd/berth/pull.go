package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/credentials"
	"berth/cmd/berth/progress"
	"berth/cmd/berth/session"
)

func newPull(a *app) *cobra.Command {
	var all, quiet, trust bool
	var platform string
	c := &cobra.Command{
		Use:   "pull [flags] NAME[:TAG|@DIGEST]",
		Short: "Download an image from a registry",
		Args:  args(1, 1, "pull needs the name of an image"),
		RunE: func(c *cobra.Command, args []string) error {
			ref, err := reference.ParseNormalizedNamed(args[0])
			if err != nil {
				return err
			}
			if all && !reference.IsNameOnly(ref) {
				return errors.New("tag can't be used with --all-tags/-a")
			}
			if !all && reference.IsNameOnly(ref) {
				ref = reference.TagNameOnly(ref)
				if !quiet {
					fmt.Fprintln(a.out, "Using default tag: latest")
				}
			}
			out := a.out
			if quiet {
				out = io.Discard
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			if err := a.pull(c.Context(), cl, ref, all, platform, out); err != nil {
				return err
			}
			fmt.Fprintln(a.out, ref.String())
			return nil
		},
	}
	fs := c.Flags()
	fs.BoolVarP(&all, "all-tags", "a", false, "download all tags of the repository")
	fs.StringVar(&platform, "platform", "", "platform to take of an image for several (OS/ARCHITECTURE[/VARIANT])")
	fs.BoolVarP(&quiet, "quiet", "q", false, "print the name alone")
	noTrust(fs, &trust)
	return c
}

// pull pulls what ref means and shows how that goes on out.
func (a *app) pull(ctx context.Context, cl *connect.Client, ref reference.Named, all bool, platform string, out io.Writer) error {
	o := client.ImagePullOptions{All: all}
	if platform != "" {
		p, err := platforms.Parse(platform)
		if err != nil {
			return err
		}
		o.Platforms = []ocispec.Platform{p}
	}
	var err error
	if o.RegistryAuth, err = a.registryAuth(reference.Domain(ref)); err != nil {
		return err
	}
	res, err := cl.ImagePull(ctx, ref.String(), o)
	if err != nil {
		return engineGone("an image was pulled", err)
	}
	defer res.Close()
	return engineGone("an image was pulled", a.transferProgress(res, out))
}

// config is docker's config.json of the user.
func (a *app) config() (*credentials.File, error) {
	return credentials.Load(credentials.Path(lookupIn(a.environ)), a.environ)
}

// registryAuth is what the engine is to show the registry of a domain. A broken
// helper or file is only a warning: not every image needs credentials.
func (a *app) registryAuth(domain string) (string, error) {
	config, err := a.config()
	if err != nil {
		fmt.Fprintf(a.err, "WARNING: without credentials: %v\n", err)
		return "", nil
	}
	auth, err := config.Get(credentials.Server(domain))
	if err != nil {
		fmt.Fprintln(a.err, "WARNING: "+err.Error())
	}
	return authconfig.Encode(auth)
}

// transferProgress shows the engine's messages on out: lively if it is a
// terminal. An error among them is returned.
func (a *app) transferProgress(r io.Reader, out io.Writer) error {
	f, _ := out.(*os.File)
	if !session.IsTerminal(f) {
		return progress.Plain(r, out)
	}
	return progress.Terminal(r, out, func() (int, int) {
		h, w, ok := session.Size(f)
		if !ok {
			return 24, 80
		}
		return int(h), int(w)
	})
}
