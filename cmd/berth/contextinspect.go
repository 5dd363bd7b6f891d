package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/contexts"
)

// contextDetails is what inspect prints; the names are docker's.
type contextDetails struct {
	Name        string
	Metadata    map[string]string
	Endpoints   map[string]contextEndpoint
	TLSMaterial map[string][]string
	Storage     struct{ MetadataPath, TLSPath string }
}

type contextEndpoint struct {
	Host          string
	SkipTLSVerify bool
}

func newContextInspect(a *app) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "inspect [flags] [NAME...]", Short: "Show everything about contexts",
		RunE: func(_ *cobra.Command, names []string) error {
			if len(names) == 0 {
				name, err := a.contextName()
				if err != nil {
					return err
				}
				names = []string{name}
			}
			return a.inspect(names, format, func(name string) (json.RawMessage, error) {
				d, err := a.contextDetails(name)
				if err != nil {
					return nil, err
				}
				return json.Marshal(d)
			})
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "", "json or a Go template")
	return c
}

func (a *app) contextDetails(name string) (contextDetails, error) {
	d := contextDetails{Name: name, Metadata: map[string]string{}, TLSMaterial: map[string][]string{}}
	ctx := contexts.Context{Name: name}
	if name == contexts.Default {
		local := connect.Environment(lookupIn(a.environ))
		if err := local.Fill(); err != nil {
			return d, err
		}
		if ctx.Host = local.Host; ctx.Host == "" {
			ctx.Host = local.Socket()
		}
		d.Storage.MetadataPath, d.Storage.TLSPath = "<IN MEMORY>", "<IN MEMORY>"
	} else {
		var err error
		if ctx, err = a.contextStore().Get(name); err != nil {
			return d, err
		}
		d.Storage.MetadataPath, d.Storage.TLSPath = a.contextStore().MetaPath(name), a.contextStore().TLSPath(name)
	}
	if ctx.Description != "" {
		d.Metadata["Description"] = ctx.Description
	}
	d.Endpoints = map[string]contextEndpoint{"docker": {ctx.Host, ctx.SkipVerify}}
	if ctx.TLSDir != "" {
		entries, err := os.ReadDir(ctx.TLSDir)
		if err != nil {
			return d, fmt.Errorf("reading the certificates of context %q: %w", name, err)
		}
		for _, e := range entries {
			d.TLSMaterial["docker"] = append(d.TLSMaterial["docker"], e.Name())
		}
	}
	return d, nil
}
