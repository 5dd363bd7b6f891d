package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/output"
	"berth/engine/release"
)

// versions is what version prints; the names are docker's.
type versions struct {
	Client clientVersion
	Server *client.ServerVersionResult `json:",omitempty"`
}

type clientVersion struct {
	Version, APIVersion, GoVersion, GitCommit, BuildTime, Os, Arch string
}

func newVersion(a *app) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "version [flags]",
		Short: "Show the versions of berth and of the engine",
		Args:  args(0, 0, "version takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			v := versions{Client: thisClient()}
			// Asking for a version is no reason to start an engine.
			if err := a.fill(); err != nil {
				return err
			}
			cl, err := connect.Connect(c.Context(), a.conf, connect.Options{Version: berthVersion(), NoStart: true})
			if err == nil {
				var s client.ServerVersionResult
				if s, err = cl.ServerVersion(c.Context(), client.ServerVersionOptions{}); err == nil {
					v.Server, v.Client.APIVersion = &s, cl.ClientVersion()
				}
			}
			if format != "" {
				if e := output.Value(a.out, format, v); e != nil {
					return e
				}
			} else {
				a.version(v)
			}
			if errors.Is(err, connect.ErrNoEngine) {
				fmt.Fprintln(a.err, "no engine is running: the first verb that needs one starts it")
				return nil
			}
			return err
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "", "json or a Go template")
	return c
}

func thisClient() clientVersion {
	b := release.This()
	return clientVersion{b.Version, client.MaxAPIVersion, b.Go, b.Commit, b.Time, runtime.GOOS, runtime.GOARCH}
}

func (a *app) version(v versions) {
	fmt.Fprintf(a.out, "Client:\n Version:      %s\n API version:  %s\n Go version:   %s\n Git commit:   %s\n Built:        %s\n OS/Arch:      %s/%s\n",
		v.Client.Version, v.Client.APIVersion, v.Client.GoVersion, v.Client.GitCommit, v.Client.BuildTime, v.Client.Os, v.Client.Arch)
	if v.Server == nil {
		return
	}
	name := v.Server.Platform.Name
	if name == "" {
		name = "engine"
	}
	part := func(detail string) string {
		for _, c := range v.Server.Components {
			if c.Name == "Engine" {
				return c.Details[detail]
			}
		}
		return ""
	}
	fmt.Fprintf(a.out, "\nServer: %s\n Version:      %s\n API version:  %s (minimum version %s)\n Git commit:   %s\n Built:        %s\n OS/Arch:      %s/%s\n",
		name, v.Server.Version, v.Server.APIVersion, v.Server.MinAPIVersion, part("GitCommit"), part("BuildTime"), v.Server.Os, v.Server.Arch)
	for _, comp := range v.Server.Components {
		fmt.Fprintf(a.out, " %s:\n  Version:     %s\n", comp.Name, comp.Version)
	}
}
