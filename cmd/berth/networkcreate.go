package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

// networkFlags are the flags of network create that need reading.
type networkFlags struct {
	ipv4, ipv6                                             bool
	ipamDriver                                             string
	ipamOpts, labels, opts, subnets, ranges, gateways, aux []string
}

func newNetworkCreate(a *app) *cobra.Command {
	var o client.NetworkCreateOptions
	var f networkFlags
	c := &cobra.Command{
		Use:   "create [flags] NAME",
		Short: "Make a network",
		Long: "Makes a network of containers that find each other by name and that other\n" +
			"networks do not reach. What is not said (subnet, gateway) is chosen.",
		Args: args(1, 1, "network create needs a name"),
		RunE: func(c *cobra.Command, names []string) error {
			ipam, err := f.ipam()
			if err != nil {
				return err
			}
			o.IPAM, o.Labels, o.Options = ipam, pairs(f.labels), pairs(f.opts)
			if c.Flags().Changed("ipv4") {
				o.EnableIPv4 = &f.ipv4
			}
			if c.Flags().Changed("ipv6") {
				o.EnableIPv6 = &f.ipv6
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.NetworkCreate(c.Context(), names[0], o)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, res.ID)
			return nil
		},
	}
	fs := c.Flags()
	fs.StringVarP(&o.Driver, "driver", "d", "bridge", "driver")
	fs.StringVar(&o.Scope, "scope", "", "scope: local")
	fs.BoolVar(&o.Internal, "internal", false, "no way in or out but for the host")
	fs.BoolVar(&o.Attachable, "attachable", false, "accepted for docker's sake: every network is")
	fs.BoolVar(&f.ipv4, "ipv4", true, "with IPv4 addresses")
	fs.BoolVar(&f.ipv6, "ipv6", false, "with IPv6 addresses")
	fs.StringVar(&f.ipamDriver, "ipam-driver", "default", "driver of address management")
	fs.StringArrayVar(&f.ipamOpts, "ipam-opt", nil, "option of address management (KEY=VALUE)")
	fs.StringSliceVar(&f.subnets, "subnet", nil, "subnet in CIDR notation, one for each address family")
	fs.StringSliceVar(&f.ranges, "ip-range", nil, "part of the subnet that containers get addresses of")
	fs.StringSliceVar(&f.gateways, "gateway", nil, "the host's address in the subnet")
	fs.StringArrayVar(&f.aux, "aux-address", nil, "address in the subnet that somebody else has (NAME=ADDRESS)")
	fs.StringArrayVar(&f.labels, "label", nil, "set a label (KEY=VALUE)")
	fs.StringArrayVarP(&f.opts, "opt", "o", nil, "driver option (KEY=VALUE)")
	return c
}

// ipam puts ranges, gateways and auxiliary addresses to the subnets they are in.
func (f *networkFlags) ipam() (*network.IPAM, error) {
	out := &network.IPAM{Driver: f.ipamDriver, Options: pairs(f.ipamOpts)}
	for _, s := range f.subnets {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("--subnet %s: not a subnet in CIDR notation, such as 10.1.0.0/16", s)
		}
		out.Config = append(out.Config, network.IPAMConfig{Subnet: p})
	}
	in := func(flag, value string, a netip.Addr) (*network.IPAMConfig, error) {
		for i := range out.Config {
			if out.Config[i].Subnet.Contains(a) {
				return &out.Config[i], nil
			}
		}
		return nil, fmt.Errorf("--%s %s: no matching subnet; name one that has it with --subnet", flag, value)
	}
	for _, s := range f.ranges {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("--ip-range %s: not a range in CIDR notation, such as 10.1.5.0/24", s)
		}
		c, err := in("ip-range", s, p.Addr())
		if err != nil {
			return nil, err
		}
		if c.IPRange.IsValid() {
			return nil, fmt.Errorf("--ip-range %s: subnet %s has the range %s already", s, c.Subnet, c.IPRange)
		}
		c.IPRange = p
	}
	for _, s := range f.gateways {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("--gateway %s: not an address", s)
		}
		c, err := in("gateway", s, addr)
		if err != nil {
			return nil, err
		}
		if c.Gateway.IsValid() {
			return nil, fmt.Errorf("--gateway %s: subnet %s has the gateway %s already", s, c.Subnet, c.Gateway)
		}
		c.Gateway = addr
	}
	for _, s := range f.aux {
		name, value, _ := strings.Cut(s, "=")
		addr, err := netip.ParseAddr(value)
		if err != nil {
			return nil, fmt.Errorf("--aux-address %s: want NAME=ADDRESS", s)
		}
		c, err := in("aux-address", s, addr)
		if err != nil {
			return nil, err
		}
		if c.AuxAddress == nil {
			c.AuxAddress = map[string]netip.Addr{}
		}
		c.AuxAddress[name] = addr
	}
	return out, nil
}
