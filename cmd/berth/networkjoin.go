package main

import (
	"fmt"
	"net/netip"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newNetworkConnect(a *app) *cobra.Command {
	es := &network.EndpointSettings{}
	var driverOpts, linkLocal []string
	c := &cobra.Command{
		Use:   "connect [flags] NETWORK CONTAINER",
		Short: "Join a container to a network, also while it runs",
		Args:  args(2, 2, "network connect needs a network and a container"),
		RunE: func(c *cobra.Command, refs []string) error {
			es.DriverOpts = pairs(driverOpts)
			own := &network.EndpointIPAMConfig{}
			for flag, to := range map[string]*netip.Addr{"ip": &own.IPv4Address, "ip6": &own.IPv6Address} {
				value := c.Flags().Lookup(flag).Value.String()
				if value == "" {
					continue
				}
				var err error
				if *to, err = netip.ParseAddr(value); err != nil {
					return fmt.Errorf("--%s %s: not an address", flag, value)
				}
				es.IPAMConfig = own
			}
			for _, value := range linkLocal {
				a, err := netip.ParseAddr(value)
				if err != nil {
					return fmt.Errorf("--link-local-ip %s: not an address", value)
				}
				own.LinkLocalIPs, es.IPAMConfig = append(own.LinkLocalIPs, a), own
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			_, err = cl.NetworkConnect(c.Context(), refs[0], client.NetworkConnectOptions{Container: refs[1], EndpointConfig: es})
			return err
		},
	}
	fs := c.Flags()
	fs.String("ip", "", "IPv4 address")
	fs.String("ip6", "", "IPv6 address")
	fs.StringArrayVar(&linkLocal, "link-local-ip", nil, "further address, of the container's own link (169.254.0.0/16, fe80::/10)")
	fs.StringArrayVar(&es.Aliases, "alias", nil, "name of the container on the network")
	fs.StringArrayVar(&es.Links, "link", nil, "name for another container that only this one uses (CONTAINER:NAME)")
	fs.IntVar(&es.GwPriority, "gw-priority", 0, "the network with the highest one gives the default route")
	fs.StringArrayVar(&driverOpts, "driver-opt", nil, "driver option (KEY=VALUE)")
	return c
}

func newNetworkDisconnect(a *app) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "disconnect [flags] NETWORK CONTAINER",
		Short: "Take a container out of a network",
		Args:  args(2, 2, "network disconnect needs a network and a container"),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			_, err = cl.NetworkDisconnect(c.Context(), refs[0], client.NetworkDisconnectOptions{Container: refs[1], Force: force})
			return err
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "accepted for docker's sake: it is always taken out")
	return c
}

func newNetworkRemove(a *app) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:     "rm [flags] NETWORK...",
		Aliases: []string{"remove"},
		Short:   "Remove networks",
		Args:    args(1, -1, "network rm needs a network"),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			return a.forEach(refs, func(ref string) error {
				_, err := cl.NetworkRemove(c.Context(), ref, client.NetworkRemoveOptions{})
				if force && errdefs.IsNotFound(err) {
					return nil
				}
				return err
			})
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "a missing network is no error")
	return c
}

func newNetworkPrune(a *app) *cobra.Command {
	var force bool
	var filters []string
	c := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove the networks that no container refers to",
		Args:  args(0, 0, "network prune takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if !a.confirm(force, "all networks that no container refers to") {
				return nil
			}
			f, err := parseFilters(filters)
			if err != nil {
				return err
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.NetworkPrune(c.Context(), client.NetworkPruneOptions{Filters: f})
			if err != nil {
				return err
			}
			a.list("Deleted Networks:", res.Report.NetworksDeleted)
			return nil
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	c.Flags().StringArrayVar(&filters, "filter", nil, "filter (KEY=VALUE)")
	return c
}
