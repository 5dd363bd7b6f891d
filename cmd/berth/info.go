package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

func newInfo(a *app) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "info [flags]",
		Short: "Show what the engine is and has",
		Args:  args(0, 0, "info takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.Info(c.Context(), client.InfoOptions{})
			if err != nil {
				return err
			}
			if format != "" {
				return output.Value(a.out, format, res.Info)
			}
			a.info(res.Info, cl.DaemonHost())
			return nil
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "", "json or a Go template")
	return c
}

// info prints what people look for, in docker's order.
func (a *app) info(i system.Info, host string) {
	line := func(format string, v ...any) { fmt.Fprintf(a.out, format+"\n", v...) }
	line("Client:\n Version:    %s\n Engine:     %s", berthVersion(), host)
	line("\nServer:\n Containers: %d\n  Running: %d\n  Paused: %d\n  Stopped: %d\n Images: %d", i.Containers, i.ContainersRunning, i.ContainersPaused, i.ContainersStopped, i.Images)
	line(" Server Version: %s\n Storage Driver: %s", i.ServerVersion, i.Driver)
	for _, s := range i.DriverStatus {
		line("  %s: %s", s[0], s[1])
	}
	line(" Logging Driver: %s\n Cgroup Driver: %s\n Cgroup Version: %s", i.LoggingDriver, i.CgroupDriver, cmp.Or(i.CgroupVersion, "1"))
	line(" Runtimes: %s\n Default Runtime: %s", strings.Join(slices.Sorted(maps.Keys(i.Runtimes)), " "), i.DefaultRuntime)
	if len(i.SecurityOptions) > 0 {
		line(" Security Options:\n  %s", strings.Join(i.SecurityOptions, "\n  "))
	}
	line(" Kernel Version: %s\n Operating System: %s\n OSType: %s\n Architecture: %s\n CPUs: %d\n Total Memory: %s", i.KernelVersion, i.OperatingSystem, i.OSType, i.Architecture, i.NCPU, units.BytesSize(float64(i.MemTotal)))
	line(" Name: %s\n ID: %s\n Root Dir: %s", i.Name, i.ID, i.DockerRootDir)
	a.registries(i.RegistryConfig)
	for _, w := range i.Warnings {
		fmt.Fprintln(a.err, "warning: "+strings.TrimPrefix(w, "WARNING: "))
	}
}

// registries prints which registries are trusted without a certificate, and
// the mirrors of the default one.
func (a *app) registries(c *registry.ServiceConfig) {
	if c == nil {
		return
	}
	list := func(title string, all []string) {
		if len(all) > 0 {
			fmt.Fprintf(a.out, " %s:\n  %s\n", title, strings.Join(all, "\n  "))
		}
	}
	var insecure []string
	for _, name := range slices.Sorted(maps.Keys(c.IndexConfigs)) {
		if !c.IndexConfigs[name].Secure {
			insecure = append(insecure, name)
		}
	}
	for _, n := range c.InsecureRegistryCIDRs {
		insecure = append(insecure, n.String())
	}
	list("Insecure Registries", insecure)
	list("Registry Mirrors", c.Mirrors)
}
