package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"berth/engine/filter"
	engnet "berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/network"
)

// Create makes a bridge network and returns its ID. Errors are of the kinds
// AlreadyExists, PermissionDenied (a subnet in use, a name that every engine
// has), InvalidArgument, NotFound (an unknown driver) and ResourceExhausted.
func (n *Networks) Create(ctx context.Context, req network.CreateRequest) (string, error) {
	if predefined(req.Name) {
		return "", fmt.Errorf("operation is not permitted on predefined %s network: %w", req.Name, errdefs.ErrPermissionDenied)
	}
	spec, err := createSpec(req)
	if err != nil {
		return "", err
	}
	made, err := n.manager.Create(ctx, spec)
	if err != nil {
		return "", err
	}
	n.emit(events.ActionCreate, made)
	return made.ID, nil
}

// createSpec is what a client asks for, without what this engine does not have.
func createSpec(req network.CreateRequest) (engnet.CreateSpec, error) {
	s := engnet.CreateSpec{
		Name: req.Name, Driver: req.Driver, Internal: req.Internal, Attachable: req.Attachable, Labels: req.Labels, Options: req.Options,
	}
	var err error
	if s.IPv4, err = enabled(req, req.EnableIPv4, "com.docker.network.enable_ipv4", true); err != nil {
		return s, err
	}
	if s.IPv6, err = enabled(req, req.EnableIPv6, "com.docker.network.enable_ipv6", false); err != nil {
		return s, err
	}
	switch {
	case req.Name == "":
		return s, kind(errdefs.ErrInvalidArgument, "invalid name: name is empty")
	case req.Driver == "host" || req.Driver == "null":
		return s, fmt.Errorf("only one instance of %q network is allowed: %w", req.Driver, errdefs.ErrPermissionDenied)
	case req.Driver != "" && req.Driver != "bridge" && req.Driver != "default" && req.Driver != engnet.Macvlan:
		return s, fmt.Errorf("could not find plugin %s in v1 plugin registry: this engine has the drivers bridge and macvlan: %w", req.Driver, errdefs.ErrNotFound)
	case req.Ingress && req.Scope != "swarm":
		return s, kind(errdefs.ErrPermissionDenied, "Ingress network can only be global scope network")
	case req.Scope == "swarm":
		return s, fmt.Errorf("cannot create a swarm scoped network when swarm is not active: %w", errdefs.ErrPermissionDenied)
	case req.ConfigOnly || req.ConfigFrom != nil && req.ConfigFrom.Network != "":
		return s, fmt.Errorf("networks that are configurations of others cannot be used with this engine: %w", errdefs.ErrNotImplemented)
	}
	if req.IPAM == nil {
		return s, nil
	}
	if d := req.IPAM.Driver; d != "" && d != "default" {
		return s, fmt.Errorf("could not find IPAM driver %s: this engine has the driver default: %w", d, errdefs.ErrNotFound)
	}
	s.IPAMOptions = req.IPAM.Options
	for _, c := range req.IPAM.Config {
		if !c.Subnet.IsValid() {
			return s, kind(errdefs.ErrInvalidArgument, "every IPAM configuration needs a subnet")
		}
		pool := &s.V4
		if c.Subnet.Addr().Is6() {
			pool = &s.V6
			if !s.IPv6 {
				return s, kind(errdefs.ErrInvalidArgument, "subnet %s is an IPv6 one: create the network with --ipv6", c.Subnet)
			}
		}
		if pool.Valid() {
			return s, fmt.Errorf("bridge driver doesn't support multiple subnets (%s and %s): %w", pool.Subnet, c.Subnet, errdefs.ErrPermissionDenied)
		}
		*pool = engnet.Pool{Subnet: c.Subnet, Gateway: c.Gateway, Range: c.IPRange, Aux: c.AuxAddress}
	}
	return s, nil
}

// enabled tells whether a network is to have an address family: as the request says, else as the driver option does.
func enabled(req network.CreateRequest, asked *bool, option string, otherwise bool) (bool, error) {
	if asked != nil {
		return *asked, nil
	}
	value, ok := req.Options[option]
	if !ok {
		return otherwise, nil
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		return false, kind(errdefs.ErrInvalidArgument, "driver-opt %q is not a valid bool", option)
	}
	return on, nil
}

// Remove removes a network that no running container is in.
func (n *Networks) Remove(ctx context.Context, ref string) error {
	found, err := n.Inspect(ctx, ref)
	if err != nil {
		return err
	}
	if predefined(found.Name) {
		return fmt.Errorf("%s is a pre-defined network and cannot be removed: %w", found.Name, errdefs.ErrPermissionDenied)
	}
	gone, err := n.manager.Delete(ctx, found.ID)
	if err != nil {
		return err
	}
	n.emit(events.ActionDestroy, gone)
	return nil
}

// Prune removes the networks that no container, running or not, refers to and that
// pass the filters until and label, and returns their names.
func (n *Networks) Prune(ctx context.Context, filters filter.Args) ([]string, error) {
	if err := filters.Validate("until", "label", "label!"); err != nil {
		return nil, err
	}
	until, err := untilOf(filters)
	if err != nil {
		return nil, err
	}
	names := []string{}
	var errs []error
	for _, one := range n.manager.List() {
		if one.Default() || n.used(one.Name) || !until.IsZero() && !one.Created.Before(until) || !filters.Labels(one.Labels) {
			continue
		}
		gone, err := n.manager.Delete(ctx, one.ID)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		names = append(names, gone.Name)
		n.emit(events.ActionDestroy, gone)
	}
	if n.events != nil {
		n.events.Publish(events.NetworkEventType, events.ActionPrune, "", map[string]string{"reclaimed": "0"})
	}
	return names, errors.Join(errs...)
}

func (n *Networks) emit(action events.Action, one engnet.Network) {
	if n.events != nil {
		n.events.Publish(events.NetworkEventType, action, one.ID, map[string]string{"name": one.Name, "type": driverOf(one)})
	}
}

// driverOf is the driver of a network.
func driverOf(n engnet.Network) string { return cmp.Or(n.Driver, "bridge") }

// predefined tells the networks that every engine has.
func predefined(name string) bool {
	return slices.Contains([]string{network.NetworkBridge, network.NetworkHost, network.NetworkNone, network.NetworkDefault}, name)
}

// userDefined tells whether a network of this name has a name server.
func userDefined(name string) bool {
	return !predefined(name) && !container.NetworkMode(name).IsContainer()
}

// ipamConfig shows a pool.
func ipamConfig(pools ...engnet.Pool) []network.IPAMConfig {
	out := []network.IPAMConfig{}
	for _, p := range pools {
		if p.Valid() {
			out = append(out, network.IPAMConfig{Subnet: p.Subnet, IPRange: p.Range, Gateway: p.Gateway, AuxAddress: p.Aux})
		}
	}
	return out
}

// prefixOf is an address as inspect shows it, nothing for none.
func prefixOf(a netip.Addr, bits int) netip.Prefix {
	if !a.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, bits)
}
