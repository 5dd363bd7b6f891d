package main

import (
	"fmt"
	"slices"
	"strings"

	"berth/cmd/berth/runflags"
	"berth/engine/api/berthapi"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newPort(a *app) *cobra.Command {
	c := &cobra.Command{
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
			a.showPorts(ports)
			return nil
		},
	}
	c.AddCommand(newPortChange(a, "add", "Publish ports of a container, while it runs too", func(p network.PortMap) berthapi.PortChange {
		return berthapi.PortChange{Add: p}
	}), newPortChange(a, "rm", "Publish ports of a container no more, while it runs too", func(p network.PortMap) berthapi.PortChange {
		return berthapi.PortChange{Remove: p}
	}))
	return c
}

// newPortChange is a verb that changes what a container publishes, now and with its next starts.
func newPortChange(a *app, verb, short string, change func(network.PortMap) berthapi.PortChange) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " CONTAINER [[IP:]HOST:]PORT[/PROTOCOL]...",
		Short: short,
		Args:  args(2, -1, "port "+verb+" needs a container and a port"),
		RunE: func(c *cobra.Command, args []string) error {
			ports, err := runflags.ParsePublished(args[1:])
			if err != nil {
				return err
			}
			bc, done, err := a.berthClient(c.Context())
			if err != nil {
				return err
			}
			defer done()
			now, err := bc.ChangePorts(c.Context(), args[0], change(ports))
			if err != nil {
				return err
			}
			a.showPorts(now)
			return nil
		},
	}
}

// showPorts lists where ports are published.
func (a *app) showPorts(ports network.PortMap) {
	var lines []string
	for p, bs := range ports {
		for _, b := range bs {
			lines = append(lines, p.String()+" -> "+binding(b))
		}
	}
	slices.Sort(lines)
	for _, l := range lines {
		fmt.Fprintln(a.out, l)
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
