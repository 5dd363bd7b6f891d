package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newPort(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "port CONTAINER [PORT[/PROTOCOL]]",
		Short: "Show the published ports of a container",
		Args:  args(1, 2, "port needs a container"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.ContainerInspect(c.Context(), args[0], client.ContainerInspectOptions{})
			if err != nil {
				return err
			}
			var ports network.PortMap
			if res.Container.NetworkSettings != nil {
				ports = res.Container.NetworkSettings.Ports
			}
			if len(args) == 2 {
				p, err := network.ParsePort(args[1])
				if err != nil {
					return err
				}
				if len(ports[p]) == 0 {
					return fmt.Errorf("container %s does not publish port %s", args[0], p)
				}
				for _, b := range ports[p] {
					fmt.Fprintln(a.out, binding(b))
				}
				return nil
			}
			var lines []string
			for p, bs := range ports {
				for _, b := range bs {
					lines = append(lines, p.String()+" -> "+binding(b))
				}
			}
			slices.Sort(lines)
			if len(lines) > 0 {
				fmt.Fprintln(a.out, strings.Join(lines, "\n"))
			}
			return nil
		},
	}
}

// binding is an address and a port of the host.
func binding(b network.PortBinding) string {
	host := "0.0.0.0"
	if b.HostIP.IsValid() {
		host = b.HostIP.String()
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + b.HostPort
}
