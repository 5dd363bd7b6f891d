//go:build !client

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"berth/cmd/berth/credentials"
	"berth/engine/registry"
)

func newManifest(a *app) *cobra.Command {
	c := &cobra.Command{Use: "manifest", Short: "Look at manifests in registries", Args: cobra.NoArgs, RunE: showHelp}
	c.AddCommand(newManifestInspect(a))
	return c
}

// newManifestInspect asks the registry itself, as docker does: an engine need
// not run, and a manifest need not be of an image that could.
func newManifestInspect(a *app) *cobra.Command {
	var verbose, insecure bool
	c := &cobra.Command{
		Use:   "inspect [flags] NAME[:TAG|@DIGEST]",
		Short: "Show a manifest, or the list of those for several platforms",
		Args:  args(1, 1, "manifest inspect needs the name of an image"),
		RunE: func(c *cobra.Command, args []string) error {
			ref, err := reference.ParseNormalizedNamed(args[0])
			if err != nil {
				return err
			}
			ref = reference.TagNameOnly(ref)
			settings, err := a.settings()
			if err != nil {
				return err
			}
			conf := settings.Registries(agent())
			if insecure {
				conf.Insecure = append(conf.Insecure, reference.Domain(ref))
			}
			remote, err := registry.NewRemote(conf)
			if err != nil {
				return err
			}
			config, err := a.config()
			if err != nil {
				return err
			}
			auth, err := config.Get(credentials.Server(reference.Domain(ref)))
			if err != nil {
				fmt.Fprintln(a.err, "WARNING: "+err.Error())
			}
			if err = a.inspectManifest(c.Context(), remote, ref, auth, verbose); errdefs.IsNotFound(err) {
				return fmt.Errorf("no such manifest: %s", reference.FamiliarString(ref))
			}
			return err
		},
	}
	fs := c.Flags()
	fs.BoolVarP(&verbose, "verbose", "v", false, "show the descriptor, the platform and the bytes too, of each manifest of a list")
	fs.BoolVar(&insecure, "insecure", false, "allow plain HTTP and certificates that cannot be verified")
	return c
}

// inspectManifest prints what ref is in its registry.
func (a *app) inspectManifest(ctx context.Context, remote *registry.Remote, ref reference.Named, auth registry.Auth, verbose bool) error {
	if !verbose {
		m, err := remote.Manifest(ctx, ref, auth)
		if err != nil {
			return err
		}
		return a.indented(m.Raw)
	}
	all, err := remote.Manifests(ctx, ref, auth)
	if err != nil {
		return err
	}
	docs := make([]manifestDoc, len(all))
	for i, m := range all {
		docs[i] = manifestDocOf(ref, m)
	}
	var v any = docs
	if len(all) == 1 && !all[0].Listed {
		v = docs[0]
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.indented(raw)
}

// indented prints JSON as docker's manifest command does.
func (a *app) indented(raw []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "\t"); err != nil {
		return fmt.Errorf("the manifest is not JSON: %w", err)
	}
	_, err := fmt.Fprintln(a.out, b.String())
	return err
}

// manifestDoc is what --verbose prints of a manifest; the names are docker's.
type manifestDoc struct {
	Ref              string
	Descriptor       manifestDescriptor
	Raw              []byte
	SchemaV2Manifest json.RawMessage `json:",omitempty"`
	OCIManifest      json.RawMessage `json:",omitempty"`
}

// manifestDescriptor has the fields of a descriptor in docker's order.
type manifestDescriptor struct {
	MediaType string            `json:"mediaType"`
	Digest    digest.Digest     `json:"digest"`
	Size      int64             `json:"size"`
	Platform  *ocispec.Platform `json:"platform,omitempty"`
}

func manifestDocOf(ref reference.Named, m registry.Manifest) manifestDoc {
	d := manifestDoc{Ref: reference.FamiliarString(ref), Raw: m.Raw, Descriptor: manifestDescriptor{
		m.Descriptor.MediaType, m.Descriptor.Digest, m.Descriptor.Size, m.Descriptor.Platform,
	}}
	if m.Listed {
		d.Ref += "@" + m.Descriptor.Digest.String()
	}
	if m.Descriptor.MediaType == images.MediaTypeDockerSchema2Manifest {
		d.SchemaV2Manifest = m.Raw
	} else {
		d.OCIManifest = m.Raw
	}
	return d
}
